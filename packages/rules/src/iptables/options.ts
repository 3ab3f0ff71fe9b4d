// The words of iptables 1.8.9: options of the program, of the matches that are understood, and the names of those that are not.
// Sources: iptables(8), iptables-extensions(8), and what the programs answer.

import type { IpFamily } from '../shared/index.ts'
import type { PortModule } from './ast.ts'
import { HEADER_OPTIONS } from './headers.ts'

/** What an option takes and is. */
export interface OptionRow {
  /** The long name; further ones of the same meaning follow. */
  readonly names: readonly [string, ...string[]]
  readonly letter?: string
  readonly min: number
  readonly max: number
  readonly negatable?: true
}

const row = (names: string, min: number, max: number, letter?: string, negatable?: true): OptionRow => ({
  names: names.split(' ') as [string, ...string[]],
  min,
  max,
  ...(letter && { letter }),
  ...(negatable && { negatable }),
})

/** Options of the program itself; the first name is the one the parser asks for. */
export const BASE_OPTIONS: readonly OptionRow[] = [
  row('append', 1, 1, 'A'),
  row('insert', 1, 2, 'I'),
  row('replace', 2, 2, 'R'),
  row('delete', 1, 2, 'D'),
  row('new-chain', 1, 1, 'N'),
  row('delete-chain', 0, 1, 'X'),
  row('flush', 0, 1, 'F'),
  row('zero', 0, 2, 'Z'),
  row('rename-chain', 2, 2, 'E'),
  row('policy', 2, 2, 'P'),
  row('check', 1, 1, 'C'),
  row('list', 0, 2, 'L'),
  row('list-rules', 0, 2, 'S'),
  row('table', 1, 1, 't'),
  row('protocol proto', 1, 1, 'p', true),
  row('source src', 1, 1, 's', true),
  row('destination dst', 1, 1, 'd', true),
  row('in-interface', 1, 1, 'i', true),
  row('out-interface', 1, 1, 'o', true),
  row('fragments', 0, 0, 'f', true),
  row('match', 1, 1, 'm'),
  row('jump', 1, 1, 'j'),
  row('goto', 1, 1, 'g'),
  row('set-counters', 2, 2, 'c'),
  row('ipv4', 0, 0, '4'),
  row('ipv6', 0, 0, '6'),
  row('wait', 0, 1, 'w'),
  row('wait-interval', 0, 1, 'W'),
  row('verbose', 0, 0, 'v'),
  row('numeric', 0, 0, 'n'),
  row('exact', 0, 0, 'x'),
  row('line-numbers', 0, 0),
  row('modprobe', 1, 1, 'M'),
]

const BY_LETTER: ReadonlyMap<string, OptionRow> = new Map(BASE_OPTIONS.flatMap((each) => (each.letter ? [[each.letter, each]] : []))) // biome-ignore format: one map

/** The program's own option of a letter. */
export const optionOfLetter = (letter: string): OptionRow | undefined => BY_LETTER.get(letter)

const NAMED = new WeakMap<readonly OptionRow[], ReadonlyMap<string, OptionRow>>()

/** The first of some options that has a name. */
export function optionOfName(rows: readonly OptionRow[], name: string): OptionRow | undefined {
  let named = NAMED.get(rows)
  if (!named) {
    named = new Map(rows.toReversed().flatMap((each) => each.names.map((own) => [own, each] as const)))
    NAMED.set(rows, named)
  }
  return named.get(name)
}

const PORTS: readonly OptionRow[] = [
  row('sport source-port', 1, 1, undefined, true),
  row('dport destination-port', 1, 1, undefined, true),
]

