import { Diagnostics, render, source } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'
import {
  etherType,
  nearest,
  networkPrefix,
  parseNumber,
  protocolName,
  protocolNumber,
  readAddress,
  readIpProtocol,
  readNetwork,
  readNumber,
  readPort,
  readPortRange,
  serviceName,
  servicePort,
  splitAll,
  type Word,
} from '../src/shared/index.ts'

const word = (text: string): Word => ({
  text,
  span: { source: source('rule', `x ${text}`), start: 2, end: 2 + text.length },
})

/** The value of a reader, or `code column message` of its complaint. */
function told(read: (word: Word, diagnostics: Diagnostics) => unknown, text: string): unknown {
  const diagnostics = new Diagnostics()
  const value = read(word(text), diagnostics)
  const [first] = diagnostics.list
  return first ? `${first.code} ${first.span!.start - 2}..${first.span!.end - 2}: ${first.message}` : value
}

test.each([
  ['http', undefined, 80],
  ['www', 'tcp', 80],
  ['domain', 'udp', 53],
  ['fsp', undefined, 21],
  ['fsp', 'tcp', undefined],
  ['Http', undefined, undefined],
])('service %s of %s is %s', (name, transport, port) => {
  expect(servicePort(name, transport)).toBe(port)
})

test('names of numbers, and numbers of names', () => {
  expect(serviceName(21, 'tcp')).toBe('ftp')
  expect(protocolNumber('TCP')).toBe(6)
  expect(protocolNumber('IPv6-ICMP')).toBe(58)
  expect(protocolNumber('ospf')).toBe(89)
  expect(protocolName(0)).toBe('ip')
  expect(etherType('802.1q')).toBe(0x8100)
  expect(etherType('IP6')).toBe(0x86dd)
  expect(nearest('tpc', ['udp', 'tcp'])).toBe('tcp')
  expect(nearest('zebra', ['udp', 'tcp'])).toBeUndefined()
})

test.each([
  ['80', false, 80n],
  ['0x50', false, 80n],
  ['010', false, 10n],
  ['010', true, 8n],
  ['09', true, undefined],
  ['', false, undefined],
  ['-1', false, undefined],
  ['1e3', false, undefined],
])('number %j (octal %s) is %s', (text, octal, value) => {
  expect(parseNumber(text, octal)).toBe(value)
})

describe('what readers say', () => {
  const number = (w: Word, d: Diagnostics) => readNumber(w, { max: 255, what: 'a TTL' }, d)
  const port = (w: Word, d: Diagnostics) => readPort(w, d, { transport: 'tcp' })
  const ports = (w: Word, d: Diagnostics) => readPortRange(w, d, { separator: ':', open: true })
  const dashed = (w: Word, d: Diagnostics) => readPortRange(w, d, { separator: '-' })
  const v4 = (w: Word, d: Diagnostics) => readAddress(w, d, 'ipv4')
  const net = (w: Word, d: Diagnostics) => readNetwork(w, d)
  test.each([
    [number, '64', 64n],
    [number, '300', 'rules/number 0..3: 300 is above 255'],
    [number, 'x', 'rules/number 0..1: `x` is not a number'],
    [port, '70000', 'rules/port 0..5: port 70000 is above 65535'],
    [port, 'ssh', 22n],
    [port, 'fsp', 'rules/port 0..3: `fsp` is neither a port nor a known service'],
    [ports, '1:', { lo: 1n, hi: 65535n }],
    [ports, ':', { lo: 0n, hi: 65535n }],
    [ports, 'http:443', { lo: 80n, hi: 443n }],
    [ports, '9:8', 'rules/range 0..3: the range 9:8 ends before it starts'],
    [ports, '1:70000', 'rules/port 2..7: port 70000 is above 65535'],
    [ports, '', 'rules/port 0..0: `` is neither a port nor a known service'],
    [dashed, 'ftp-data', { lo: 20n, hi: 20n }],
    [dashed, '80-90', { lo: 80n, hi: 90n }],
    [dashed, '80-', 'rules/port 3..3: `` is neither a port nor a known service'],
    [readIpProtocol, 'udp', 17n],
    [readIpProtocol, '256', 'rules/protocol 0..3: IP protocol 256 is above 255'],
    [v4, '10.0.300.1', 'rules/address 5..8: 300 is above 255, in the address 10.0.300.1'],
    [v4, '010.0.0.1', 'rules/address 0..3: 010 has a leading zero, which some tools read as octal'],
    [v4, '::1', 'rules/address 0..3: ::1 is an IPv6 address, not an IPv4 one'],
    [v4, 'localhost', 'rules/address 0..9: `localhost` is not an IP address'],
    [net, '10.0.0.1/33', 'rules/prefix 9..11: a prefix of 33 bits does not fit 32'],
    [net, '10.0.0.1/x', 'rules/prefix 9..10: `x` is not a mask'],
    [net, '10.0.0.7/255.0.0.255', { family: 'ipv4', value: 0x0a000007n, mask: 0xff0000ffn }],
  ])('%s %j', (read, text, expected) => {
    expect(told(read, text)).toEqual(expected)
  })

  test('a message shows the line and a caret under the fault', () => {
    const diagnostics = new Diagnostics()
    readNetwork(word('10.0.0.1/33'), diagnostics)
    expect(render(diagnostics.list[0]!)).toBe(
      [
        'rule:1:12: error: a prefix of 33 bits does not fit 32 [rules/prefix]',
        '    x 10.0.0.1/33',
        '               ^^',
        '  expected a prefix length from 0 to 32',
      ].join('\n'),
    )
  })
})

test('prefix lengths and word parts', () => {
  const diagnostics = new Diagnostics()
  expect(networkPrefix(readNetwork(word('2001:db8::/32'), diagnostics)!)).toBe(32)
  expect(networkPrefix(readNetwork(word('1.2.3.4'), diagnostics)!)).toBe(32)
  expect(networkPrefix(readNetwork(word('1.2.3.4/0.0.0.255'), diagnostics)!)).toBeUndefined()
  expect(splitAll(word('a,bc,'), ',').map((each) => [each.text, each.span.start, each.span.end])).toEqual([
    ['a', 2, 3],
    ['bc', 4, 6],
    ['', 7, 7],
  ])
})
