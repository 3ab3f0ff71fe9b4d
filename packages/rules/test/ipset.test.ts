// `-m set` and the files that tell what is in sets: what each becomes, and what is refused and where.

import { source, spanText } from '@netsieve/diag'
import { evaluate, newState, print } from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { SYNTAXES } from '@netsieve/rules'
import { describe, expect, test } from 'vitest'

const read = (sets: string | undefined, match: string, program = 'iptables') =>
  SYNTAXES.iptables.read(source('rules', `${program} -A INPUT -m set ${match} -j DROP`), {
    ...(sets !== undefined && { ipsets: source('sets', sets) }),
  })

const shown = (sets: string, match: string, program?: string): string => {
  const { value, diagnostics } = read(sets, match, program)
  if (!value) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return /#0: as xt-compat-mild: (.*), → drop/.exec(print(value))![1]!
}

test.each<[string, string, string]>([
  ['create s hash:mac\nadd s 02:00:00:00:00:01', '--match-set s src', 'eth.src in {02:00:00:00:00:01}'],
  ['create s hash:mac\nadd s 02:00:00:00:00:01', '! --match-set s dst', 'not (eth.dst in {02:00:00:00:00:01})'],
  [
    'create s hash:ip,mac\nadd s 10.0.0.1,02:00:00:00:00:01',
    '--match-set s src,src',
    'ipv4.src . eth.src in @"ipset.s.src,src',
  ],
  [
    'create s hash:ip,mark markmask 0xff\nadd s 10.0.0.1,0x105',
    '--match-set s src,src',
    'ipv4.src . meta.mark & 0xff in @',
  ],
  ['create s hash:net,net\nadd s 10.0.0.0/8,192.0.2.0/24', '--match-set s src,dst', 'ipv4.src . ipv4.dst in @'],
  [
    'create s hash:net,port,net\nadd s 10.0.0.0/8,tcp:80,192.0.2.0/24',
    '--match-set s src,dst,dst',
    'meta.l4proto == 6 and transport[19:1] in {0-255} and ipv4.src . transport[2:2] . ipv4.dst in @',
  ],
  ['create s hash:ip\nadd s 10.0.0.1\nflush s\nadd s 10.0.0.2', '--match-set s src', 'ipv4.src in {10.0.0.2}'],
  [
    'ipset -N s hash:ip -exist\nipset -A s 10.0.0.1 -exist\n# a comment\nCOMMIT',
    '--match-set s src',
    'ipv4.src in {10.0.0.1}',
  ],
  ['create s list:set\ncreate i hash:ip\nadd i 10.0.0.1\nadd s i', '--match-set s dst', 'ipv4.dst in {10.0.0.1}'],
  ['create s hash:ip,port\nadd s 10.0.0.1,80', '--match-set s src', 'false'],
  ['create i hash:ip\nadd i 10.0.0.1\ncreate s list:set\nadd s i\nflush s', '--match-set s src', 'or()'],
  [
    'create s hash:net\nadd s 10.0.0.0/24\nadd s 10.0.0.4/30 nomatch\nadd s 10.0.0.6\nadd s 10.0.0.8/29 nomatch\nadd s 10.0.0.15',
    '--match-set s src',
    'ipv4.src in {10.0.0.0-10.0.0.3, 10.0.0.6, 10.0.0.15-10.0.0.255}',
  ],
  // biome-ignore format: a table
])('%j %s', (sets, match, expected) => {
  expect(shown(sets, match)).toContain(expected)
})

test('of two networks the first counts before the second', () => {
  const sets =
    'create s hash:net,net\nadd s 10.0.0.0/8,192.0.2.0/24\nadd s 10.1.0.0/16,192.0.0.0/8 nomatch\nadd s 10.1.1.0/24,192.0.2.0/25'
  const frame = (from: string) => buildPacket(`eth / ipv4(src=${from}, dst=192.0.2.1) / tcp`).value!.data
  const { value } = read(sets, '--match-set s src,dst')
  expect(['10.2.0.1', '10.1.0.1', '10.1.1.1'].map((each) => evaluate(value!, frame(each)).decision)).toEqual(['drop', 'pass', 'drop']) // biome-ignore format: one comparison
})

test('of an element that is added twice the last counts', () => {
  const sets = 'create s hash:net,port\nadd s 10.0.0.0/8,tcp:80-90\nadd s 10.0.0.0/8,tcp:81 nomatch -exist'
  const { value } = read(sets, '--match-set s src,dst')
  const frame = (port: number) => buildPacket(`eth / ipv4(src=10.1.1.1) / tcp(dport=${port})`).value!.data
  expect([80, 81].map((port) => evaluate(value!, frame(port)).decision)).toEqual(['drop', 'pass'])
})