/** Options of the matches that are understood. */
export const MATCH_OPTIONS: Readonly<Record<string, readonly OptionRow[]>> = {
  tcp: [
    ...PORTS,
    row('tcp-flags', 2, 2, undefined, true),
    row('syn', 0, 0, undefined, true),
    row('tcp-option', 1, 1, undefined, true),
  ],
  udp: PORTS,
  sctp: [...PORTS, row('chunk-types', 2, 2, undefined, true)],
  dccp: [...PORTS, row('dccp-types', 1, 1, undefined, true), row('dccp-option', 1, 1, undefined, true)],
  multiport: [
    row('sports source-ports', 1, 1, undefined, true),
    row('dports destination-ports', 1, 1, undefined, true),
    row('ports', 1, 1, undefined, true),
  ],
  icmp: [row('icmp-type', 1, 1, undefined, true)],
  icmp6: [row('icmpv6-type', 1, 1, undefined, true)],
  comment: [row('comment', 1, 1)],
  state: [row('state', 1, 1, undefined, true)],
  conntrack: [
    ...['ctstate', 'ctproto', 'ctorigsrc', 'ctorigdst', 'ctreplsrc', 'ctrepldst', 'ctorigsrcport', 'ctorigdstport'],
    ...['ctreplsrcport', 'ctrepldstport', 'ctstatus', 'ctexpire'],
  ]
    .map((name) => row(name, 1, 1, undefined, true))
    .concat(row('ctdir', 1, 1)),
  mark: [row('mark', 1, 1, undefined, true)],
  connmark: [row('mark', 1, 1, undefined, true)],
  pkttype: [row('pkt-type', 1, 1, undefined, true)],
  owner: [row('uid-owner', 1, 1, undefined, true), row('gid-owner', 1, 1, undefined, true)],
  mac: [row('mac-source', 1, 1, undefined, true)],
  length: [row('length', 1, 1, undefined, true)],
  cpu: [row('cpu', 1, 1, undefined, true)],
  devgroup: [row('src-group', 1, 1, undefined, true), row('dst-group', 1, 1, undefined, true)],
  realm: [row('realm', 1, 1, undefined, true)],
  u32: [row('u32', 1, 1, undefined, true)],
  nfacct: [row('nfacct-name', 1, 1)],
  ...HEADER_OPTIONS,
  limit: [row('limit', 1, 1), row('limit-burst', 1, 1)],
  hashlimit: [
    row('hashlimit-upto hashlimit', 1, 1, undefined, true),
    ...[
      'above',
      'burst',
      'mode',
      'srcmask',
      'dstmask',
      'name',
      'htable-size',
      'htable-expire',
      'htable-gcinterval',
    ].map((name) => row(`hashlimit-${name}`, 1, 1)),
  ],
  time: [
    ...['timestart', 'timestop', 'datestart', 'datestop'].map((name) => row(name, 1, 1)),
    row('weekdays', 1, 1, undefined, true),
    row('monthdays', 1, 1, undefined, true),
    row('contiguous', 0, 0),
    row('utc', 0, 0),
  ],
  bpf: [row('bytecode', 1, 1)],
  string: [
    row('algo', 1, 1),
    row('string', 1, 1, undefined, true),
    row('hex-string', 1, 1, undefined, true),
    row('from', 1, 1),
    row('to', 1, 1),
    row('icase', 0, 0),
  ],
  connlimit: [
    row('connlimit-above', 1, 1, undefined, true),
    row('connlimit-upto', 1, 1, undefined, true),
    row('connlimit-mask', 1, 1),
    row('connlimit-saddr', 0, 0),
    row('connlimit-daddr', 0, 0),
  ],
  connbytes: [row('connbytes', 1, 1, undefined, true), row('connbytes-mode', 1, 1), row('connbytes-dir', 1, 1)],
  recent: [
    ...['set', 'rcheck', 'update', 'remove'].map((name) => row(name, 0, 0, undefined, true)),
    ...['seconds', 'hitcount', 'name', 'mask'].map((name) => row(name, 1, 1)),
    ...['rttl', 'reap', 'rsource', 'rdest'].map((name) => row(name, 0, 0)),
  ],
  set: [
    row('match-set', 2, 2, undefined, true),
    row('return-nomatch', 0, 0),
    ...['update-counters', 'update-subcounters'].map((name) => row(name, 0, 0, undefined, true)),
    ...['packets', 'bytes'].flatMap((what) => [row(`${what}-eq`, 1, 1, undefined, true), row(`${what}-lt`, 1, 1), row(`${what}-gt`, 1, 1)]), // biome-ignore format: one row
  ],
  physdev: [
    ...['in', 'out'].map((name) => row(`physdev-${name}`, 1, 1, undefined, true)),
    ...['is-in', 'is-out', 'is-bridged'].map((name) => row(`physdev-${name}`, 0, 0, undefined, true)),
  ],
  policy: [
    row('dir', 1, 1),
    row('pol', 1, 1),
    row('strict', 0, 0),
    ...['reqid', 'spi', 'proto', 'mode', 'tunnel-src', 'tunnel-dst'].map((name) => row(name, 1, 1, undefined, true)),
    row('next', 0, 0),
  ],
  cgroup: [row('cgroup', 1, 1, undefined, true)],
  ipv6header: [row('header', 1, 1, undefined, true), row('soft', 0, 0)],
  quota: [row('quota', 1, 1, undefined, true)],
  statistic: [
    row('mode', 1, 1),
    row('every', 1, 1, undefined, true),
    row('packet', 1, 1),
    row('probability', 1, 1, undefined, true),
  ],
}

