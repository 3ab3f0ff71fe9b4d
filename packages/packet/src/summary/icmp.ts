// ICMP (RFC 792), ICMPv6 (RFC 4443, 4861, 2710, 3810) and IGMP (RFC 2236, 3376).

import { IPPROTO } from '../protocols.ts'
import { hex, type Printer } from './printer.ts'

const ICMP: Readonly<Record<number, string>> = { 4: 'source quench', 10: 'router solicitation', 15: 'information request', 16: 'information reply', 17: 'address mask request' } // biome-ignore format: a table

export function icmp(p: Printer, at: number, length: number): void {
  p.protocol = 'icmp'
  const [type, code] = [p.number(at, 1), p.number(at + 1, 1)]
  p.put(`ICMP ${icmpText(p, at, type, code)}, length ${length}`)
}

function icmpText(p: Printer, at: number, type: number, code: number): string {
  const ids = () => `id ${p.number(at + 4, 2)}`
  const seq = () => `seq ${p.number(at + 6, 2)}`
  switch (type) {
    case 0:
    case 8:
      return `echo ${type === 8 ? 'request' : 'reply'}, ${ids()}, ${seq()}`
    case 3:
      return unreachable(p, at, code)
    case 5:
      return redirect(p, at, code)
    case 9:
      return advertisement(p, at)
    case 11:
      return code === 0 ? 'time exceeded in-transit' : code === 1 ? 'ip reassembly time exceeded' : `time exceeded-#${code}` // biome-ignore format: one choice
    case 12:
      return code !== 0 ? `parameter problem - code ${code}` : `parameter problem - octet ${p.number(at + 4, 1)}`
    case 13:
      return `time stamp query ${ids()} ${seq()}`
    case 14:
      return `time stamp reply ${ids()} ${seq()}: org ${clock(p, at + 8)}, recv ${clock(p, at + 12)}, xmit ${clock(p, at + 16)}` // biome-ignore format: one line
    case 18:
      return `address mask is ${hex(p.number(at + 8, 4), 8)}`
    default:
      return ICMP[type] ?? `type-#${type}`
  }
}

/** Milliseconds since midnight (RFC 792). */
function clock(p: Printer, at: number): string {
  const ms = p.number(at, 4)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${two(Math.floor(ms / 3_600_000))}:${two(Math.floor(ms / 60_000) % 60)}:${two(Math.floor(ms / 1000) % 60)}.${String(ms % 1000).padStart(3, '0')}` // biome-ignore format: one line
}

/** What could not be reached; `%` is the address of the packet that is quoted. */
const UNREACHABLE: Readonly<Record<number, string>> = {
  0: 'net % unreachable',
  1: 'host % unreachable',
  5: '% unreachable - source route failed',
  6: 'net % unreachable - unknown',
  7: 'host % unreachable - unknown',
  8: '% unreachable - source host isolated',
  9: 'net % unreachable - admin prohibited',
  10: 'host % unreachable - admin prohibited',
  11: 'net % unreachable - tos prohibited',
  12: 'host % unreachable - tos prohibited',
  13: 'host % unreachable - admin prohibited filter',
  14: 'host % unreachable - host precedence violation',
  15: 'host % unreachable - precedence cutoff',
}

function unreachable(p: Printer, at: number, code: number): string {
  const quoted = at + 8
  const target = p.ipv4(quoted + 16)
  const known = UNREACHABLE[code]
  if (known !== undefined) return known.replace('%', target)
  switch (code) {
    case 2:
      return `${target} protocol ${p.number(quoted + 9, 1)} unreachable`
    case 3: {
      const [protocol, port] = [p.number(quoted + 9, 1), p.number(quoted + (p.number(quoted, 1) & 15) * 4 + 2, 2)]
      const name = protocol === IPPROTO.tcp ? 'tcp' : protocol === IPPROTO.udp ? 'udp' : `protocol ${protocol}`
      return `${target} ${name} port ${port} unreachable`
    }
    case 4: {
      const mtu = p.number(at + 6, 2)
      return `${target} unreachable - need to frag${mtu ? ` (mtu ${mtu})` : ''}`
    }
    default:
      return `${target} unreachable - #${code}`
  }
}

