import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { code, renderAll, source, spanText } from '@netsieve/diag'
import { type ProfileName, printRule } from '@netsieve/ir'
import { describe, expect, test } from 'vitest'
import { iptables } from '../src/index.ts'

function read(line: string, profile: ProfileName = 'xt-legacy') {
  const parsed = iptables.parse(source('rules', line))
  return parsed.value ? iptables.lower(parsed.value, { profile }) : { diagnostics: parsed.diagnostics }
}

/** The matches of the only rule, behind the protocol. */
function matches(line: string, profile?: ProfileName): string {
  const { value, diagnostics } = read(line, profile)
  if (!value) throw new Error(renderAll(diagnostics))
  return printRule(value.chains[0]!.rules[0]!).replace(/^#0: meta.l4proto == \d+, (.*), → drop.*$/, '$1')
}

describe('names of types are the numbers that iptables has for them', () => {
  const rows = readFileSync(join(import.meta.dirname, '../../../test/rules/iptables/icmp.golden.txt'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [program: string, name: string, numbers: string])

  test('there are those of both programs', () => expect(rows.length).toBeGreaterThan(60))

  test.each(rows)('%s %s: %s', (program, name, numbers) => {
    const [proto, option, field] = program.startsWith('ip6')
      ? ['icmpv6', '--icmpv6-type', 'icmp6']
      : ['icmp', '--icmp-type', 'icmp']
    const [type, number] = numbers.split('/')
    const want = type === 'any' ? `${field}.type in {0-255}` : `${field}.type == ${type}${number === undefined ? '' : ` and ${field}.code == ${number}`}` // biome-ignore format: one value
    for (const word of [name, name.toUpperCase()])
      expect(matches(`${program} -A INPUT -p ${proto} ${option} ${word} -j DROP`)).toBe(want)
  })
})

describe('types', () => {
  test.each<[string, ProfileName, string]>([
    ['iptables -A INPUT -p icmp --icmp-type 8/0 -j DROP', 'xt-legacy', 'icmp.type == 8 and icmp.code == 0'],
    ['iptables -A INPUT -p icmp ! --icmp-type 8 -j DROP', 'xt-legacy', 'not (icmp.type == 8)'],
    ['iptables -A INPUT -p icmp --icmp-type 255 -j DROP', 'xt-legacy', 'icmp.type in {0-255}'],
    ['iptables -A INPUT -p icmp --icmp-type echo-req -j DROP', 'xt-nft', 'as xt-compat: icmp.type == 8'],
    ['ip6tables -A INPUT -p 58 -m icmpv6 --icmpv6-type 1/4 -j DROP', 'xt-nft', 'as xt-compat: icmp6.type == 1 and icmp6.code == 4'], // biome-ignore format: a row
  ])('%s', (line, profile, want) => {
    expect(matches(line, profile)).toBe(want)
  })

  test.each([
    ['iptables -A INPUT -p icmp --icmp-type host -j DROP', 'iptables/icmp', 'host'],
    ['iptables -A INPUT -p icmp --icmp-type nonsense -j DROP', 'iptables/icmp', 'nonsense'],
    ['iptables -A INPUT -p icmp --icmp-type 256 -j DROP', 'rules/number', '256'],
    ['iptables -A INPUT -p icmp --icmp-type 3/256 -j DROP', 'rules/number', '256'],
    ['iptables -A INPUT -p tcp -m icmp --icmp-type 3 -j DROP', 'iptables/protocol', '--icmp-type 3'],
    ['ip6tables -A INPUT -p 58 -m icmp -j DROP', 'iptables/match', 'icmp'],
  ])('%s', (line, what, text) => {
    const { diagnostics } = read(line)
    expect(code(diagnostics)).toEqual([what])
    expect(spanText(diagnostics[0]!.span!)).toBe(text)
  })
})