/** Matches of one family alone, beside those of one header. */
export const ONLY_FAMILY: Readonly<Record<string, IpFamily>> = { ipv6header: 'ipv6' }

/** Matches that may stand without any option; every other needs at least one of its own. */
export const BARE_MATCHES: ReadonlySet<string> = new Set(
  'tcp udp sctp dccp esp ah frag hbh dst rt mh srh rpfilter limit time'.split(' '),
)

/** Options of understood matches that are themselves not. */
export const UNSUPPORTED_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  hashlimit: ['hashlimit-htable-max', 'hashlimit-rate-match', 'hashlimit-rate-interval'],
  frag: ['fraglen'],
  rt: ['rt-0-not-strict'],
  cgroup: ['path'],
  owner: ['socket-exists', 'suppl-groups'],
  addrtype: ['limit-iface-in', 'limit-iface-out'],
  rpfilter: ['loose'],
  time: ['kerneltz', 'localtz'],
  bpf: ['object-pinned'],
}

/** The IP protocol that a match needs (`-p`), by its module's name. */
export const MODULE_PROTOCOL: Readonly<Record<PortModule, bigint>> = { tcp: 6n, udp: 17n, sctp: 132n, dccp: 33n }

/** The matches of ICMP, by the family of the program that has them. */
export const ICMP_MODULE = { ipv4: 'icmp', ipv6: 'icmp6' } as const satisfies Record<IpFamily, string>
export const ICMP_PROTOCOL = { ipv4: 1n, ipv6: 58n } as const satisfies Record<IpFamily, bigint>

const words = (text: string) => new Set(text.trim().split(/\s+/))

/** Matches that iptables has and this front-end does not understand. */
export const UNSUPPORTED_MATCHES = words(`
  cluster connlabel eui64 helper ipcomp ipvs l2tp osf rateest
  socket udplite unclean
  account condition dnetmap fuzzy geoip gradm iface ipp2p ipv4options length2 lscan ndpi pknock psd quota2`)

/** Targets that iptables has and this front-end does not understand. */
export const UNSUPPORTED_TARGETS = words(`
  CLUSTERIP DNAT DNPT HMARK MASQUERADE MIRROR NETMAP QUEUE REDIRECT SNAT SNPT SYNPROXY TPROXY
  ACCOUNT CHAOS DELUDE DHCPMAC ECHO IPMARK LOGMARK RAWNAT STEAL SYSRQ TARPIT`)

/** Built-in chains of each table, and the priority at which the table's chains run at their hooks (uapi netfilter_ipv4.h). */
export const TABLES: Readonly<Record<string, { readonly priority: number; readonly chains: readonly string[] }>> = {
  raw: { priority: -300, chains: ['PREROUTING', 'OUTPUT'] },
  mangle: { priority: -150, chains: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'] },
  nat: { priority: -100, chains: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'] },
  filter: { priority: 0, chains: ['INPUT', 'FORWARD', 'OUTPUT'] },
  security: { priority: 50, chains: ['INPUT', 'FORWARD', 'OUTPUT'] },
}

/** TCP flags of `--tcp-flags`, by bit of the flags byte (RFC 9293). */
export const TCP_FLAGS: Readonly<Record<string, bigint>> = {
  FIN: 1n,
  SYN: 2n,
  RST: 4n,
  PSH: 8n,
  ACK: 16n,
  URG: 32n,
  ALL: 63n,
  NONE: 0n,
}