function redirect(p: Printer, at: number, code: number): string {
  const [target, gateway] = [p.ipv4(at + 24), p.ipv4(at + 4)]
  const kinds = ['redirect % to net', 'redirect % to host', 'redirect-tos % to net', 'redirect-tos % to host']
  const kind = kinds[code]
  return kind === undefined
    ? `redirect-#${code} ${target} to net ${gateway}`
    : `${kind.replace('%', target)} ${gateway}`
}

function advertisement(p: Printer, at: number): string {
  const [count, size, lifetime] = [p.number(at + 4, 1), p.number(at + 5, 1), p.number(at + 6, 2)]
  const two = (value: number) => String(value).padStart(2, '0')
  const time = lifetime < 60 ? `${lifetime}` : lifetime < 3600 ? `${Math.floor(lifetime / 60)}:${two(lifetime % 60)}` : `${Math.floor(lifetime / 3600)}:${two(Math.floor(lifetime / 60) % 60)}:${two(lifetime % 60)}` // biome-ignore format: one choice
  const head = `router advertisement lifetime ${time} ${count}:`
  if (size !== 2) return `${head} [size ${size}]`
  const routers = Array.from(
    { length: count },
    (_, i) => ` {${p.ipv4(at + 8 + 8 * i)} ${p.number(at + 12 + 8 * i, 4)}}`,
  )
  return head + routers.join('')
}

const ICMP6: Readonly<Record<number, string>> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded in-transit',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  130: 'multicast listener query',
  131: 'multicast listener report',
  132: 'multicast listener done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbor solicitation',
  136: 'neighbor advertisement',
  137: 'redirect',
  138: 'router renumbering',
  139: 'node information query',
  140: 'node information reply',
  141: 'inverse neighbor solicitation',
  142: 'inverse neighbor advertisement',
  143: 'multicast listener report v2',
  144: 'dad request',
  145: 'dad reply',
  146: 'mobile router solicitation',
  147: 'mobile router advertisement',
  200: 'mtrace response',
  201: 'mtrace query',
}
/** The blank is tcpdump's. */
const UNREACHABLE6 = ['unreachable route', ' unreachable prohibited', 'beyond scope', 'unreachable address', 'unreachable port'] // biome-ignore format: a list
const PROBLEM6 = ['errorneous', 'next header', 'option']

export function icmp6(p: Printer, at: number, length: number): void {
  p.protocol = 'icmp6'
  if (length < 1) return p.put(`ICMP6, length ${length} (invalid)`)
  const type = p.number(at, 1)
  p.put(`ICMP6, ${ICMP6[type] ?? `unknown icmp6 type (${type})`}`)
  about6(p, at, type, length)
  p.put(`, length ${length}`)
}

function about6(p: Printer, at: number, type: number, length: number): void {
  const code = () => p.number(at + 1, 1)
  switch (type) {
    case 1:
      return unreachable6(p, at, code())
    case 2:
      return p.put(`, mtu ${p.number(at + 4, 4)}`)
    case 3:
      if (code() === 0) p.put(` for ${p.ipv6(at + 8 + 24)}`)
      else p.put(code() === 1 ? ' (reassembly)' : `, unknown code (${code()})`)
      return
    case 4:
      p.need(at + 8, 40)
      return p.put(PROBLEM6[code()] ? `, ${PROBLEM6[code()]} - octet ${p.number(at + 4, 4)}` : `, code-#${code()}`)
    case 128:
    case 129:
      return p.put(`, id ${p.number(at + 4, 2)}, seq ${p.number(at + 6, 2)}`)
    case 130:
      if (length !== 24) return length >= 28 ? listenerQuery(p, at, length) : undefined
      return listener(p, at)
    case 131:
    case 132:
      return listener(p, at)
    case 135:
      return p.put(`, who has ${p.ipv6(at + 8)}`)
    case 136:
      return p.put(`, tgt is ${p.ipv6(at + 8)}`)
    case 137:
      p.put(`, ${p.ipv6(at + 24)}`)
      return p.put(` to ${p.ipv6(at + 8)}`)
    case 143:
      p.need(at, 8)
      return p.put(`, ${p.number(at + 6, 2)} group record(s)`)
  }
}