test('many networks, every other with nomatch, take no quadratic time', () => {
  const nets = Array.from(
    { length: 40_000 },
    (_, i) => `add s 10.${i >> 8}.${i & 255}.0/24${i % 2 ? ' nomatch' : ''}\n`,
  )
  const start = performance.now()
  expect(read(`create s hash:net\n${nets.join('')}`, '--match-set s src').value).toBeDefined()
  expect(performance.now() - start).toBeLessThan(5000)
})

test('IPv6 looks for the header behind all extension headers', () => {
  expect(shown('create s bitmap:port range 0-100\nadd s 80', '--match-set s dst', 'ip6tables')).toContain(
    'exists(find(ipv6 6)) and net[find(ipv6 6) + 19:1] in {0-255} and net[find(ipv6 6) + 2:2] in {80}',
  )
})

describe('what is wrong', () => {
  const ONE = 'create s hash:ip\nadd s 10.0.0.1\n'
  test.each<[string | undefined, string, string, string]>([
    [undefined, '--match-set s src', 'iptables/set', 's'],
    [ONE, '--match-set t src', 'iptables/set', 't'],
    [ONE, '--match-set s left', 'iptables/match', 'left'],
    [ONE, '--return-nomatch', 'iptables/match', '-m set --return-nomatch'],
    [ONE, '--match-set s src --packets-gt 5', 'iptables/unsupported', '--packets-gt 5'],
    ['create s hash:ip family inet6', '--match-set s src', 'iptables/set', 's'],
    ['create s hash:ip,six', '--match-set s src', 'ipset/type', 'hash:ip,six'],
    ['create s hash:ip family six', '--match-set s src', 'ipset/family', 'six'],
    ['create s hash:ip color red', '--match-set s src', 'ipset/option', 'color'],
    ['create s hash:ip timeout soon', '--match-set s src', 'ipset/option', 'soon'],
    ['create s hash:ip counters\nadd s 10.0.0.1 packets -1', '--match-set s src', 'ipset/option', '-1'],
    ['create s hash:ip maxelem', '--match-set s src', 'ipset/option', 'maxelem'],
    ['create s hash:ip,mark markmask none', '--match-set s src,src', 'rules/number', 'none'],
    [`${ONE}flush t`, '--match-set s src', 'ipset/name', 't'],
    ['create s hash:ip\ncreate s hash:ip', '--match-set s src', 'ipset/twice', 's'],
    [`${ONE}add t 10.0.0.1`, '--match-set s src', 'ipset/name', 't'],
    [`${ONE}add s`, '--match-set s src', 'ipset/command', 'add'],
    [`${ONE}add s 10.0.0.1,80`, '--match-set s src', 'ipset/element', '10.0.0.1,80'],
    [`${ONE}add s 10.0.0.x`, '--match-set s src', 'rules/address', '10.0.0.x'],
    [`${ONE}add s 10.0.0.2 nomatch`, '--match-set s src', 'ipset/element', '10.0.0.2'],
    [`${ONE}del s 10.0.0.1`, '--match-set s src', 'ipset/command', 'del'],
    ['create s hash:ip,port\nadd s 10.0.0.1,none:80', '--match-set s src,src', 'ipset/element', 'none'],
    [
      'create s hash:net,iface\nadd s 10.0.0.0/8,physdev:eth0',
      '--match-set s src,src',
      'ipset/unsupported',
      'physdev:eth0',
    ],
    ['create s list:set\nadd s none', '--match-set s src', 'ipset/name', 'none'],
    // biome-ignore format: a table
  ])('%j %s', (sets, match, code, at) => {
    const { value, diagnostics } = read(sets, match)
    const [first] = diagnostics.filter(({ severity }) => severity === 'error')
    expect([value, first?.code]).toEqual([undefined, code])
    const { source: of, start, end } = first!.span!
    expect(of.text.slice(start, end)).toBe(at)
  })
})

test('elements that run out are said to stay', () => {
  const { value, diagnostics } = read('create s hash:ip timeout 60\nadd s 10.0.0.1 timeout 5', '--match-set s src')
  expect(value).toBeDefined()
  expect(diagnostics.map(({ code, severity }) => [code, severity])).toEqual([['ipset/timeout', 'warning']])
})

test('other syntaxes have no such sets', () => {
  const { diagnostics } = SYNTAXES.pcap.read(source('', 'tcp'), { ipsets: source('sets', '') })
  expect(diagnostics.map(({ code }) => code)).toEqual(['rules/option'])
})

