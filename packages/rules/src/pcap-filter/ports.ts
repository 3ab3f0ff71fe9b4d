// Ports: TCP, UDP and SCTP straight after IPv4 (by its header length, not in later fragments) or straight after IPv6's fixed header.

import { and, between, cmp, field, inRanges, masked, not, or, type Pred, type Term } from '@netsieve/ir'
import { IPPROTO } from '@netsieve/packet'
import { servicePort } from '../shared/index.ts'
import type { Direction } from './ast.ts'
import { Fault } from './fault.ts'
import { directed } from './hosts.ts'
import type { Layers } from './layers.ts'
import { ETHER, linkProtocol } from './link.ts'
import type { ProtocolWord } from './words.ts'

const TRANSPORTS = { tcp: IPPROTO.tcp, udp: IPPROTO.udp, sctp: IPPROTO.sctp } as const
export type Transport = keyof typeof TRANSPORTS

export interface Ports {
  readonly lo: number
  readonly hi: number
  /** Asked for as a range, be it of one port. */
  readonly range?: true
  /** Only this transport: asked for, or the only one that knows the service's name. */
  readonly transport?: Transport | undefined
}

export function portMatch(layers: Layers, ports: Ports, dir: Direction | undefined): Pred {
  return or(ipv6Ports(layers, ports, dir), ipv4Ports(layers, ports, dir))
}

/** IPv6 alone, straight after its fixed header. */
export function ipv6Ports(layers: Layers, ports: Ports, dir: Direction | undefined): Pred {
  return and(
    linkProtocol(layers, ETHER.ip6),
    ofTransport(layers, layers.netField('ipv6.nexthdr'), ports.transport, () =>
      directed(
        dir,
        () => inPorts(layers, layers.netBytes(40, 2), ports),
        () => inPorts(layers, layers.netBytes(42, 2), ports),
      ),
    ),
  )
}

/** IPv4 alone, with its fragment check. */
export function ipv4Ports(layers: Layers, ports: Ports, dir: Direction | undefined): Pred {
  return and(
    linkProtocol(layers, ETHER.ip),
    ofTransport(layers, layers.netField('ipv4.protocol'), ports.transport, () =>
      and(
        notLaterFragment(layers),
        directed(
          dir,
          () => inPorts(layers, layers.transportBytes(0, 2), ports),
          () => inPorts(layers, layers.transportBytes(2, 2), ports),
        ),
      ),
    ),
  )
}

/** Offset 0: a whole packet, or the first of its fragments. In full `not (… != 0)`: one instruction from the start, as libpcap writes it. */
export function notLaterFragment(layers: Layers): Pred {
  const offset = layers.plain ? field('ipv4.fragoff') : masked(layers.netField('ipv4.frag'), 0x1fffn)
  return layers.full ? not(cmp(offset, '!=', 0)) : cmp(offset, '==', 0)
}

/** One of the transports with ports, and what must hold of it. */
function ofTransport(layers: Layers, term: Term, transport: Transport | undefined, rest: () => Pred): Pred {
  if (transport) return and(cmp(term, '==', TRANSPORTS[transport]), rest())
  const numbers = [TRANSPORTS.sctp, TRANSPORTS.tcp, TRANSPORTS.udp]
  if (layers.full) return or(...numbers.map((number) => and(cmp(term, '==', number), rest())))
  return and(
    inRanges(
      term,
      numbers.map((number) => ({ lo: BigInt(number), hi: BigInt(number) })),
    ),
    rest(),
  )
}

function inPorts(layers: Layers, term: Term, { lo, hi, range }: Ports): Pred {
  if (layers.full && range) return and(cmp(term, '>=', lo), cmp(term, '<=', hi))
  return lo === hi ? cmp(term, '==', lo) : between(term, lo, hi)
}

/** The transport that a protocol qualifier asks for. @throws Fault for one without ports. */
export function transportOf(proto: ProtocolWord | undefined, what: string): Transport | undefined {
  if (proto === undefined || proto === 'tcp' || proto === 'udp' || proto === 'sctp') return proto
  const word = proto === 'link' ? 'ether' : proto
  throw new Fault('rules/qualifier', `\`${word}\` cannot qualify \`${what}\``, undefined, {
    expected: ["'tcp'", "'udp'", "'sctp'", 'nothing'],
    ...((proto === 'ip' || proto === 'ip6') && { hint: `join them instead: ${word} and ${what} …` }),
  })
}

/** A port's number. @throws Fault above 65535 */
export function portNumber(value: number): number {
  if (value > 65535)
    throw new Fault('rules/port', `port ${value} is above 65535`, undefined, { expected: ['0 to 65535'] })
  return value
}

/** A service by name: its port, and its transport where only one has that name. @throws Fault */
export function service(
  name: string,
  asked: Transport | undefined,
): { readonly port: number; readonly transport?: Transport } {
  if (/^[0-9]+$/.test(name)) return { port: portNumber(Number(name)), ...(asked && { transport: asked }) }
  const [tcp, udp] = [servicePort(name, 'tcp'), servicePort(name, 'udp')]
  const port = tcp ?? udp ?? servicePort(name)
  if (port === undefined) {
    throw new Fault('rules/port', `\`${name}\` is no known service`, undefined, {
      expected: ['a port from 0 to 65535', "a service's name such as http"],
    })
  }
  const only = tcp === udp ? undefined : tcp === undefined ? 'udp' : udp === undefined ? 'tcp' : undefined
  if (asked && only && asked !== only)
    throw new Fault('rules/port', `\`${name}\` is a service of ${only}, not of ${asked}`)
  const transport = asked ?? only
  return { port, ...(transport && { transport }) }
}

/** `80-90`, `ssh-telnet`; the ends may be swapped. @throws Fault */
export function serviceRange(name: string, asked: Transport | undefined): Ports {
  const dash = name.indexOf('-')
  if (dash < 0)
    throw new Fault('rules/range', `\`${name}\` is not a range of ports`, undefined, { expected: ['lo-hi'] })
  // Decimal numbers are read as sscanf does, up to the first that is no digit: `7-0xb` ends at 0.
  const numbers = /^(\d+)-(\d+)/.exec(name)
  const [from, to] = numbers ? [numbers[1]!, numbers[2]!] : [name.slice(0, dash), name.slice(dash + 1)]
  const [first, last] = [service(from, undefined), service(to, undefined)]
  const [lo, hi] = first.port <= last.port ? [first.port, last.port] : [last.port, first.port]
  const both = first.transport === last.transport ? first.transport : undefined
  if (asked && both && asked !== both)
    throw new Fault('rules/port', `\`${name}\` are services of ${both}, not of ${asked}`)
  return { lo, hi, range: true, transport: asked ?? both }
}
