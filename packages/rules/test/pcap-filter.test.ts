import { cmp, evaluate, type Filter, load, type Pred, print } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Grammar } from '../src/grammar/match.ts'
import type { Part } from '../src/grammar/types.ts'
import { type PcapOptions, pcapFilter } from '../src/pcap-filter/index.ts'
import { GRAMMAR } from '../src/pcap-filter/pcap-filter.gen.ts'

const named = (text: string) => ({ name: 'expression', text })

function refused(text: string, options: PcapOptions = {}) {
  const parsed = pcapFilter.parse(named(text))
  const { value, diagnostics } = parsed.value ? pcapFilter.lower(parsed.value, options) : parsed
  expect(value, text).toBeUndefined()
  const { code, span, hint = '' } = diagnostics[0]!
  return { code, at: span && text.slice(span.start, span.end), hint }
}

function lowered(text: string, options: PcapOptions = {}): Filter {
  const parsed = pcapFilter.parse(named(text))
  const { value, diagnostics } = parsed.value
    ? pcapFilter.lower(parsed.value, options)
    : { value: undefined, diagnostics: parsed.diagnostics }
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  return value!
}

/** The tests of a predicate. */
function* predsIn(pred: Pred): Generator<Pred> {
  if (pred.kind === 'and' || pred.kind === 'or') for (const arg of pred.args) yield* predsIn(arg)
  else if (pred.kind === 'not') yield* predsIn(pred.arg)
  else yield pred
}

const predicate = (text: string, options: PcapOptions = {}) => lowered(text, options).chains[0]!.rules[0]!.steps[0]

describe('what is refused, where, and what helps', () => {
  test.each([
    ['prt 80', 'rules/syntax', 'prt', 'did you mean port?'],
    ['tcp 80', 'rules/syntax', '80', 'did you mean tcp port 80?'],
    ['10.0.0.1', 'rules/syntax', '10.0.0.1', 'to match an address, write: host 10.0.0.1'],
    ['tcp and 443', 'rules/syntax', '443', ''],
    ['port 80 or udp or 443', 'rules/syntax', '443', ''],
    ['(port 80) or 443', 'rules/syntax', '443', ''],
    ['port tcp', 'rules/syntax', 'tcp', 'to use the keyword as a name, escape it: \\tcp'],
    ['port 80 or (udp', 'rules/syntax', '', ''],
    ['tcp)', 'rules/syntax', ')', ''],
    ['len = 5 = 5', 'rules/syntax', '=', ''],
    ['host 10.300.0.1', 'rules/address', '300', ''],
    [
      'host nosuch',
      'rules/name',
      'nosuch',
      'names are looked up in the file given by --hosts only: give one, or write the address',
    ],
    ['ether host 10.0.0.1', 'rules/address', '10.0.0.1', ''],
    ['port 70000', 'rules/port', '70000', ''],
    ['port 089', 'rules/number', '089', ''],
    ['udp port ssh', 'rules/port', 'ssh', ''],
    ['icmp port 80', 'rules/qualifier', '80', ''],
    ['net 10.1.1.1/8', 'rules/prefix', '10.1.1.1/8', 'write the first address of the network, or a longer prefix'],
    ['net 10.0.0.0/33', 'rules/prefix', '33', ''],
    ['host 10.0.0.0/8', 'rules/prefix', '10.0.0.0/8', ''],
    ['tcp[0:3] = 1', 'rules/size', '3', ''],
    ['vlan 4096', 'rules/number', 'vlan 4096', ''],
    ['len = 5 / 0', 'rules/arithmetic', '5 / 0', ''],
    ['mpls and vlan', 'rules/vlan', 'vlan', ''],
    ['type mgt', 'rules/unsupported', 'type', ''],
    ['wlan addr1 1:2:3:4:5:6', 'rules/unsupported', 'addr1', ''],
    ['ip and ip6', 'rules/never', 'ip and ip6', 'parts that are joined with `and` exclude each other'],
    ['ip @ tcp', 'rules/character', '@', ''],
  ])('%s', (text, code, at, hint) => {
    expect(refused(text)).toEqual({ code, at, hint })
  })
})

