// Protocol words alone (`tcp`, `isis`) and by number (`ip proto 6`).

import { and, cmp, or, type Pred } from '@netsieve/ir'
import { IPPROTO } from '@netsieve/packet'
import { etherType, protocolNumber } from '../shared/index.ts'
import { Fault } from './fault.ts'
import type { Layers } from './layers.ts'
import { ETHER, linkProtocol, SAP } from './link.ts'
import type { ProtocolWord } from './words.ts'

/** IP protocols that have a word of their own, and the families it asks for. IGRP is 9, CARP shares VRRP's number (IANA). */
export const IP_WORDS = {
  tcp: { number: IPPROTO.tcp, ip6: true },
  udp: { number: IPPROTO.udp, ip6: true },
  sctp: { number: IPPROTO.sctp, ip6: true },
  pim: { number: 103, ip6: true },
  ah: { number: IPPROTO.ah, ip6: true },
  esp: { number: IPPROTO.esp, ip6: true },
  icmp: { number: IPPROTO.icmp, ip6: false },
  igmp: { number: IPPROTO.igmp, ip6: false },
  igrp: { number: 9, ip6: false },
  vrrp: { number: 112, ip6: false },
  carp: { number: 112, ip6: false },
} as const

/** OSI network protocols by the first byte after the LLC header (ISO 9577), and IS-IS PDU types by the fifth. */
const OSI = { clnp: 0x81, esis: 0x82, isis: 0x83 } as const
const ISIS_PDUS: Readonly<Record<string, readonly number[]>> = {
  l1: [26, 24, 18, 15, 17],
  l2: [27, 25, 20, 16, 17],
  iih: [17, 15, 16],
  lsp: [18, 20],
  snp: [27, 26, 24, 25],
  csnp: [24, 25],
  psnp: [26, 27],
}

export function isIpWord(word: ProtocolWord): word is keyof typeof IP_WORDS {
  return Object.hasOwn(IP_WORDS, word)
}

/** A protocol word alone. @throws Fault for one that is no filter by itself. */
export function protocolAlone(layers: Layers, word: ProtocolWord): Pred {
  if (isIpWord(word)) {
    const { number, ip6 } = IP_WORDS[word]
    return ip6 ? or(ipv4Protocol(layers, number), ipv6Protocol(layers, number)) : ipv4Protocol(layers, number)
  }
  const pdus = ISIS_PDUS[word]
  if (pdus) return or(...pdus.map((pdu) => isisPdu(layers, pdu)))
  switch (word) {
    case 'icmp6':
      return ipv6Protocol(layers, IPPROTO.icmp6)
    case 'iso':
      return linkProtocol(layers, SAP.iso)
    case 'stp':
      return linkProtocol(layers, SAP.stp)
    case 'ipx':
      return linkProtocol(layers, SAP.ipx)
    case 'netbeui':
      return linkProtocol(layers, SAP.netbeui)
    case 'clnp':
    case 'esis':
    case 'isis':
      return osi(layers, OSI[word])
    case 'link':
      throw new Fault('rules/protocol', 'the link layer alone is no filter: say what about it, as in `ether host`')
    case 'radio':
      throw new Fault('rules/protocol', '`radio` is no filter by itself')
    default:
      return linkProtocol(layers, ETHER[word as keyof typeof ETHER])
  }
}

/** `[proto] proto N`. @throws Fault for a protocol that carries no other. */
export function protocolByNumber(layers: Layers, carrier: ProtocolWord | undefined, number: number): Pred {
  switch (carrier) {
    case undefined:
      return or(ipv4Protocol(layers, number), ipv6Protocol(layers, number))
    case 'link':
      return linkProtocol(layers, number)
    case 'ip':
      return ipv4Protocol(layers, number)
    case 'ip6':
      return ipv6Protocol(layers, number)
    case 'iso':
      return osi(layers, number)
    case 'isis':
      return isisPdu(layers, number)
    default:
      throw new Fault('rules/qualifier', `\`${carrier} proto\` means nothing: ${carrier} names no inner protocol`)
  }
}

/** The number a name stands for after `proto`. @throws Fault */
export function protocolNamed(carrier: ProtocolWord | undefined, name: string): number {
  if (carrier === 'link') {
    const own: Readonly<Record<string, number>> = { ...ETHER, ...SAP }
    const found = own[name] ?? etherType(name)
    if (found !== undefined) return found
    throw new Fault('rules/protocol', `\`${name}\` is no known Ethernet protocol`)
  }
  if (carrier === 'iso' && Object.hasOwn(OSI, name)) return OSI[name as keyof typeof OSI]
  const found = carrier === undefined || carrier === 'ip' || carrier === 'ip6' ? protocolNumber(name) : undefined
  if (found !== undefined) return found
  throw new Fault('rules/protocol', `\`${name}\` is no known IP protocol`)
}

export function ipv4Protocol(layers: Layers, number: number): Pred {
  return and(linkProtocol(layers, ETHER.ip), cmp(layers.netField('ipv4.protocol'), '==', number))
}

/** The next header, or what follows a fragment header that stands first; no other extension header is looked behind. */
export function ipv6Protocol(layers: Layers, number: number): Pred {
  const next = layers.netField('ipv6.nexthdr')
  return and(
    linkProtocol(layers, ETHER.ip6),
    or(cmp(next, '==', number), and(cmp(next, '==', IPPROTO.fragment), cmp(layers.netBytes(40, 1), '==', number))),
  )
}

/** Bytes after the 802.2 header: three of it before them on links that have one. */
function osiByte(layers: Layers, offset: number) {
  return layers.llcBytes(layers.llc + offset, 1)
}

function osi(layers: Layers, number: number): Pred {
  return and(linkProtocol(layers, SAP.iso), cmp(osiByte(layers, 0), '==', number))
}

function isisPdu(layers: Layers, pdu: number): Pred {
  return and(osi(layers, OSI.isis), cmp(osiByte(layers, 4), '==', pdu))
}
