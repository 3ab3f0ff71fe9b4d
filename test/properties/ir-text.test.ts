// parse(print(filter)) and fromJson(toJson(filter)) are the filter, for every kind of term, predicate, step and verdict.

import { renderAll, source } from '@netsieve/diag'
import { fromJson, parse, print, toJson, VIEWS, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filterOf } from './random-ir.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 100)

describe.each(Object.keys(VIEWS) as ViewName[])('view %s', (view) => {
  it('as JSON', () => {
    fc.assert(
      fc.property(filterOf(view), (filter) => {
        expect(fromJson(JSON.parse(JSON.stringify(toJson(filter))))).toEqual({ value: filter, diagnostics: [] })
      }),
      { numRuns: RUNS, seed: 20_261_127 },
    )
  })

  it('as text', () => {
    fc.assert(
      fc.property(filterOf(view), (filter) => {
        const { value, diagnostics } = parse(source('ir', print(filter)))
        if (!value) throw new Error(`${renderAll(diagnostics)}\n${print(filter)}`)
        // The JSON of a filter has its spans left out when it is read.
        expect(fromJson(toJson(value)).value).toEqual(filter)
      }),
      { numRuns: RUNS, seed: 20_261_127 },
    )
  })
})
