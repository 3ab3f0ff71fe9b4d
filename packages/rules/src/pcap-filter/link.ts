// "The payload is of protocol P", for each link type. P is an Ethernet type above 1500 or an 802.2 SAP.

import { and, cmp, FALSE, inRanges, masked, not, or, type Pred, TRUE } from '@netsieve/ir'
import { ETHERTYPE } from '@netsieve/packet'
import { Fault } from './fault.ts'
import type { Layers } from './layers.ts'
import { constant } from './terms.ts'

/** 802.2 service access points (IEEE) and Ethernet types (IANA) that pcap-filter has words for. */
export const SAP = { iso: 0xfe, stp: 0x42, netbeui: 0xf0, ipx: 0xe0 } as const
export const ETHER = {
  ip: ETHERTYPE.ipv4,
  ip6: ETHERTYPE.ipv6,
  arp: ETHERTYPE.arp,
  rarp: ETHERTYPE.rarp,
  atalk: 0x809b,
  aarp: 0x80f3,
  decnet: 0x6003,
  lat: 0x6004,
  sca: 0x6007,
  moprc: 0x6002,
  mopdl: 0x6001,
  ipx: 0x8137,
  loopback: 0x9000,
  mpls: 0x8847,
  pppoed: 0x8863,
  pppoes: 0x8864,
} as const

/** The largest number in an Ethernet type field that is a length. */
const LONGEST = 1500

/** PPP's numbers for some of them (IANA ppp-numbers). */
const PPP: Readonly<Record<number, number>> = {
  [ETHER.ip]: 0x21,
  [ETHER.ip6]: 0x57,
  [ETHER.decnet]: 0x27,
  [ETHER.atalk]: 0x29,
  [SAP.iso]: 0x23,
  [SAP.stp]: 0x31,
  [SAP.ipx]: 0x2b,
}

/** `loopback` frames carry the BSD address family. */
const FAMILY: Readonly<Record<number, number>> = { [ETHER.ip]: 2, [ETHER.ip6]: 10 }

/** The payload is of this protocol. @throws Fault where MPLS cannot tell. */
export function linkProtocol(layers: Layers, protocol: number): Pred {
  if (layers.labels > 0) return underLabels(layers, protocol)
  switch (layers.link) {
    case 'EN10MB':
      return ethernet(layers, protocol)
    case 'RAW':
      return protocol === ETHER.ip || protocol === ETHER.ip6 ? version(layers, protocol) : known(layers, false)
    case 'IPV4':
      return known(layers, protocol === ETHER.ip)
    case 'IPV6':
      return known(layers, protocol === ETHER.ip6)
    case 'NULL':
    case 'LOOP': {
      const family = FAMILY[protocol]
      if (family === undefined) return known(layers, false)
      // A NULL header is in the byte order of the machine that captured; little endian is assumed, as libpcap's files hold it here.
      return cmp(layers.linkBytes(0, 4), '==', layers.link === 'NULL' ? family * 0x1000000 : family)
    }
    case 'LINUX_SLL':
      return cooked(layers, protocol)
    case 'LINUX_SLL2':
      return cmp(layers.typeField(), '==', protocol)
    case 'PPP':
      return cmp(layers.typeField(), '==', PPP[protocol] ?? protocol)
  }
}

/** What the link type alone tells: in full a test of constants, which libpcap's optimiser finds where it comes to it. */
function known(layers: Layers, holds: boolean): Pred {
  if (!layers.full) return holds ? TRUE : FALSE
  return { kind: 'relation', left: constant(holds ? 0 : 1), test: '==', right: constant(0) }
}

/** An 802.3 frame: the type field is a length. */
export function isLength(layers: Layers): Pred {
  return cmp(layers.typeField(), '<=', LONGEST)
}

