// Addresses: IPv4 and IPv6 hosts and nets, hardware addresses, DECnet.

import { and, cmp, FALSE, field, masked, maskedEqual, or, type Pred, type Term, TRUE } from '@netsieve/ir'
import type { FieldId } from '@netsieve/packet'
import type { Direction } from './ast.ts'
import { Fault } from './fault.ts'
import type { Layers } from './layers.ts'
import { ETHER, linkProtocol } from './link.ts'
import type { ProtocolWord } from './words.ts'

/** Source, destination, both or either, as the direction says. */
export function directed(dir: Direction | undefined, source: () => Pred, destination: () => Pred): Pred {
  switch (dir) {
    case 'src':
      return source()
    case 'dst':
      return destination()
    case 'src and dst':
      return and(source(), destination())
    default:
      return or(source(), destination())
  }
}

/** The same in packets of one network protocol. */
function carried(
  layers: Layers,
  protocol: number,
  dir: Direction | undefined,
  source: () => Pred,
  destination: () => Pred,
): Pred {
  const one = (address: () => Pred) => and(linkProtocol(layers, protocol), address())
  if (layers.full) {
    return directed(
      dir,
      () => one(source),
      () => one(destination),
    )
  }
  return one(() => directed(dir, source, destination))
}

export interface About {
  readonly proto: ProtocolWord | undefined
  readonly dir: Direction | undefined
  /** `host` or `net`, for messages. */
  readonly what: string
}

/** An IPv4 address or network, in IPv4 and (unless a protocol is named) in ARP and RARP. */
export function ipv4Host(layers: Layers, value: bigint, mask: bigint, about: About): Pred {
  const within = (protocol: number, source: FieldId, destination: FieldId) =>
    carried(
      layers,
      protocol,
      about.dir,
      () => equal(layers, source, value, mask),
      () => equal(layers, destination, value, mask),
    )
  const ip = () => within(ETHER.ip, 'ipv4.src', 'ipv4.dst')
  switch (about.proto) {
    case undefined:
      if (layers.labels > 0) return ip()
      return or(ip(), within(ETHER.arp, 'arp.sip', 'arp.tip'), within(ETHER.rarp, 'arp.sip', 'arp.tip'))
    case 'ip':
      return ip()
    case 'arp':
    case 'rarp':
      return within(ETHER[about.proto], 'arp.sip', 'arp.tip')
    default:
      throw unqualified(about.proto, about.what, 'IPv4')
  }
}

/** An empty mask loads nothing: libpcap's optimiser takes the test out. */
function equal(layers: Layers, id: FieldId, value: bigint, mask: bigint): Pred {
  if (mask === 0n && !layers.loadsAll) return TRUE
  if (layers.plain) return maskedEqual(id, value, mask)
  return equalWord(layers.netField(id), value, mask)
}

function equalWord(term: Term, value: bigint, mask: bigint): Pred {
  return cmp(mask === 0xffffffffn ? term : masked(term, mask), '==', value & mask)
}

/** An IPv6 address or network; four words, the first first, so that a packet cut inside the address can still be told to differ. */
export function ipv6Host(layers: Layers, value: bigint, mask: bigint, about: About): Pred {
  if (about.proto !== undefined && about.proto !== 'ip6') throw unqualified(about.proto, about.what, 'IPv6')
  const address = (offset: number) => () => {
    const words = [0, 1, 2, 3].map((i) => {
      const shift = BigInt(96 - 32 * i)
      const wordMask = (mask >> shift) & 0xffffffffn
      return wordMask === 0n && !layers.loadsAll
        ? TRUE
        : equalWord(layers.netBytes(offset + 4 * i, 4), (value >> shift) & 0xffffffffn, wordMask)
    })
    const tests = words.filter((word) => word !== TRUE)
    return tests.length === 0 ? TRUE : and(...tests)
  }
  return carried(layers, ETHER.ip6, about.dir, address(8), address(24))
}

