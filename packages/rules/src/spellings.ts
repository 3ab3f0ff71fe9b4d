// How each syntax says each field of the field table: read off the words of the syntaxes, so that a table of them, or a message about what a
// syntax cannot say, has no list of its own.

import { FIELDS, type FieldId, type ProtocolName } from '@netsieve/packet'
import { FLOW_TYPES } from './ethtool/words.ts'
import { KEYS, type KeyRow } from './flower/words.ts'
import { TAGS } from './nft/headers.ts'
import { HEADERS } from './nft/words.ts'

export type SpellingSyntax = 'nft' | 'iptables' | 'pcap' | 'flower' | 'ethtool'

/** Words of each syntax for a field, without a value; a syntax that cannot say it is left out. */
export type Spellings = Readonly<Partial<Record<SpellingSyntax, readonly string[]>>>

/** iptables asks for fields by options of its own and of its matches. */
const IPTABLES: Readonly<Partial<Record<FieldId, readonly string[]>>> = {
  'ipv4.src': ['-s', '-m iprange --src-range'],
  'ipv4.dst': ['-d', '-m iprange --dst-range'],
  'ipv6.src': ['-s', '-m iprange --src-range'],
  'ipv6.dst': ['-d', '-m iprange --dst-range'],
  'meta.l4proto': ['-p'],
  'ipv4.fragoff': ['-f'],
  'ipv4.ttl': ['-m ttl --ttl-eq', '-m ttl --ttl-lt', '-m ttl --ttl-gt'],
  'ipv6.hoplimit': ['-m hl --hl-eq', '-m hl --hl-lt', '-m hl --hl-gt'],
  'ipv4.tos': ['-m tos --tos'],
  'ipv6.tclass': ['-m tos --tos'],
  'ipv4.dscp': ['-m dscp --dscp'],
  'ipv6.dscp': ['-m dscp --dscp'],
  'ipv4.ecn': ['-m ecn --ecn-ip-ect'],
  'ipv6.ecn': ['-m ecn --ecn-ip-ect'],
  'tcp.sport': ['-p tcp --sport'],
  'tcp.dport': ['-p tcp --dport'],
  'tcp.flags': ['-p tcp --tcp-flags', '-p tcp --syn'],
  'udp.sport': ['-p udp --sport'],
  'udp.dport': ['-p udp --dport'],
  'sctp.sport': ['-p sctp --sport'],
  'sctp.dport': ['-p sctp --dport'],
  'dccp.sport': ['-p dccp --sport'],
  'dccp.dport': ['-p dccp --dport'],
  'dccp.type': ['-p dccp --dccp-types'],
  'icmp.type': ['-p icmp --icmp-type'],
  'icmp6.type': ['-p icmpv6 --icmpv6-type'],
  'ah.spi': ['-p ah --ahspi'],
  'ah6.spi': ['-m ah --ahspi'],
  'ah6.length': ['-m ah --ahlen'],
  'ah6.reserved': ['-m ah --ahres'],
  'esp.spi': ['-p esp --espspi'],
  'fragment.id': ['-m frag --fragid'],
  'fragment.fragoff': ['-m frag --fragfirst'],
  'fragment.mf': ['-m frag --fragmore', '-m frag --fraglast'],
  'fragment.reserved': ['-m frag --fragres'],
  'hopopt.length': ['-m hbh --hbh-len'],
  'dstopts.length': ['-m dst --dst-len'],
  'routing.type': ['-m rt --rt-type'],
  'routing.left': ['-m rt --rt-segsleft'],
  'routing.length': ['-m rt --rt-len'],
  'eth.src': ['-m mac --mac-source'],
  'meta.length': ['-m length --length'],
  'tcp_maxseg.size': ['-p tcp -m tcpmss --mss'],
  'meta.random': ['-m statistic --mode random'],
  'fib.saddr.type': ['-m addrtype --src-type'],
  'fib.daddr.type': ['-m addrtype --dst-type'],
  'fib.reverse': ['-m rpfilter'],
}

/** Headers whose bytes an expression of libpcap can index. */
const PCAP: Readonly<Partial<Record<ProtocolName, string>>> = {
  eth: 'ether',
  arp: 'arp',
  ipv4: 'ip',
  ipv6: 'ip6',
  tcp: 'tcp',
  udp: 'udp',
  sctp: 'sctp',
  icmp: 'icmp',
  icmp6: 'icmp6',
  igmp: 'igmp',
}

/** `tcp[13]`, `ip[6:2] & 0x1fff`: the bytes of a field that is in at most four of them. */
function indexed(id: FieldId): string[] {
  const { proto, bit, bits } = FIELDS[id]
  const word = PCAP[proto]
  const first = bit >> 3
  const bytes = ((bit + bits + 7) >> 3) - first
  if (word === undefined || (bytes !== 1 && bytes !== 2 && bytes !== 4)) return []
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt((first + bytes) * 8 - bit - bits)
  const all = (1n << BigInt(bytes * 8)) - 1n
  return [`${word}[${first}${bytes > 1 ? `:${bytes}` : ''}]${mask === all ? '' : ` & 0x${mask.toString(16)}`}`]
}

function build(): ReadonlyMap<FieldId, Spellings> {
  const out = new Map<FieldId, Partial<Record<SpellingSyntax, string[]>>>()
  const add = (id: FieldId, syntax: SpellingSyntax, words: string): void => {
    const row = out.get(id) ?? {}
    out.set(id, row)
    const known = row[syntax] ?? []
    if (!known.includes(words)) row[syntax] = [...known, words]
  }
  for (const [head, fields] of Object.entries(HEADERS))
    for (const [name, { field }] of Object.entries(fields)) add(field, 'nft', `${head} ${name}`)
  for (const [depth, tag] of TAGS.entries())
    for (const [name, { field }] of Object.entries(tag))
      add(field, 'nft', `${'vlan type 8021q '.repeat(depth)}vlan ${name}`)
  for (const [id, words] of Object.entries(IPTABLES)) for (const each of words) add(id as FieldId, 'iptables', each)
  for (const id of Object.keys(FIELDS) as FieldId[]) for (const words of indexed(id)) add(id, 'pcap', words)
  for (const [key, row] of Object.entries<KeyRow>(KEYS))
    for (const id of typeof row.field === 'object' ? Object.values(row.field) : row.field ? [row.field] : [])
      add(id, 'flower', key)
  for (const { fields } of Object.values(FLOW_TYPES))
    for (const [word, { field }] of Object.entries(fields)) add(field, 'ethtool', word)
  return out
}

let table: ReadonlyMap<FieldId, Spellings> | undefined

/** How each syntax says a field. */
export function spellingsOf(id: FieldId): Spellings {
  table ??= build()
  return table.get(id) ?? {}
}
