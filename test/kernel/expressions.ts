// Pcap expressions at random: primitives of every kind with values that occur in the captures, joined, negated, put in parentheses,
// followed by bare identifiers; and the same with a word taken out, doubled or exchanged, most of which nobody accepts.

import fc from 'fast-check'

const pick = (...texts: readonly string[]) => fc.constantFrom(...texts)
const word = (text: string) => fc.constant(text)
const maybe = (part: fc.Arbitrary<string>) => fc.oneof({ weight: 2, arbitrary: word('') }, part)
/** Parts with a blank between those that are there. */
const phrase = (...parts: readonly fc.Arbitrary<string>[]) =>
  fc.tuple(...parts).map((texts) => texts.filter((text) => text !== '').join(' '))
const tight = (...parts: readonly fc.Arbitrary<string>[]) => fc.tuple(...parts).map((texts) => texts.join(''))
const number = (max: number) => fc.nat(max).map(String)

const NUMBER = fc.oneof(
  number(255),
  number(65535),
  pick('0', '1', '2', '4', '6', '14', '17', '0x800', '0x86dd', '1500', '0xff', '07', '4294967295'),
)
const PORT = fc.oneof(
  number(65535),
  pick('80', '443', '53', '22', '1024', '4789', '6081', '0', '65535', 'http', 'https', 'domain', 'ssh', 'ftp', 'tftp'),
)
const IP4 = pick('10.0.0.1', '10.0.0.2', '192.168.1.1', '192.0.2.1', '224.0.0.1', '255.255.255.255', '0.0.0.0')
const IP6 = pick('2001:db8::1', '2001:db8::2', 'fe80::1', '::1', 'ff02::1', '::', '::ffff:10.0.0.1', 'fe80::ff:fe00:1')
const NET4 = pick(
  '10.0.0.0/8',
  '10',
  '10.0',
  '192.168',
  '192.168.1.0/24',
  '10.0.0.0 mask 255.0.0.0',
  '224.0.0.0/4',
  '0.0.0.0/0',
  '172.16',
  '10.1.1.1/8',
  '10.0.0.1/32',
  '10.0.0.0/33', // biome-ignore format: one list
)
const NET6 = pick('2001:db8::/32', 'fe80::/10', '::/0', '2001:db8::1/128', 'ff00::/8', '2001:db8::1/32')
const MAC = pick('02:00:00:00:00:01', '02:00:00:00:00:02', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '2-0-0-0-0-1')
const DIR = pick('src', 'dst', 'src or dst', 'src and dst', 'dst or src')
const ALONE = pick(
  'ip',
  'ip6',
  'arp',
  'rarp',
  'tcp',
  'udp',
  'sctp',
  'icmp',
  'icmp6',
  'igmp',
  'igrp',
  'pim',
  'vrrp',
  'carp',
  'ah',
  'esp',
  'atalk',
  'aarp',
  'decnet',
  'lat',
  'sca',
  'moprc',
  'mopdl',
  'iso',
  'esis',
  'isis',
  'clnp',
  'stp',
  'ipx',
  'netbeui',
  'l1',
  'l2',
  'iih',
  'lsp',
  'snp',
  'csnp',
  'psnp',
  'broadcast',
  'multicast',
  'ether broadcast',
  'ether multicast',
  'ip broadcast',
  'ip multicast',
  'ip6 multicast',
  'inbound',
  'outbound', // biome-ignore format: one list
)
const CARRIER = pick('tcp', 'udp', 'sctp')
const FAMILY = pick('ip', 'ip6', 'arp', 'rarp', 'tcp', 'udp', 'icmp')

const PROTO = fc.oneof(
  phrase(maybe(pick('ip', 'ip6', 'ether', 'iso', 'isis')), word('proto'), fc.oneof(NUMBER, pick('\\tcp', '\\udp', '\\icmp', '\\ip', '\\arp', '\\stp', '\\clnp', '6', '17', '58', '44'))), // biome-ignore format: one kind
  phrase(maybe(pick('ip', 'ip6')), word('protochain'), pick('6', '17', '58', '\\udp', '51', '0', '44', '59')),
)
const ENCAPSULATION = fc.oneof(
  phrase(pick('vlan', 'mpls', 'pppoes', 'geneve'), maybe(fc.oneof(number(20), number(5000)))),
  word('pppoed'),
)
const LLC = phrase(word('llc'), maybe(pick('i', 's', 'u', 'rr', 'rnr', 'rej', 'ui', 'ua', 'disc', 'sabme', 'test', 'xid', 'frmr'))) // biome-ignore format: one kind

const HEADER = pick('ether', 'link', 'ip', 'ip6', 'arp', 'tcp', 'udp', 'icmp', 'icmp6', 'igmp', 'sctp', 'rarp', 'pim')
const SIZE = pick('', '', '', ':1', ':2', ':4')
const CONSTANT = pick('tcpflags', 'icmptype', 'icmp6type', 'tcp-syn', 'tcp-ack', 'icmp-echo', 'icmp6-echo')
const accessor = fc.oneof(
  tight(HEADER, word('['), fc.oneof({ weight: 4, arbitrary: number(60) }, CONSTANT, word('len')), SIZE, word(']')),
  tight(HEADER, word('[('), HEADER, pick('[0]&0xf)<<2', '[12]>>2)', '[0]&3)'), SIZE, word(']')),
)
const factor: fc.Arbitrary<string> = fc.oneof({ weight: 3, arbitrary: accessor }, word('len'), NUMBER, CONSTANT)
const sum = fc.oneof(
  { weight: 3, arbitrary: factor },
  phrase(factor, pick('&', '|', '+', '-', '*', '/', '%', '^', '<<', '>>'), factor),
  phrase(word('('), factor, pick('&', '+', '>>'), NUMBER, word(')'), pick('&', '|', '+', '<<'), factor),
)
const RELATION = phrase(sum, pick('=', '==', '!=', '<', '<=', '>', '>='), sum)
const COMMON_RELATION = pick(
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
  'tcp[13] & 2 != 0',
  'icmp[icmptype] = icmp-echo',
  'icmp6[0] = 135',
  'ip[0] & 0xf != 5',
  'ip[6:2] & 0x1fff = 0',
  'ip6[6] = 44',
  'ether[0] & 1 = 0',
  'ip[2:2] > 576',
  'tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420',
  'len > 100', // biome-ignore format: one list
)

