// How each tool sees a packet: the semantic profiles, as data. A view says what is in reach of rules, where headers start, and what a
// field that cannot be loaded does to a rule. The recorded verdicts of the real tools under test/golden back these rows.

import type { ExtensionHeader, ProtocolName } from '@netsieve/packet'

export interface View {
  readonly title: string
  /**
   * 802.1Q / 802.1ad tags between Ethernet and network header. `opaque`: the tag's type is the network protocol.
   * `priority`: tags with VLAN id 0 are taken off, a frame with another tag is not seen. `first`: the outermost tag is taken off, whatever
   * its id (as the kernel's receive path does before ingress hooks), `two`: so is the one inside. `fixed`: the network header is at byte 14 whatever the type says.
   * `beside`: the outermost tag lies beside the packet: its type is the network protocol, and the network header follows it.
   */
  readonly tags: 'opaque' | 'priority' | 'first' | 'two' | 'fixed' | 'beside'
  /** `frames`: every frame is asked about. `ip`: only IPv4 and IPv6 packets that the IP layer accepts (version, lengths). */
  readonly reach: 'frames' | 'ip'
  /** Loads at the network and transport headers end where the IP packet ends, not where the frame does. */
  readonly trim: boolean
  /** What must hold of an IP header for its transport header to be located: nothing (`trust`), ihl ≥ 5 (`ihl`), version and lengths too (`checked`). */
  readonly header: 'trust' | 'ihl' | 'checked'
  /** Network fields: what bytes there are (`bytes`), or nothing unless the whole fixed header is there and passes `header` (`header`). */
  readonly netNeeds: 'bytes' | 'header'
  /** Walked headers; empty: the transport header follows the fixed IPv6 header. */
  readonly ipv6Walk: readonly ExtensionHeader[]
  /** An IPv6 header chain that cannot be followed drops the packet when its transport protocol is asked for (xt's hotdrop). */
  readonly chainDrops: boolean
  /**
   * Transport fields of packets with a fragment offset: not there (`none`), read from the payload (`read`), or read if they are short: 1, 2 or 4
   * aligned bytes (`short`, the quick path of nft's payload expression; of IPv6 it reads the IPv6 header itself).
   */
  readonly laterFragments: 'none' | 'read' | 'short'
  /** Transport fields of first fragments (offset 0, more to come). */
  readonly firstFragments: 'none' | 'read'
  /** What must be present for a transport field to be loaded: its own bytes, or its protocol's whole fixed header. */
  readonly transportNeeds: 'field' | 'header'
  /** What a field that is not there does: its rule does not match, the whole program ends as its policy has it (`reject`), or the field reads as 0. */
  readonly missing: 'rule' | 'reject' | 'zero'
  /** How lists of options, extension headers and chunks are searched. */
  readonly lists: ListView
  /** Protocols whose cut header drops the packet, matching or not (xt's hotdrop); needs `transportNeeds: header`. */
  readonly cutDrops: readonly ProtocolName[]
  /** Protocols that a fragment offset of 1 (8 bytes) drops. */
  readonly tinyDrops: readonly ProtocolName[]
}

/** What a search in a list makes of lists that are not as they should be. */
export interface ListView {
  /** An end-of-options option ends the list; else it is stepped over like a no-operation. */
  readonly end: boolean
  /** A length of 0 or 1 ends the list; else 0 is stepped over by a byte, and 1 is a length. */
  readonly badLength: 'end' | 'step'
  /** The type in the last byte of the options counts, though no length can follow it. */
  readonly lastByte: boolean
  /** An option that runs past the end of the list is not found. */
  readonly whole: boolean
  /** The options of IPv4 are searched as they are (`walk`), or only if all of them pass the kernel's own checks (`checked`). */
  readonly ipv4: 'walk' | 'checked'
  /** Chunks are looked for in fragments with an offset too: what is there is taken for them. */
  readonly fragments: boolean
  /** A list that is not all there, or whose header says a wrong length, drops the packet (xt's hotdrop). */
  readonly drops: boolean
}

/** As the RFCs have it. */
const RFC_LISTS: ListView = {
  end: true,
  badLength: 'end',
  lastByte: true,
  whole: true,
  ipv4: 'walk',
  fragments: false,
  drops: false,
}
const NFT_LISTS: ListView = {
  end: false,
  badLength: 'step',
  lastByte: false,
  whole: true,
  ipv4: 'checked',
  fragments: true,
  drops: false,
}
const XT_LISTS: ListView = {
  end: false,
  badLength: 'step',
  lastByte: true,
  whole: false,
  ipv4: 'walk',
  fragments: false,
  drops: true,
}

