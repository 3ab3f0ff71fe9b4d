// TCP with its options, UDP with the tunnels in it, SCTP with its chunks, DCCP.

import { IPPROTO } from '../protocols.ts'
import { http } from './http.ts'
import { type Around, encapsulated } from './ip.ts'
import { Cut, hex, type Printer } from './printer.ts'

/** `a.1 > b.2: `; the ports alone where the addresses were told before, or the addresses alone where there are no ports. */
function ends(p: Printer, { version, at, protocol }: Around, own: number, ports?: readonly [number, number]): void {
  const [source, target] = version === 4 ? [p.ipv4(at + 12), p.ipv4(at + 16)] : [p.ipv6(at + 8), p.ipv6(at + 24)]
  if (!ports) p.put(`${source} > ${target}: `)
  else if (protocol === own) p.put(`${source}.${ports[0]} > ${target}.${ports[1]}: `)
  else p.put(`${ports[0]} > ${ports[1]}: `)
}

const FLAGS = 'FSRP.UEW'

export function tcp(p: Printer, at: number, bytes: number, around: Around): void {
  p.protocol = 'tcp'
  if (!p.has(at + 2, 2)) {
    ends(p, around, IPPROTO.tcp)
    return p.put('[|tcp]')
  }
  const ports = [p.number(at, 2), p.number(at + 2, 2)] as const
  ends(p, around, IPPROTO.tcp, ports)
  p.need(at, 20)
  const header = (p.number(at + 12, 1) >> 4) * 4
  if (header < 20) return p.put(` tcp ${bytes - header} [bad hdr length ${header} - too short, < 20]`)
  const bits = p.number(at + 13, 1)
  const flags = Array.from(FLAGS).filter((_, i) => bits & (1 << i)).join('') || 'none' // biome-ignore format: one chain
  p.put(`Flags [${flags}]`)
  const start = numbering(p, at, bits, ports, around)
  if (header > bytes) return p.put(` [bad hdr length ${header} - too long, > ${bytes}]`)
  const length = bytes - header
  if (length > 0 || bits & 7) p.put(`, seq ${start.seq}${length > 0 ? `:${(start.seq + length) % 2 ** 32}` : ''}`)
  if (bits & 0x10) p.put(`, ack ${start.ack}`)
  p.put(`, win ${p.number(at + 14, 2)}`)
  if (bits & 0x20) p.put(`, urg ${p.number(at + 18, 2)}`)
  if (header > 20 && !options(p, at + 20, header - 20, start.base)) return
  p.put(`, length ${length}`)
  if (length > 0 && ports.some((port) => port === 80 || port === 8080 || port === 3128)) {
    p.put(': ')
    http(p, at + header, length)
  }
}

interface Numbering {
  readonly seq: number
  readonly ack: number
  /** What the other side's numbers count from: those in SACK options. */
  readonly base: number
}

/** Sequence numbers, from the start of the connection if earlier packets are known: those with an acknowledgement, but for the first of them. */
function numbering(
  p: Printer,
  at: number,
  bits: number,
  [source, target]: readonly [number, number],
  around: Around,
): Numbering {
  // biome-ignore format: one line
  const [seq, ack] = [p.number(at + 4, 4), p.number(at + 8, 4)]
  if (!p.conversations || !(bits & 0x10)) return { seq, ack, base: 0 }
  const wide = around.version === 6 ? 16 : 4
  const [from, to] = [p.big(around.at + (wide === 4 ? 12 : 8), wide), p.big(around.at + (wide === 4 ? 16 : 24), wide)]
  const turned = source > target || (source === target && from > to)
  const key = turned ? `${to} ${from} ${target} ${source}` : `${from} ${to} ${source} ${target}`
  const known = p.conversations.get(key)
  if (!known || bits & 2) {
    const first = turned ? { seq: ack - 1, ack: seq } : { seq, ack: ack - 1 }
    p.conversations.set(key, first)
    return { seq, ack, base: turned ? first.seq : first.ack }
  }
  const [own, other] = turned ? [known.ack, known.seq] : [known.seq, known.ack]
  return { seq: (seq - own) >>> 0, ack: (ack - other) >>> 0, base: other }
}

const OPTIONS: Readonly<Record<number, string>> = { 0: 'eol', 1: 'nop', 2: 'mss', 3: 'wscale', 4: 'sackOK', 5: 'sack', 6: 'echo', 7: 'echoreply', 8: 'TS', 11: 'cc', 12: 'ccnew', 13: 'ccecho', 19: 'md5', 20: 'scps', 28: 'uto', 29: 'tcp-ao', 30: 'mptcp', 34: 'tfo', 254: 'exp' } // biome-ignore format: a table