function unqualified(proto: ProtocolWord, what: string, family: string): Fault {
  const word = proto === 'link' ? 'ether' : proto
  return new Fault('rules/qualifier', `\`${word}\` cannot qualify an ${family} ${what}`, undefined, {
    hint: `join them instead: ${word} and ${what} …`,
  })
}

/** What is asked of an Ethernet header, where a tunnel may hold a packet without one. */
function inFrame(layers: Layers, pred: Pred): Pred {
  return layers.frame ? and(layers.frame, pred) : pred
}

/** A hardware address. @throws Fault on a link without any. */
export function etherHost(layers: Layers, value: bigint, dir: Direction | undefined): Pred {
  if (layers.link !== 'EN10MB')
    throw new Fault('rules/link-type', 'only Ethernet frames have hardware addresses that can be matched')
  const plain = layers.header.bytes === 0 && !layers.header.more && !layers.full
  const address = (id: FieldId, offset: number) => () =>
    plain
      ? cmp(field(id), '==', value)
      : and(
          cmp(layers.linkBytes(offset + 2, 4), '==', value & 0xffffffffn),
          cmp(layers.linkBytes(offset, 2), '==', value >> 32n),
        )
  return inFrame(layers, directed(dir, address('eth.src', 6), address('eth.dst', 0)))
}

/** A DECnet phase IV node: the places of its address in short and long data headers, each with and without a byte of padding. */
export function decnetHost(layers: Layers, value: number, dir: Direction | undefined): Pred {
  const swapped = ((value & 0xff) << 8) | (value >> 8)
  const format = (bytes: number, mask: number, flags: number, offset: number) =>
    and(
      cmp(masked(layers.netBytes(2, bytes), BigInt(mask)), '==', flags),
      cmp(layers.netBytes(offset, 2), '==', swapped),
    )
  const address = (short: number, long: number) => () =>
    and(
      linkProtocol(layers, ETHER.decnet),
      or(
        format(1, 0x07, 0x02, short),
        format(2, 0xff07, 0x8102, short + 1),
        format(1, 0x07, 0x06, long),
        format(2, 0xff07, 0x8106, long + 1),
      ),
    )
  return directed(dir, address(5, 17), address(3, 9))
}

/** `broadcast`, `ip multicast` and their kin. @throws Fault where a protocol has none. */
export function cast(
  layers: Layers,
  kind: 'broadcast' | 'multicast',
  proto: ProtocolWord | undefined,
  netmask: bigint,
): Pred {
  if (proto === undefined || proto === 'link') {
    if (layers.link !== 'EN10MB')
      throw new Fault('rules/link-type', `only Ethernet frames have a ${kind} address that can be matched`)
    if (kind === 'broadcast') return etherHost(layers, 0xffffffffffffn, 'dst')
    return inFrame(layers, cmp(masked(layers.linkBytes(0, 1), 1n), '!=', 0))
  }
  if (proto === 'ip' && kind === 'broadcast') {
    const hosts = ~netmask & 0xffffffffn
    const part = (value: bigint) =>
      hosts === 0n && !layers.loadsAll ? (value === 0n ? TRUE : FALSE) : equal(layers, 'ipv4.dst', value, hosts)
    return and(linkProtocol(layers, ETHER.ip), or(part(0n), part(hosts)))
  }
  if (proto === 'ip') return and(linkProtocol(layers, ETHER.ip), cmp(layers.netBytes(16, 1), '>=', 224))
  if (proto === 'ip6' && kind === 'multicast')
    return and(linkProtocol(layers, ETHER.ip6), cmp(layers.netBytes(24, 1), '==', 255))
  throw new Fault('rules/qualifier', `\`${proto} ${kind}\` means nothing`, undefined, {
    expected: kind === 'broadcast' ? ["'ether'", "'ip'"] : ["'ether'", "'ip'", "'ip6'"],
  })
}