const WALK: readonly ExtensionHeader[] = ['hopopt', 'routing', 'dstopts', 'fragment']

/** A flow dissector that takes no tag off. */
const FLOWER = {
  title: "tc flower by Linux 6.18's flow dissector",
  tags: 'opaque',
  reach: 'frames',
  trim: false,
  header: 'ihl',
  netNeeds: 'header',
  ipv6Walk: WALK,
  chainDrops: false,
  laterFragments: 'none',
  firstFragments: 'none',
  transportNeeds: 'header',
  lists: RFC_LISTS,
  missing: 'zero',
  cutDrops: [],
  tinyDrops: [],
} as const satisfies View

/** The xt match modules ask for the whole header of these, and drop what is cut. */
const XT_MODULES: readonly ProtocolName[] = [
  'th',
  'tcp',
  'udp',
  'udplite',
  'sctp',
  'dccp',
  'icmp',
  'icmp6',
  'ah',
  'esp',
]

const XT_IP = {
  title: 'iptables-legacy at the IP hooks of Linux 6.18',
  tags: 'priority',
  reach: 'ip',
  trim: true,
  header: 'checked',
  netNeeds: 'bytes',
  ipv6Walk: [...WALK, 'ah'],
  chainDrops: true,
  laterFragments: 'none',
  firstFragments: 'read',
  transportNeeds: 'header',
  lists: XT_LISTS,
  missing: 'rule',
  cutDrops: XT_MODULES,
  tinyDrops: ['tcp'],
} as const satisfies View

const XT_COMPAT = {
  title: 'xt matches called by nft (nft_compat) on Linux 6.18: nft finds the headers, the match reads them',
  tags: 'priority',
  reach: 'ip',
  trim: true,
  header: 'checked',
  netNeeds: 'bytes',
  ipv6Walk: WALK,
  chainDrops: false,
  laterFragments: 'none',
  firstFragments: 'read',
  transportNeeds: 'header',
  lists: XT_LISTS,
  missing: 'rule',
  cutDrops: XT_MODULES,
  tinyDrops: ['tcp'],
} as const satisfies View

/** A list that is not all there has no such entry. */
const MILD_LISTS: ListView = { ...XT_LISTS, drops: false }

