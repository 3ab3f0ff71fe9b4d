// `geneve` and `vxlan`: packets inside UDP. What follows in the expression is about the inner packet, whose headers stand where the
// outer ones' lengths put them: places are terms, with a choice between two of them as arithmetic on a comparison's 0 or 1.

import { and, cmp, masked, or, type Pred, type Term } from '@netsieve/ir'
import { at, type Layers, sum } from './layers.ts'
import { ETHER, linkProtocol } from './link.ts'
import { ipv4Ports, ipv6Ports } from './ports.ts'
import { combine, constant, relate } from './terms.ts'

/** UDP ports and the EtherType of bridged frames (RFC 8926, RFC 7348). */
const GENEVE_PORT = 6081
const VXLAN_PORT = 4789
const BRIDGED = 0x6558

export function geneve(layers: Layers, vni: number | undefined): Pred {
  const place = tunnelHeader(layers)
  const options = masked(at({ bytes: 0, more: place }, 0, 1), 0x3fn)
  const header = add(bin('lsh', options, constant(2)), constant(8))
  const protocol = at({ bytes: 0, more: place }, 2, 2)
  const bridged = isZero(bin('xor', protocol, constant(BRIDGED)))
  const pred = and(
    inUdp(layers, GENEVE_PORT, (bytes) => [
      cmp(masked(bytes(0, 1), 0xc0n), '==', 0),
      ...(vni === undefined ? [] : [cmp(masked(bytes(4, 4), 0xffffff00n), '==', BigInt(vni) << 8n)]),
    ]),
    // Whether a frame or a bare packet is inside is read at once: a packet cut there is refused.
    cmp(protocol, '>=', 0),
  )
  const inner = add(place, header)
  layers.enter({
    header: inner,
    type: add(add(place, constant(2)), bin('mul', bridged, add(header, constant(10)))),
    payload: add(inner, bin('mul', bridged, constant(14))),
    frame: cmp(protocol, '==', BRIDGED),
  })
  return pred
}

export function vxlan(layers: Layers, vni: number | undefined): Pred {
  const place = tunnelHeader(layers)
  const pred = inUdp(layers, VXLAN_PORT, (bytes) => [
    cmp(masked(bytes(0, 1), 0x08n), '!=', 0),
    ...(vni === undefined ? [] : [cmp(masked(bytes(4, 4), 0xffffff00n), '==', BigInt(vni) << 8n)]),
  ])
  const inner = add(place, constant(8))
  layers.enter({ header: inner, type: add(inner, constant(12)), payload: add(inner, constant(14)), frame: undefined })
  return pred
}

/** UDP to a port, over either family, and what must hold of the bytes behind the UDP header. */
function inUdp(layers: Layers, port: number, checks: (bytes: (offset: number, count: number) => Term) => Pred[]): Pred {
  const ports = { lo: port, hi: port, transport: 'udp' } as const
  return or(
    and(ipv4Ports(layers, ports, 'dst'), ...checks((offset, count) => layers.transportBytes(8 + offset, count))),
    and(ipv6Ports(layers, ports, 'dst'), ...checks((offset, count) => layers.netBytes(48 + offset, count))),
  )
}

/** Where the tunnel's header starts, from the start of the packet: behind UDP behind either IP header. */
function tunnelHeader(layers: Layers): Term {
  const fixed = layers.payload.bytes + layers.labels + 8
  const ihl = bin('lsh', masked(layers.netBytes(0, 1), 0xfn), constant(2))
  const length = add(constant(40), bin('mul', isIpv4(layers), bin('sub', ihl, constant(40))))
  return sum(add(length, constant(fixed)), layers.payload.more)
}

/** 1 for IPv4, else 0, by what the link header says. */
function isIpv4(layers: Layers): Term {
  const test = linkProtocol(layers, ETHER.ip)
  const last = test.kind === 'and' ? test.args.at(-1)! : test
  const told = last.kind === 'relation' ? relate(last.left, last.test, last.right) : last
  if (told.kind === 'const') return constant(told.value ? 1 : 0)
  if (last.kind !== 'cmp') throw new Error('the link header tells IPv4 by one comparison')
  // A family in the byte order of the machine has its number in the first byte.
  if (last.value > 0xffffn) return isZero(bin('xor', bin('rsh', last.term, constant(16)), constant(last.value >> 16n)))
  return isZero(bin('xor', last.term, constant(last.value)))
}

/** 1 if a number of 16 bits is 0, else 0. */
function isZero(term: Term): Term {
  return bin('xor', bin('rsh', bin('add', term, constant(0xffff)), constant(16)), constant(1))
}

function bin(op: Parameters<typeof combine>[0], left: Term, right: Term): Term {
  const term = combine(op, left, right)
  if (typeof term === 'string') throw new Error(term)
  return term
}

function add(left: Term, right: Term): Term {
  return bin('add', left, right)
}