describe('a bare identifier takes the last qualifiers', () => {
  test.each([
    ['tcp dst port 80 or 443', 'tcp dst port 80 or tcp dst port 443'],
    ['port 80 or (host 10.0.0.1) or 443', 'port 80 or host 10.0.0.1 or port 443'],
    ['port (80 or not 443)', 'port 80 or not port 443'],
    ['net 10.0.0.0/8 or 192.168', 'net 10.0.0.0/8 or net 192.168'],
    ['ip proto 6 or 17', 'ip proto \\tcp or ip proto \\udp'],
    ['tcp or udp and ip6', '(tcp or udp) and ip6'],
    ['src 10.0.0.1', 'src host 10.0.0.1'],
    ['host 10.1', 'net 10.1.0.0/16'],
    ['portrange 90-80', 'portrange 80-90'],
    ['len = 7 % 2 + 3', 'len = 2'],
    ['len = 2 + 3 * 4', 'len = 14'],
    ['ether host 1-2-3-4-5-6', 'ether host 01:02:03:04:05:06'],
    ['', '  '],
  ])('%s is %s', (short, long) => {
    expect(predicate(short)).toEqual(predicate(long))
  })
})

test('names come from the files that are given', () => {
  const hosts = '10.0.0.1 gw gw.example # a comment\n2001:db8::1 gw\n'
  const ethers = '02:00:00:00:00:01 gw\n'
  expect(predicate('host gw', { hosts })).toEqual(predicate('host 10.0.0.1 or host 2001:db8::1'))
  expect(predicate('ip6 host gw', { hosts })).toEqual(predicate('ip6 host 2001:db8::1'))
  expect(predicate('ether src gw', { ethers })).toEqual(predicate('ether src 02:00:00:00:00:01'))
  const gateway = '(ether host 02:00:00:00:00:01 and not (host 10.0.0.1 or host 2001:db8::1))'
  expect(predicate('gateway gw', { hosts, ethers })).toEqual(predicate(gateway))
})

describe('what the manual shows', () => {
  const hosts = '192.0.2.1 sundown helios snup\n192.0.2.2 hot\n2001:db8::3 ace\n192.0.2.3 ace\n'
  const names = { hosts, ethers: '2:0:0:0:0:1 snup\n', networks: 'ucb-ether 128.32\nlocalnet 192.0.2.0\n' }
  test.each([
    ['host sundown', 'host 192.0.2.1'],
    ['host helios and (hot or ace)', 'host 192.0.2.1 and (host 192.0.2.2 or (host 2001:db8::3 or host 192.0.2.3))'],
    ['ip host ace and not helios', 'host 192.0.2.3 and not host 192.0.2.1'],
    ['net ucb-ether', 'net 128.32.0.0/32'],
    [
      'gateway snup and (port ftp or ftp-data)',
      '(ether host 02:00:00:00:00:01 and not host 192.0.2.1) and (port 21 or tcp port 20)',
    ],
    ['ip and not net localnet', 'ip and not net 192.0.2.0/32'],
    [
      'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net localnet',
      'tcp[13] & 3 != 0 and not src and dst net 192.0.2.0/32',
    ],
    ['tcp[tcpflags] & (tcp-rst|tcp-ack) == (tcp-rst|tcp-ack)', 'tcp[13] & 20 = 20'],
    [
      'tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)',
      'tcp port 80 and ip[2:2] - ((ip[0]&15)<<2) - ((tcp[12]&240)>>2) != 0',
    ],
    ['gateway snup and ip[2:2] > 576', '(ether host 02:00:00:00:00:01 and not host 192.0.2.1) and ip[2:2] > 576'],
    ['ether[0] & 1 = 0 and ip[16] >= 224', 'not ether multicast and ip multicast'],
    ['icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply', 'icmp[0] != 8 and icmp[0] != 0'],
    ['icmp6[icmp6type] != icmp6-echo and icmp6[icmp6type] != icmp6-echoreply', 'icmp6[0] != 128 and icmp6[0] != 129'],
    ['src foo-not-known or host ace', undefined],
  ])('%s', (text, plain) => {
    // biome-ignore format: rows
    if (plain === undefined) return expect(refused(text, names).code).toBe('rules/name')
    const frames = Array.from({ length: 200 }, (_, i) => frameOf(i))
    const says = (each: string) => frames.map((frame) => evaluate(lowered(each, names), frame).decision)
    expect(says(text)).toEqual(says(plain))
    expect(new Set(says(text)).size).toBe(2)
  })
})