const ADDRESS = fc.oneof(
  phrase(maybe(FAMILY), maybe(DIR), word('host'), IP4),
  phrase(maybe(FAMILY), maybe(DIR), word('net'), fc.oneof(NET4, NET6)),
  phrase(maybe(word('ip6')), maybe(DIR), word('host'), IP6),
  phrase(DIR, fc.oneof(IP4, IP6)),
  phrase(word('ether'), maybe(DIR), word('host'), MAC),
  phrase(word('ether'), DIR, MAC),
  phrase(word('decnet'), maybe(DIR), word('host'), pick('10.15', '1.2', '1027')),
)
const PORTS = fc.oneof(
  phrase(maybe(CARRIER), maybe(DIR), word('port'), PORT),
  phrase(maybe(CARRIER), maybe(DIR), word('portrange'), fc.oneof(pick('1-1023', '80-90', '90-80', '1024-65535', 'ftp-http', '53'), tight(number(65535), word('-'), number(65535)))), // biome-ignore format: one kind
)
const SIZES = phrase(pick('less', 'greater'), fc.oneof(number(200), number(1500)))

const primitive: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: ALONE },
  { weight: 5, arbitrary: ADDRESS },
  { weight: 5, arbitrary: PORTS },
  { weight: 2, arbitrary: PROTO },
  { weight: 2, arbitrary: ENCAPSULATION },
  { weight: 1, arbitrary: LLC },
  { weight: 3, arbitrary: RELATION },
  { weight: 2, arbitrary: COMMON_RELATION },
  { weight: 1, arbitrary: SIZES },
)
const bare = fc.oneof(PORT, IP4, NUMBER)
const not = pick('', '', '', '', '', '', 'not ', 'not ', '!', 'not not ')
const operand = fc.oneof(
  { weight: 6, arbitrary: tight(not, primitive) },
  { weight: 2, arbitrary: tight(not, word('('), primitive, pick(' and ', ' or '), not, primitive, word(')')) },
  { weight: 1, arbitrary: phrase(PORTS, pick('or', 'and'), bare) },
)
const expression = fc
  .tuple(operand, fc.array(fc.tuple(pick(' and ', ' or ', ' && ', ' || '), operand), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.map(([join, next]) => join + next).join(''))

/** The same with one word out, twice, or another instead. */
const spoiled = fc
  .tuple(expression, fc.nat(), fc.nat(2), fc.oneof(primitive, bare, pick('and', 'or', '(', ')', 'port', 'host', 'src')))
  .map(([text, at, how, other]) => {
    // biome-ignore format: one kind
    const words = text.split(' ')
    const i = at % words.length
    words.splice(i, 1, ...(how === 0 ? [] : how === 1 ? [words[i]!, words[i]!] : [other]))
    return words.join(' ')
  })

/** `count` different expressions, the same for the same seed. */
export function expressions(count: number, seed: number): readonly string[] {
  const any = fc.oneof({ weight: 5, arbitrary: expression }, spoiled)
  const out = new Set<string>()
  for (let round = 0; out.size < count; round++)
    for (const text of fc.sample(any, { numRuns: count, seed: seed + round })) if (out.size < count) out.add(text)
  return [...out]
}

const byte = number(255)
const near = (...parts: readonly fc.Arbitrary<string>[]) =>
  tight(...parts.flatMap((part, i) => (i > 0 ? [word('.'), part] : [part])))
/** Values of which some are in the captures, and the words that may stand before them. */
const LISTED: readonly (readonly [fc.Arbitrary<string>, fc.Arbitrary<string>])[] = [
  [
    pick('host', 'src host', 'dst host', 'ip host', 'arp host', 'src or dst host'),
    fc.oneof(IP4, near(word('10'), word('0'), word('0'), byte)),
  ],
  [
    pick('net', 'src net', 'dst net'),
    fc.oneof(NET4, near(word('10'), byte, word('0'), word('0/16')), near(word('192.168'), byte, word('0/24'))),
  ],
  [pick('port', 'tcp port', 'tcp dst port', 'udp src port', 'src port'), fc.oneof(PORT, number(1500))],
  [pick('host', 'ip6 src host'), fc.oneof(IP6, tight(word('2001:db8::'), number(99)))],
  [pick('ip proto', 'ip6 proto', 'ether proto'), number(140)],
]

/** Long lists of alternatives, up to three of them joined. @param most values of a list */
export function lists(count: number, seed: number, most: number): readonly string[] {
  const list = fc
    .constantFrom(...LISTED)
    .chain(([words, value]) => fc.tuple(words, fc.array(value, { minLength: 3, maxLength: most, size: 'max' })))
    .map(([word, values]) => values.map((value) => `${word} ${value}`).join(' or '))
  const part = fc.tuple(pick('', '', '', 'not '), list).map(([not, each]) => `${not}(${each})`)
  const whole = fc
    .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), pick(' or ', ' or ', ' and '))
    .map(([parts, by]) => parts.join(by))
  return fc.sample(whole, { numRuns: count, seed })
}