function ethernet(layers: Layers, protocol: number): Pred {
  const type = (value: number) => cmp(layers.typeField(), '==', value)
  switch (protocol) {
    case SAP.iso:
    case SAP.netbeui:
      return and(isLength(layers), cmp(layers.llcBytes(0, 2), '==', protocol * 0x101))
    case SAP.ipx:
      return or(
        type(ETHER.ipx),
        and(
          isLength(layers),
          or(
            snap(layers, 0, ETHER.ipx),
            cmp(layers.llcBytes(0, 1), '==', SAP.ipx),
            cmp(layers.llcBytes(0, 2), '==', 0xffff),
          ),
        ),
      )
    case ETHER.atalk:
    case ETHER.aarp:
      return or(type(protocol), and(isLength(layers), appletalk(layers, protocol)))
    default:
      if (protocol > LONGEST) return type(protocol)
      return and(isLength(layers), cmp(layers.llcBytes(0, 1), '==', protocol))
  }
}

/** Linux's cooked header: the type field is an Ethernet type, or 4 before an 802.2 header, or 1 before Novell's raw 802.3. */
function cooked(layers: Layers, protocol: number): Pred {
  const type = (value: number) => cmp(layers.typeField(), '==', value)
  switch (protocol) {
    case SAP.iso:
    case SAP.netbeui:
      return and(type(4), cmp(layers.llcBytes(0, 2), '==', protocol * 0x101))
    case SAP.ipx:
      return or(
        type(ETHER.ipx),
        type(1),
        and(type(4), or(cmp(layers.llcBytes(0, 1), '==', SAP.ipx), snap(layers, 0, ETHER.ipx))),
      )
    case ETHER.atalk:
    case ETHER.aarp:
      return or(type(protocol), and(type(4), appletalk(layers, protocol)))
    default:
      if (protocol > LONGEST) return type(protocol)
      return and(type(4), cmp(layers.llcBytes(0, 1), '==', protocol))
  }
}

function appletalk(layers: Layers, protocol: number): Pred {
  return snap(layers, protocol === ETHER.atalk ? 0x080007 : 0, protocol)
}

/** AA-AA-03, an organisation and its protocol number. The later word is compared first, as libpcap does. */
function snap(layers: Layers, organisation: number, protocol: number): Pred {
  const low = (organisation & 0xffff) * 0x10000 + protocol
  return and(cmp(layers.llcBytes(4, 4), '==', low), cmp(layers.llcBytes(0, 4), '==', 0xaaaa0300 + (organisation >> 16)))
}

/** The IP version in the network header's first byte. */
function version(layers: Layers, protocol: number): Pred {
  return cmp(masked(layers.netBytes(0, 1), 0xf0n), '==', protocol === ETHER.ip ? 0x40 : 0x60)
}

function underLabels(layers: Layers, protocol: number): Pred {
  if (protocol !== ETHER.ip && protocol !== ETHER.ip6)
    throw new Fault('rules/mpls', 'only ip and ip6 can be told after `mpls`: labels do not name a protocol')
  return and(bottomOfStack(layers, true), version(layers, protocol))
}

/** The bit of the label before the network header that says it is the last. */
export function bottomOfStack(layers: Layers, last: boolean): Pred {
  return cmp(masked(layers.netBytes(-2, 1), 1n), '==', last ? 1 : 0)
}

/** An 802.2 header follows: a length, and not Novell's raw 802.3. */
export function hasLlc(layers: Layers): Pred {
  return and(isLength(layers), not(cmp(layers.llcBytes(0, 2), '==', 0xffff)))
}

/** 802.1Q, 802.1ad or the old QinQ type. */
export function isTagged(layers: Layers): Pred {
  const types = [ETHERTYPE.vlan, ETHERTYPE.qinq, ETHERTYPE.qinqOld]
  if (layers.full) return or(...types.map((type) => cmp(layers.typeField(), '==', type)))
  return inRanges(
    layers.typeField(),
    types.map((type) => ({ lo: BigInt(type), hi: BigInt(type) })),
  )
}