/** Frames that have something of what the manual asks for. */
function frameOf(seed: number): Uint8Array {
  const bit = (n: number) => (seed >> n) & 1
  const frame = new Uint8Array(80)
  frame.set([2, 0, 0, 0, 0, bit(0)], 0)
  frame.set([2, 0, 0, 0, 0, 9], 6)
  if (bit(1)) frame[0] = 1
  frame.set(bit(2) && bit(3) ? [0x86, 0xdd, 0x60] : [8, 0, 0x45], 12)
  frame.set([bit(4) ? 3 : 0, 60], 16)
  frame[23] = bit(5) ? 6 : 1
  frame[20 + (bit(2) && bit(3) ? 0 : 60)] = 58
  frame.set([192, 0, 2, (seed >> 3) & 3], 26)
  frame.set(bit(6) ? [224, 0, 0, 1] : bit(7) ? [128, 32, 0, 0] : [192, 0, 2, (seed >> 4) & 3], 30)
  frame.set([[0, 8, 3, 3][seed & 3]!, 80], 34)
  frame.set([0, bit(2) ? 80 : 21], 36)
  frame.set([0x50, bit(3) ? 0x14 : 2], 46)
  frame[54] = bit(5) ? 128 : 1
  return frame
}

test('a match drops if that is asked', () => {
  const filter = lowered('len > 0', { onMatch: 'drop' })
  expect(evaluate(filter, new Uint8Array(60)).decision).toBe('drop')
  expect(filter.base[0]!.policy).toBe('accept')
})

test('bytes right of an operator are not checked, as in libpcap, and that is told', () => {
  const { value } = pcapFilter.parse(named('1 + tcp[0] = 2'))
  expect(pcapFilter.lower(value!, {}).diagnostics.map(({ code }) => code)).toEqual(['rules/unchecked'])
})

test('direction and device are metadata, but where the link header tells them', () => {
  expect(predicate('inbound')).toEqual({ kind: 'match', pred: { kind: 'not', arg: cmp('meta.direction', '==', 1) } })
  expect(predicate('outbound')).toEqual({ kind: 'match', pred: cmp('meta.direction', '==', 1) })
  expect(predicate('ifindex 3')).toEqual({ kind: 'match', pred: cmp('meta.ifindex', '==', 3) })
  expect(predicate('on eth0')).toEqual(predicate('ifname eth0'))
  expect(predicate('outbound', { link: 'LINUX_SLL' })).toEqual({
    kind: 'match',
    pred: cmp(load('link', 0, 2), '==', 4),
  })
  expect(predicate('ifindex 3', { link: 'LINUX_SLL2' })).toEqual({ kind: 'match', pred: cmp(load('link', 4, 4), '==', 3) }) // biome-ignore format: one call
  expect(refused('on 1:2').code).toBe('rules/syntax')
  expect(refused('ifname a-name-too-long-to-be-one').code).toBe('rules/name')
})

test('vxlan moves what follows into the inner frame (RFC 7348)', () => {
  const hex = (text: string) =>
    text
      .replace(/\s/g, '')
      .match(/../g)!
      .map((byte) => Number.parseInt(byte, 16))
  const outer = hex(
    '020000000002 020000000001 0800 4500 0060 0000 0000 40 11 0000 0a000001 0a000002 c000 12b5 004c 0000',
  )
  const inner = hex(
    'ffffffffffff 020000000003 0800 4500 0020 0000 0000 40 01 0000 c0000201 c0000202 0800 0000 0001 0001',
  )
  const packet = (flags: number, type = 0x12b5) => {
    const bytes = Uint8Array.from([...outer, flags, 0, 0, 0, 0, 0, 100, 0, ...inner])
    bytes.set([type >> 8, type & 255], 36)
    return bytes
  }
  const verdict = (text: string, bytes: Uint8Array) => evaluate(lowered(text), bytes).decision
  for (const text of [
    'vxlan',
    'vxlan 100',
    'vxlan and icmp',
    'vxlan 100 and src host 192.0.2.1',
    'vxlan and ether broadcast',
  ])
    expect(verdict(text, packet(8)), text).toBe('pass')
  for (const text of ['vxlan 101', 'vxlan and udp', 'vxlan and host 10.0.0.1'])
    expect(verdict(text, packet(8)), text).toBe('drop')
  expect(verdict('vxlan', packet(0))).toBe('drop')
  expect(verdict('vxlan', packet(8, 4790))).toBe('drop')
  expect(verdict('vxlan', packet(8).slice(0, 43))).toBe('pass')
  expect(verdict('vxlan and ip', packet(8).slice(0, 60))).toBe('drop')
})