describe('sets that rules change', () => {
  const SETS =
    'create seen hash:ip timeout 600 maxelem 3\nadd seen 10.0.0.9\ncreate plain hash:ip\ncreate nets hash:net\ncreate list list:set\nadd list plain'
  const rules = (...lines: readonly string[]) =>
    SYNTAXES.iptables.read(source('rules', lines.map((line) => `iptables -A INPUT ${line}`).join('\n')), { ipsets: source('sets', SETS) }) // biome-ignore format: one call
  /** Whether packets from 10.0.0.N at some seconds are dropped, one after the other. */
  const judged = (lines: readonly string[], packets: readonly (readonly [number, number])[]) => {
    const { value, diagnostics } = rules(...lines)
    if (!value) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
    const state = newState(value)
    return packets.map(([from, second]) => {
      const { data } = buildPacket(`eth / ipv4(src=10.0.0.${from}, dst=10.0.0.2) / udp(sport=1, dport=2)`).value!
      return evaluate(value, data, { state, timestampNs: BigInt(second) * 1_000_000_000n }).decision === 'drop'
    })
  }
  const BLOCK = '-m set --match-set seen src -j DROP'

  test('what is added is there for so long', () => {
    const packets = [[1, 0], [1, 1], [2, 1], [1, 599], [1, 601], [9, 9999]] as const // biome-ignore format: one list
    expect(judged([BLOCK, '-j SET --add-set seen src'], packets)).toEqual([false, true, false, true, false, true])
    const short = [[1, 0], [1, 5], [1, 11]] as const // biome-ignore format: one list
    expect(judged([BLOCK, '-j SET --add-set seen src --timeout 10'], short)).toEqual([false, true, false])
    expect(judged(['-m set --match-set plain src -j DROP', '-j SET --add-set plain src --timeout 10'], [[1, 0], [1, 99]])).toEqual([false, true]) // biome-ignore format: short
  })

  test('--exist begins its time anew', () => {
    const packets = [[1, 0], [1, 500], [1, 700]] as const // biome-ignore format: one list
    expect(judged(['-j SET --add-set seen src', BLOCK], packets)).toEqual([true, true, true])
    const asked = (exist: string) => judged([`-s 10.0.0.1 -j SET --add-set seen src${exist}`, '-p udp -m set ! --match-set seen dst -j RETURN', BLOCK], packets) // biome-ignore format: one call
    expect(asked('')).toEqual([false, false, false])
  })

  test('elements that --exist would give a time are told to stay', () => {
    const codes = (line: string) => rules(line).diagnostics.map(({ code, span }) => [code, span && spanText(span)])
    expect(codes('-j SET --add-set seen src --exist')).toEqual([['ipset/timeout', '10.0.0.9']])
    expect(codes('-j SET --add-set seen src')).toEqual([])
  })

  test('what is deleted is gone, and a full set takes no more', () => {
    expect(judged([BLOCK, '-j SET --del-set seen dst'], [[9, 0]])).toEqual([true])
    expect(judged(['-j SET --del-set seen src', BLOCK], [[9, 0]])).toEqual([false])
    const many = [[1, 0], [2, 0], [3, 0], [3, 1], [2, 1]] as const // biome-ignore format: one list
    expect(judged([BLOCK, '-j SET --add-set seen src'], many)).toEqual([false, false, false, false, true])
  })

  test.each([
    ['-j SET --add-set nets src', 'iptables/unsupported', 'nets'],
    ['-j SET --add-set none src', 'iptables/set', 'none'],
    ['-j SET --add-set seen up', 'iptables/target', 'up'],
    ['-j SET --del-set seen src --exist', 'iptables/target', '--exist'],
    ['-j SET --map-set seen src --map-mark', 'iptables/unsupported', '--map-set seen src'],
    ['-j SET', 'iptables/target', 'SET'],
    ['-m set --match-set list src -j DROP\niptables -A INPUT -j SET --add-set plain src', 'ipset/unsupported', 'plain'],
  ])('%s: %s', (line, expected, at) => {
    const { diagnostics } = rules(line)
    expect(diagnostics.map(({ code, span }) => [code, span && spanText(span)])).toEqual([[expected, at]])
  })
})

test('what is wrong with sets is told of those that are asked', () => {
  const sets =
    'create a hash:ip timeout 5 maxelem 1\nadd a 10.0.0.1 timeout 3\ncreate b hash:ip maxelem 2\nadd b 10.0.0.1\nadd b 10.0.0.2 -exist\nadd b 10.0.0.2 -exist\nadd b 10.0.0.3'
  const codes = (match: string) => read(sets, match).diagnostics.map(({ code, span }) => [code, span && spanText(span)])
  const full = ['ipset/full', '10.0.0.3']
  expect(codes('--match-set b src')).toEqual([full])
  expect(codes('--match-set a src')).toEqual([full, ['ipset/timeout', '10.0.0.1']])
})