export const VIEWS = {
  'nft-ip': {
    title: 'nft at the IP hooks of Linux 6.18',
    tags: 'priority',
    reach: 'ip',
    trim: true,
    header: 'checked',
    netNeeds: 'bytes',
    ipv6Walk: WALK,
    chainDrops: false,
    laterFragments: 'short',
    firstFragments: 'read',
    transportNeeds: 'field',
    lists: NFT_LISTS,
    missing: 'rule',
    cutDrops: [],
    tinyDrops: [],
  },
  'nft-netdev': {
    title: 'nft at netdev ingress of Linux 6.18',
    tags: 'first',
    reach: 'frames',
    trim: false,
    header: 'checked',
    netNeeds: 'bytes',
    ipv6Walk: WALK,
    chainDrops: false,
    laterFragments: 'short',
    firstFragments: 'read',
    transportNeeds: 'field',
    lists: NFT_LISTS,
    missing: 'rule',
    cutDrops: [],
    tinyDrops: [],
  },
  // From the kernel's source, whose later versions end a rule (NFT_BREAK) that loads the transport header of a fragment: no recorded verdicts.
  'nft-ip-fragfix': {
    title: 'nft at the IP hooks of kernels whose quick path minds fragments',
    tags: 'priority',
    reach: 'ip',
    trim: true,
    header: 'checked',
    netNeeds: 'bytes',
    ipv6Walk: WALK,
    chainDrops: false,
    laterFragments: 'none',
    firstFragments: 'read',
    transportNeeds: 'field',
    lists: NFT_LISTS,
    missing: 'rule',
    cutDrops: [],
    tinyDrops: [],
  },
  'nft-netdev-fragfix': {
    title: 'nft at netdev ingress of kernels whose quick path minds fragments',
    tags: 'first',
    reach: 'frames',
    trim: false,
    header: 'checked',
    netNeeds: 'bytes',
    ipv6Walk: WALK,
    chainDrops: false,
    laterFragments: 'none',
    firstFragments: 'read',
    transportNeeds: 'field',
    lists: NFT_LISTS,
    missing: 'rule',
    cutDrops: [],
    tinyDrops: [],
  },
  'xt-ip': XT_IP,
  'xt-ip-mild': { ...XT_IP, title: `${XT_IP.title}: matches that drop no packet for what it has`, lists: MILD_LISTS },
  'xt-compat': XT_COMPAT,
  'xt-compat-mild': {
    ...XT_COMPAT,
    title: `${XT_COMPAT.title}: those that drop no packet for what it has`,
    lists: MILD_LISTS,
  },
  pcap: {
    title: 'libpcap 1.10 on a capture file',
    tags: 'fixed',
    reach: 'frames',
    trim: false,
    header: 'trust',
    netNeeds: 'bytes',
    ipv6Walk: [],
    chainDrops: false,
    laterFragments: 'read',
    firstFragments: 'read',
    transportNeeds: 'field',
    lists: RFC_LISTS,
    missing: 'reject',
    cutDrops: [],
    tinyDrops: [],
  },
  flower: FLOWER,
  'flower-tags': { ...FLOWER, title: `${FLOWER.title}, where filters ask for what is behind tags`, tags: 'two' },
  ethtool: {
    title: 'an ideal receive-filter hardware',
    tags: 'first',
    reach: 'frames',
    trim: false,
    header: 'checked',
    netNeeds: 'header',
    ipv6Walk: [],
    chainDrops: false,
    laterFragments: 'none',
    firstFragments: 'none',
    transportNeeds: 'field',
    lists: RFC_LISTS,
    missing: 'rule',
    cutDrops: [],
    tinyDrops: [],
  },
  u32: {
    title: 'tc u32 of Linux 6.18: words at places',
    tags: 'beside',
    reach: 'frames',
    trim: false,
    header: 'trust',
    netNeeds: 'bytes',
    ipv6Walk: [],
    chainDrops: false,
    laterFragments: 'read',
    firstFragments: 'read',
    transportNeeds: 'field',
    lists: RFC_LISTS,
    missing: 'reject',
    cutDrops: [],
    tinyDrops: [],
  },
  raw: {
    title: 'the bytes of the frame, where they are',
    tags: 'opaque',
    reach: 'frames',
    trim: false,
    header: 'trust',
    netNeeds: 'bytes',
    ipv6Walk: [],
    chainDrops: false,
    laterFragments: 'read',
    firstFragments: 'read',
    transportNeeds: 'field',
    lists: RFC_LISTS,
    missing: 'rule',
    cutDrops: [],
    tinyDrops: [],
  },
} as const satisfies Record<string, View>

export type ViewName = keyof typeof VIEWS

const PLACES = ['tags', 'reach', 'trim', 'header', 'netNeeds', 'ipv6Walk', 'chainDrops', 'firstFragments', 'missing'] as const satisfies readonly (keyof View)[] // biome-ignore format: one family

/** Both views find headers at the same places; they may differ in what of a transport header can be read, where the first reads short fragments. */
export function samePlaces(a: ViewName, b: ViewName): boolean {
  const [x, y]: readonly View[] = [VIEWS[a], VIEWS[b]]
  const same = PLACES.every((key) => String(x![key]) === String(y![key]))
  const told = x!.laterFragments === y!.laterFragments && String(x!.tinyDrops) === String(y!.tinyDrops)
  return same && (told || x!.laterFragments === 'short')
}

/** The profiles a filter can be read under: which view each kind of hook has. */
export interface Profile {
  readonly title: string
  /** The view of a base chain at an IP hook, at the netdev ingress hook, or of a filter that has no hooks. */
  readonly views: { readonly ip?: ViewName; readonly netdev?: ViewName; readonly frame?: ViewName }
}

export const PROFILES = {
  'nft-6.18': { title: 'nftables on Linux 6.18', views: { ip: 'nft-ip', netdev: 'nft-netdev' } },
  'nft-fragfix': {
    title: 'nftables on kernels whose payload loads mind fragments',
    views: { ip: 'nft-ip-fragfix', netdev: 'nft-netdev-fragfix' },
  },
  'xt-nft': { title: 'iptables-nft 1.8.9 on Linux 6.18', views: { ip: 'nft-ip' } },
  'xt-legacy': { title: 'iptables-legacy 1.8.9 on Linux 6.18', views: { ip: 'xt-ip' } },
  'pcap-file': { title: 'libpcap 1.10.3 on a capture file', views: { frame: 'pcap' } },
  flower: { title: 'tc flower on Linux 6.18', views: { frame: 'flower' } },
  ethtool: { title: 'ethtool ntuple rules in an ideal device', views: { frame: 'ethtool' } },
  u32: { title: 'tc u32 on Linux 6.18', views: { frame: 'u32' } },
  raw: { title: 'bytes of frames', views: { frame: 'raw' } },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof PROFILES