/** A sentence of a rule; each choice is the next of `picks`, and beyond `depth` the alternative that ends soonest. */
function sentence(rule: string, picks: Iterator<number>, depth = 0): string {
  const { alternatives } = GRAMMAR.find(({ name }) => name === rule)!
  const few = depth > 12 ? [alternatives.toSorted((a, b) => cost(a) - cost(b))[0]!] : alternatives
  const pick = () => picks.next().value ?? 0
  return few[pick() % few.length]!.map((part) => {
    if (part.look) return ''
    const least = part.min ?? 1
    const times = part.max === 'many' ? least + (depth > 12 ? 0 : pick() % 3) : least === 0 ? pick() % 2 : 1
    return Array.from({ length: times }, () => piece(part, pick, picks, depth)).join('')
  }).join('')
}

const cost = (parts: readonly Part[]) => parts.filter(({ rule, look }) => rule !== undefined && !look).length

function piece(part: Part, pick: () => number, picks: Iterator<number>, depth: number): string {
  if (part.lit !== undefined) return part.lit
  if (part.rule !== undefined) return sentence(part.rule, picks, depth + 1)
  const fits = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter((c) =>
    new RegExp(`^${part.chars}$`).test(c),
  )
  return fits[pick() % fits.length]!
}

describe('the grammar', () => {
  const sentences = fc
    .array(fc.nat(), { minLength: 1, maxLength: 60 })
    .map((picks) => sentence('expression', picks[Symbol.iterator]()))

  test('makes sentences that the parser reads, or refuses for their meaning only', () => {
    fc.assert(
      fc.property(sentences, (text) => {
        const { value, diagnostics } = pcapFilter.parse(named(text))
        // A bare name may follow what gives it no meaning.
        if (!value) expect(diagnostics[0]!.message, text).toMatch(/has no keyword before it/)
      }),
      { numRuns: 500 },
    )
  })

  test('accepts what it makes', () => {
    const grammar = new Grammar(GRAMMAR)
    fc.assert(
      fc.property(sentences, (text) => {
        const { value } = pcapFilter.parse(named(text))
        if (value) expect(grammar.match('tokens', text).ok, text).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})

test('any text ends in a filter or in a message with a place', () => {
  const words = fc.constantFrom(
    'tcp',
    'port',
    '80',
    '(',
    ')',
    'not',
    'or',
    'and',
    'host',
    '10.0.0.1',
    '[',
    ']',
    '=',
    'len',
    '/',
    '\\',
    ' ',
    'vlan',
    '1:2:3',
    '::',
    '%',
  )
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.array(words, { maxLength: 30 }).map((list) => list.join(' ')),
  )
  fc.assert(
    fc.property(text, (input) => {
      const parsed = pcapFilter.parse(named(input))
      const { value, diagnostics } = parsed.value ? pcapFilter.lower(parsed.value, {}) : parsed
      if (!value) expect(diagnostics[0]?.span).toBeDefined()
    }),
    { numRuns: 1000 },
  )
})

describe('a test of bits that are 0, twice: libpcap takes the second for told, and for the opposite', () => {
  const twice = '(src net 2001:db8::/48 and dst port 80) or (src net 2001:db8::/48 and dst port 443)'
  const warned = (text: string, options: PcapOptions) => {
    const { value } = pcapFilter.parse(named(text))
    return pcapFilter.lower(value!, options).diagnostics.map(({ code }) => code)
  }

  /** IPv6, TCP. */
  function segment(port: number): Uint8Array {
    const packet = new Uint8Array(60)
    packet.set([0x60, 0, 0, 0, 0, 20, 6, 64, 0x20, 1, 0xd, 0xb8])
    packet.set([port >> 8, port & 255], 42)
    return packet
  }

  test('packets are missed, and a warning tells', () => {
    expect(warned(twice, { link: 'RAW' })).toEqual(['rules/optimizer'])
    const filter = lowered(twice, { link: 'RAW' })
    expect([80, 443].map((port) => evaluate(filter, segment(port)).decision)).toEqual(['pass', 'drop'])
    const once = lowered('src net 2001:db8::/48 and (dst port 80 or dst port 443)', { link: 'RAW' })
    expect([80, 443].map((port) => evaluate(once, segment(port)).decision)).toEqual(['pass', 'pass'])
  })

  test('nothing is left that can match', () => {
    const { value } = pcapFilter.parse(named('ip dst net 0.0.0.0/8 and ip dst net 0.0.0.0/8'))
    const [first] = pcapFilter.lower(value!, {}).diagnostics
    expect(first).toMatchObject({ code: 'rules/never', hint: expect.stringContaining('mistaken') })
  })

  test('other ways lead to the second: it is not told', () => {
    for (const link of ['RAW', 'EN10MB'] as const)
      expect(warned('dst net 0.0.0.0/8 and dst net 0.0.0.0/8', { link })).toEqual([])
    // Of fragments and of Ethernet's group bit libpcap writes the one instruction itself.
    expect(warned('(ether multicast and tcp dst port 80) or (ether multicast and tcp dst port 443)', {})).toEqual([])
  })
})

describe('size', () => {
  const many = (count: number, each: (i: number) => string, join: string) =>
    Array.from({ length: count }, (_, i) => each(i)).join(join)
  const host = (i: number) => `host 10.0.${i >> 8}.${i & 255}`

  test('a long expression is read in time', () => {
    expect(predicate(many(2000, host, ' or '))).toBeDefined()
    expect(predicate(many(900, (i) => `port ${i} ${i % 2 ? 'and' : 'or'}`, ' ').concat(' tcp'))).toBeDefined()
  })

  /** Ethernet, IPv4 without options, TCP. */
  function segment(source: number, destination: number, port: number): Uint8Array {
    const frame = new Uint8Array(60)
    frame.set([8, 0, 0x45], 12)
    frame.set([6, 0, 0, 10, 0, source >> 8, source & 255, 10, 0, destination >> 8, destination & 255], 23)
    frame.set([0, 7, port >> 8, port & 255], 34)
    return frame
  }

  test.each([
    ['hosts', host, (_: number, to: number) => to],
    ['ports', (i: number) => `tcp dst port ${i}`, (port: number) => port],
    ['nets', (i: number) => `dst net 10.0.${i >> 8}.${i & 255}/32`, (_: number, to: number) => to],
    ['ports either way', (i: number) => `port ${i}`, (port: number) => port],
  ])('a list of %s is one of ranges, however long', (_, each, asked) => {
    for (const count of [20, 300, 900]) {
      // Every other value, so that no two are one range.
      const filter = lowered(many(count, (i) => each(100 + 2 * i), ' or '))
      const step = filter.chains[0]!.rules[0]!.steps[0]!
      const tests = step.kind === 'match' ? [...predsIn(step.pred)] : []
      expect(tests.length).toBeLessThan(24)
      expect(tests.some((pred) => pred.kind === 'in' && pred.ranges.length === count)).toBe(true)
      for (let value = 96; value < 106; value++) {
        for (const at of [value, value + 2 * count - 6]) {
          const frame = segment(9, at, at)
          const holds = asked(at, at) % 2 === 0 && at >= 100 && at < 100 + 2 * count
          expect(evaluate(filter, frame).decision, `${count} ${at}`).toBe(holds ? 'pass' : 'drop')
        }
      }
    }
  })

  test('nets of several lengths are ranges, with what lies in others joined', () => {
    const filter = lowered(
      `${many(40, (i) => `src net 10.${i}.0.0/16`, ' or ')} or src net 10.0.0.0/24 or src net 11.0.0.0/8`,
    )
    expect(print(filter)).toContain('ipv4.src in {10.0.0.0-10.39.255.255, 11.0.0.0-11.255.255.255}')
  })

  test.each([
    ['parentheses', `${'('.repeat(5000)}tcp${')'.repeat(5000)}`, 'rules/syntax'],
    ['negations', `${'not '.repeat(5000)}tcp`, 'rules/syntax'],
    ['operators', `len = ${many(3000, String, ' + ')}`, 'rules/syntax'],
    ['indices', `${'ip['.repeat(5000)}0${']'.repeat(5000)} = 1`, 'rules/syntax'],
    [
      'changes of and and or',
      many(3000, (i) => `port ${i} ${i % 2 ? 'and' : 'or'}`, ' ').concat(' tcp'),
      'rules/too-long',
    ],
    ['tunnels', many(5, () => 'geneve', ' and '), 'rules/unsupported'],
  ])('too many %s are refused', (_, text, code) => {
    expect(refused(text).code).toBe(code)
  })
})

test.each([
  ['tcp[0', "the end of the expression where ']' should be"],
  ['tcp[0)', "`)` where ']' should be"],
  ['(tcp', "the end of the expression where ')' should close a parenthesis"],
])('%s: %s', (text, message) => {
  expect(pcapFilter.parse(named(text)).diagnostics.map((each) => each.message)).toEqual([message])
})
