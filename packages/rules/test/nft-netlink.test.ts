// Every rule of test/rules/nft/rules.t: the same loads and comparisons as nft makes of it, or the error that is written there.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { code, renderAll, source } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'
import { nft } from '../src/index.ts'
import { fromNetlink, fromRule } from './netlink.ts'

interface Row {
  readonly family: string
  readonly rule: string
  readonly error?: string
  readonly netlink?: readonly string[]
}

const CORPUS = join(import.meta.dirname, '../../../test/rules/nft')
const golden: { rows: readonly Row[] } = JSON.parse(readFileSync(join(CORPUS, 'netlink.golden.json'), 'utf8'))
const wanted = readFileSync(join(CORPUS, 'rules.t'), 'utf8')
  .split('\n')
  .filter((line) => line && !/^[#@] /.test(line))
  .map((line) => line.slice(line.lastIndexOf(' ; ') + 3).split(' '))

function lower({ family, rule }: Row) {
  const hook = family === 'netdev' ? 'ingress device "lo"' : 'input'
  const text = `table ${family} t {\n chain c {\n  type filter hook ${hook} priority 0\n  ${rule}\n }\n}\n`
  const parsed = nft.parse(source('rule', text))
  if (!parsed.value) return { value: undefined, diagnostics: parsed.diagnostics }
  return nft.lower(parsed.value, {})
}

test('the rules and what nft made of them go together', () => {
  expect(golden.rows.length).toBe(wanted.length)
  expect(golden.rows.length).toBeGreaterThan(200)
})

describe.each(golden.rows.map((row, i) => ({ ...row, wanted: wanted[i]! })))('$family: $rule', (row) => {
  const [kind, expected] = row.wanted
  test(row.wanted.join(' '), () => {
    expect(row.error === undefined).toBe(kind !== 'FAIL')
    const { value, diagnostics } = lower(row)
    const errors = diagnostics.filter(({ severity }) => severity === 'error')
    if (kind === 'OK') {
      if (!value) throw new Error(renderAll(diagnostics))
      // Devices are told by name here, and captures of Ethernet are taken to be so.
      const told = fromNetlink(row.netlink!)
        .map((line) =>
          /\b[io]if lo\b/.test(row.rule)
            ? line.replace(/^(meta\..if) 0:4 == 00000001$/, '$1name 0:16 == 6c6f0000000000000000000000000000')
            : line,
        )
        .filter((line) => row.rule.includes('iiftype') || line !== 'meta.iiftype 0:2 == 0001')
      // At the IP hooks tags are off the Ethernet header: its type is the network protocol (netfilter.test.ts shows it on tagged frames).
      const place = (line: string) => (row.family === 'netdev' ? line : line.replace(/^link 12:2/, 'meta.protocol 0:2'))
      expect(fromRule(value.chains[0]!.rules[0]!)).toEqual(told.map(place))
    } else if (kind === 'SET') {
      expect(errors).toEqual([])
      expect(value?.sets?.length).toBe(1)
    } else {
      expect(code(errors)).toEqual([kind === 'UNSUPPORTED' ? 'nft/unsupported' : expected])
      const { span } = errors[0]!
      expect(span!.source.text.slice(0, span!.start).split('\n').length).toBe(4)
    }
  })
})