function unreachable6(p: Printer, at: number, code: number): void {
  p.put(`, ${UNREACHABLE6[code] ?? `unknown unreach code (${code})`}`)
  const quoted = at + 8
  if (code === 4) {
    const [target, protocol] = [p.ipv6(quoted + 24), p.number(quoted + 6, 1)]
    const port = p.number(quoted + 42, 2)
    const name = protocol === IPPROTO.tcp ? 'tcp' : protocol === IPPROTO.udp ? 'udp' : `protocol ${protocol}`
    p.put(`, ${target} ${name} port ${port}${name.startsWith('p') ? ' unreachable' : ''}`)
  } else if (code < 4) p.put(` ${p.ipv6(quoted + 24)}`)
}

/** RFC 2710. There is no blank before it in tcpdump's line. */
function listener(p: Printer, at: number): void {
  p.put(`max resp delay: ${p.number(at + 4, 2)} addr: ${p.ipv6(at + 8)}`)
}

/** RFC 3810 §5.1. */
function listenerQuery(p: Printer, at: number, length: number): void {
  p.put(' v2')
  const group = p.ipv6(at + 8)
  const sources = p.number(at + 26, 2)
  p.put(` [gaddr ${group}`)
  if (sources > 0)
    p.put(length < 28 + 16 * sources ? ` [invalid number of sources ${sources}]` : `, ${sources} source(s)`)
  p.put(']')
}

/** RFC 3376 §4.1.1: an 8-bit number or, from 128 on, three bits of exponent and four of mantissa. */
const codeTime = (code: number) => (code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3))

/** Tenths of a second. */
function tenths(time: number): string {
  if (time < 600) return `${Math.floor(time / 10)}.${time % 10}s`
  const rest = time % 600
  return `${Math.floor(time / 600)}m${rest ? `${Math.floor(rest / 10)}.${rest % 10}s` : ''}`
}

export function igmp(p: Printer, at: number, length: number): void {
  p.protocol = 'igmp'
  const type = p.number(at, 1)
  const odd = length === 8 ? '' : ` [len ${length}]`
  const group = () => p.ipv4(at + 4)
  switch (type) {
    case 0x11:
      return query(p, at, length)
    case 0x12:
      return p.put(`igmp v1 report ${group()}${odd}`)
    case 0x16:
      return p.put(`igmp v2 report ${group()}${odd}`)
    case 0x17:
      return p.put(`igmp leave ${group()}${odd}`)
    case 0x22:
      p.put('igmp v3 report')
      if (length < 8) return p.put(` [invalid len ${length}]`)
      return p.put(`, ${p.number(at + 6, 2)} group record(s)`)
    default:
      return p.put(`igmp-${type}`)
  }
}

function query(p: Printer, at: number, length: number): void {
  p.put('igmp query v')
  const time = p.number(at + 1, 1)
  if (length < 12) {
    p.put(time ? '2' : '1')
    if (time !== 0 && time !== 100) p.put(` [max resp time ${time < 100 ? tenths(time).slice(0, -1) : Math.floor(time / 10)}]`) // biome-ignore format: one act
    if (p.number(at + 4, 4)) p.put(` [gaddr ${p.ipv4(at + 4)}]`)
    if (length !== 8) p.put(` [len ${length}]`)
    return
  }
  p.put('3')
  if (time !== 100) p.put(` [max resp time ${tenths(codeTime(time))}]`)
  const sources = p.number(at + 10, 2)
  if (length < 12 + 4 * sources) return p.put(` [invalid number of sources ${sources}]`)
  if (p.number(at + 4, 4)) p.put(` [gaddr ${p.ipv4(at + 4)}${sources ? `, ${sources} source(s)` : ''}]`)
}