/** @returns whether the options could be read, so that there is more to tell */
function options(p: Printer, from: number, bytes: number, base: number): boolean {
  p.put(', options [')
  let [at, left, separator] = [from, bytes, '']
  /** Bytes of an option must be in the header, and captured. */
  const there = (count: number, space: number): boolean => {
    if (count > space) return false
    if (p.has(at, count)) return true
    p.cut()
    if (separator) p.put('>')
    throw new Told()
  }
  const bad = (): false => {
    p.put(`[bad opt]${separator && ']'}`)
    return false
  }
  try {
    while (left > 0) {
      p.put(separator)
      const kind = p.number(at++, 1)
      let size = 1
      if (kind > 1) {
        size = p.number(at++, 1)
        if (size < 2 || size > left) return bad()
        left--
      }
      left--
      p.put(OPTIONS[kind] ?? `unknown-${kind}`)
      const data = value(p, kind, at, size - 2, (count) => there(count, left), base)
      if (data === undefined) return bad()
      at += data
      left -= data
      const read = data + (kind > 1 ? 2 : 1)
      if (read !== size) p.put(`[len ${size}]`)
      separator = ','
      if (kind === 0) break
    }
  } catch (cut) {
    if (cut instanceof Told) return false
    throw cut
  }
  p.put(']')
  return true
}

/** The line has said that it is cut. */
class Told extends Error {}

/** Prints an option's value. @returns its bytes; nothing if they do not fit */
function value(
  p: Printer,
  kind: number,
  at: number,
  size: number,
  there: (count: number) => boolean,
  base: number,
): number | undefined {
  // biome-ignore format: one line
  switch (kind) {
    case 0:
    case 1:
    case 4:
      return 0
    case 2:
    case 3: {
      const bytes = kind === 2 ? 2 : 1
      if (!there(bytes)) return undefined
      p.put(` ${p.number(at, bytes)}`)
      return bytes
    }
    case 5:
      if (size % 8 !== 0) p.put(' invalid sack')
      else {
        p.put(` ${size / 8} `)
        for (let i = 0; i < size; i += 8) {
          if (!there(i + 8)) return undefined
          p.put(`{${(p.number(at + i, 4) - base) >>> 0}:${(p.number(at + i + 4, 4) - base) >>> 0}}`)
        }
      }
      return size
    case 8:
      if (!there(8)) return undefined
      p.put(` val ${p.number(at, 4)} ecr ${p.number(at + 4, 4)}`)
      return 8
    case 19:
      if (!there(16)) return undefined
      p.put(` shared secret not supplied with -M, can't check - ${p.hex(at, 16)}`)
      return 16
    case 34:
      if (!there(size)) return undefined
      p.put(`  ${cookie(p, at, size)}`)
      return size
    case 254: {
      if (!there(Math.max(size, 2))) return undefined
      const magic = p.number(at, 2)
      p.put(magic === 0xf989 ? `-tfo ${cookie(p, at + 2, size - 2)}` : `-${hex(magic, 4)}`)
      return size
    }
    default:
      for (let i = 0; i < size; i++) {
        if (!there(i + 1)) return undefined
        p.put(`${i === 0 ? ' 0x' : ''}${p.hex(at + i, 1)}`)
      }
      return size
  }
}

/** Of TCP fast open (RFC 7413). */
const cookie = (p: Printer, at: number, size: number) => (size === 0 ? 'cookiereq' : `cookie ${p.hex(at, size)}`)

export function udp(p: Printer, at: number, bytes: number, around: Around): void {
  p.protocol = 'udp'
  if (!p.has(at + 2, 2)) {
    ends(p, around, IPPROTO.udp)
    throw new Cut()
  }
  const ports = [p.number(at, 2), p.number(at + 2, 2)] as const
  ends(p, around, IPPROTO.udp, ports)
  if (bytes < 8) return p.put(`truncated-udp ${bytes}`)
  let told = p.number(at + 4, 2)
  if (told === 0 && bytes > 65535) told = bytes
  if (told < 8) return p.put(`truncated-udplength ${told}`)
  told -= 8
  const length = Math.min(told, bytes - 8)
  p.need(at, 8)
  const either = (port: number) => ports.includes(port)
  if (either(4789)) vxlan(p, at + 8, length)
  else if (either(6081)) geneve(p, at + 8, length)
  else if (told > length && !around.fragmented) p.put(`UDP, bad length ${told} > ${length}`)
  else p.put(`UDP, length ${told}`)
}

/** RFC 7348. The packet inside is for a line of its own. */
function vxlan(p: Printer, at: number, length: number): void {
  p.protocol = 'vxlan'
  p.put('VXLAN')
  if (length < 8) return p.put(' (invalid)')
  const flags = p.number(at, 1)
  p.put(`, flags [${flags & 8 ? 'I' : 'invalid'}] (${hex(flags, 2)}), `)
  p.put(`vni ${p.number(at + 4, 3)}`)
}

