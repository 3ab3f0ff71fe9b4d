// Every rule of test/rules/iptables/rules.t: under xt-nft the same loads and comparisons as iptables-nft makes of it, under xt-legacy taken
// where iptables-legacy takes it, or the error that is written there.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { code, renderAll, source } from '@netsieve/diag'
import type { ProfileName } from '@netsieve/ir'
import { describe, expect, test } from 'vitest'
import { iptables } from '../src/index.ts'
import { fromNetlink, fromRule } from './netlink.ts'

interface Row {
  readonly program: string
  readonly rule: string
  readonly legacy: boolean
  readonly error?: string
  readonly netlink?: readonly string[]
}

const CORPUS = join(import.meta.dirname, '../../../test/rules/iptables')
const golden: { rows: readonly Row[] } = JSON.parse(readFileSync(join(CORPUS, 'netlink.golden.json'), 'utf8'))
const wanted = readFileSync(join(CORPUS, 'rules.t'), 'utf8')
  .split('\n')
  .filter((line) => line && !/^[#@] /.test(line))
  .map((line) => line.slice(line.lastIndexOf(' ; ') + 3).split(' '))

function lower({ program, rule }: Row, profile: ProfileName) {
  const parsed = iptables.parse(source('rule', `${program} -A INPUT ${rule}`))
  return parsed.value ? iptables.lower(parsed.value, { profile }) : { diagnostics: parsed.diagnostics }
}

/** Matches that are the same by either way. */
const METADATA =
  /-m (?:state|conntrack|connmark|connlimit|connbytes|limit|quota|statistic|pkttype|length|cpu|devgroup|realm|mark|mac)\b/

test('the rules and what iptables made of them go together', () => {
  expect(golden.rows.length).toBe(wanted.length)
  expect(golden.rows.length).toBeGreaterThan(120)
})

describe.each(golden.rows.map((row, i) => ({ ...row, wanted: wanted[i]! })))('$program: $rule', (row) => {
  const [kind, expected] = row.wanted
  test(row.wanted.join(' '), () => {
    expect(row.error === undefined).toBe(kind !== 'FAIL')
    const native = lower(row, 'xt-nft')
    const legacy = lower(row, 'xt-legacy')
    if (kind === 'OK') {
      if (!native.value) throw new Error(renderAll(native.diagnostics))
      // iptables counts in every rule, behind the matches: that is no step of ours.
      const told = fromNetlink(row.netlink!).filter((line) => line !== 'count')
      // What it leaves to the kernel's xt module is not written out: the verdicts of test/golden hold it.
      const module = told.includes('xt target') || (told.includes('xt match') && METADATA.test(row.rule))
      if (!module) expect(fromRule(native.value.chains[0]!.rules[0]!)).toEqual(told)
      expect([legacy.value !== undefined, row.legacy]).toEqual([true, true])
    } else {
      const errors = native.diagnostics.filter(({ severity }) => severity === 'error')
      expect(code(errors)).toEqual([kind === 'UNSUPPORTED' ? 'iptables/unsupported' : expected])
      expect(errors[0]!.span!.start).toBeGreaterThan(`${row.program} -A INPUT`.length)
    }
  })
})