/** RFC 8926. */
function geneve(p: Printer, at: number, length: number): void {
  p.protocol = 'geneve'
  p.put('Geneve')
  if (length < 8) return p.put(` [|geneve]`)
  p.need(at, 8)
  const [version, flags, protocol] = [p.number(at, 1), p.number(at + 1, 1), p.number(at + 2, 2)]
  if (version >> 6 !== 0) return p.put(` ERROR: unknown-version ${version >> 6}`)
  const names = [flags & 0x80 ? 'O' : '', flags & 0x40 ? 'C' : '', flags & 0x3f ? 'R' : ''].join('') || 'none'
  p.put(`, Flags [${names}]`)
  p.put(`, vni ${hex(p.number(at + 4, 3))}`)
  const reserved = p.number(at + 7, 1)
  if (reserved !== 0) p.put(`, rsvd ${hex(reserved)}`)
  const opts = (version & 0x3f) * 4
  if (opts > length - 8) return p.put(` truncated-geneve - ${opts + 8 - length} bytes missing!`)
  if (opts > 0) p.put(`, options [${opts} bytes]`)
  p.put(': ')
  encapsulated(p, protocol, at + 8 + opts, length - 8 - opts, () => p.put(`geneve-proto-${hex(protocol)}`))
}

const CHUNKS: Readonly<Record<number, string>> = { 0: 'DATA', 1: 'INIT', 2: 'INIT ACK', 3: 'SACK', 4: 'HB REQ', 5: 'HB ACK', 6: 'ABORT', 7: 'SHUTDOWN', 8: 'SHUTDOWN ACK', 9: 'OP ERR', 10: 'COOKIE ECHO', 11: 'COOKIE ACK', 12: 'ECN ECHO', 13: 'CWR', 14: 'SHUTDOWN COMPLETE', 193: 'ASCONF', 128: 'ASCONF-ACK', 192: 'FORWARD CUM TSN' } // biome-ignore format: a table

export function sctp(p: Printer, at: number, length: number, around: Around): void {
  p.protocol = 'sctp'
  if (length < 12) return p.put(`truncated-sctp - ${12 - length} bytes missing!`)
  p.need(at, 12)
  ends(p, around, IPPROTO.sctp, [p.number(at, 2), p.number(at + 2, 2)])
  p.put('sctp')
  const end = at + length
  let count = 1
  for (let chunk = at + 12; chunk < end; count++) {
    const [type, flags, size] = [p.number(chunk, 1), p.number(chunk + 1, 1), p.number(chunk + 2, 2)]
    if (size < 4) return p.put(` [Bad chunk length ${size}, < size of chunk header]`)
    p.need(chunk, size)
    p.put(` (${count}) [${CHUNKS[type] ?? `Unknown chunk type: ${hex(type)}`}] `)
    sctpChunk(p, type, flags, chunk, size)
    chunk += (size + 3) & ~3
  }
}

function sctpChunk(p: Printer, type: number, flags: number, at: number, size: number): void {
  switch (type) {
    case 0: {
      p.put(['(U)', '(B)', '(E)'].filter((_, i) => flags & [4, 2, 1][i]!).join('')) // biome-ignore format: one call
      if (flags & 7) p.put(' ')
      p.put(`[TSN: ${p.number(at + 4, 4)}] [SID: ${p.number(at + 8, 2)}] [SSEQ ${p.number(at + 10, 2)}] [PPID ${hex(p.number(at + 12, 4))}] `) // biome-ignore format: one line
      return
    }
    case 1:
    case 2:
      p.put(`[init tag: ${p.number(at + 4, 4)}] [rwnd: ${p.number(at + 8, 4)}] [OS: ${p.number(at + 12, 2)}] [MIS: ${p.number(at + 14, 2)}] [init TSN: ${p.number(at + 16, 4)}] `) // biome-ignore format: one line
      return
    case 3:
      p.put(`[cum ack ${p.number(at + 4, 4)}] [a_rwnd ${p.number(at + 8, 4)}] [#gap acks ${p.number(at + 12, 2)}] [#dup tsns ${p.number(at + 14, 2)}] `) // biome-ignore format: one line
      return
    default:
      p.need(at, size)
  }
}

const DCCP: readonly string[] = ['Request', 'Response', 'Data', 'Ack', 'DataAck', 'CloseReq', 'Close', 'Reset', 'Sync', 'SyncAck'] // biome-ignore format: a list

/** RFC 4340, as far as its type. */
export function dccp(p: Printer, at: number, _length: number, around: Around): void {
  p.protocol = 'dccp'
  if (!p.has(at + 2, 2)) {
    ends(p, around, 33)
    throw new Cut()
  }
  ends(p, around, 33, [p.number(at, 2), p.number(at + 2, 2)])
  const type = (p.number(at + 8, 1) >> 1) & 15
  p.put('DCCP')
  if (DCCP[type] === undefined) return p.put(` unknown-type-${type}`)
  p.put(` DCCP-${DCCP[type]}`)
  const long = p.number(at + 8, 1) & 1
  if (type === 0) p.put(` (service=${p.number(at + (long ? 16 : 12), 4)}) `)
}
