// The line that is written, and the bytes it is about. Reading beyond what was captured ends the line: a printer for a protocol says no more
// than that its header is cut, `[|tcp]`.

import { formatIpv4, formatIpv6, formatMac } from '../values.ts'

/** The first numbers of each TCP connection, kept from packet to packet. */
export type Conversations = Map<string, { seq: number; ack: number }>

/** Thrown where bytes are not there. */
export class Cut extends Error {}

/** Bytes of a packet: `end` is where those of its layer end, by what was captured and by the lengths of the headers around it. */
export class Printer {
  text = ''
  /** What is being read: told where the line ends early. */
  protocol = 'ether'
  readonly link: boolean
  readonly conversations: Conversations | undefined
  private readonly data: Uint8Array
  end: number

  constructor(data: Uint8Array, link: boolean, conversations: Conversations | undefined) {
    this.data = data
    this.link = link
    this.conversations = conversations
    this.end = data.length
  }

  put(text: string): void {
    this.text += text
  }

  /** Whether `count` bytes are there. */
  has(at: number, count: number): boolean {
    return at + count <= this.end
  }

  /** @throws Cut */
  need(at: number, count: number): void {
    if (!this.has(at, count)) throw new Cut()
  }

  /** @throws Cut */
  number(at: number, count: 1 | 2 | 3 | 4): number {
    this.need(at, count)
    let value = 0
    for (let i = 0; i < count; i++) value = value * 256 + this.data[at + i]!
    return value
  }

  /** @throws Cut */
  big(at: number, count: number): bigint {
    this.need(at, count)
    let value = 0n
    for (let i = 0; i < count; i++) value = (value << 8n) | BigInt(this.data[at + i]!)
    return value
  }

  mac(at: number): string {
    return formatMac(this.big(at, 6))
  }

  ipv4(at: number): string {
    return formatIpv4(this.big(at, 4))
  }

  /** Addresses that hold an IPv4 one show it (RFC 5952 §5). */
  ipv6(at: number): string {
    const value = this.big(at, 16)
    return value >> 32n === 0xffffn ? `::ffff:${formatIpv4(value & 0xffffffffn)}` : formatIpv6(value)
  }

  hex(at: number, count: number): string {
    let text = ''
    for (let i = 0; i < count; i++)
      text += this.number(at + i, 1)
        .toString(16)
        .padStart(2, '0')
    return text
  }

  /** A number of bytes as ASCII. */
  ascii(at: number, count: number): string {
    return String.fromCharCode(...this.data.subarray(at, Math.min(at + count, this.end)))
  }

  cut(): void {
    this.put(` [|${this.protocol}]`)
  }
}

/** A printer for what stands at `at`, `length` bytes of it by the headers around. */
export type Print = (p: Printer, at: number, length: number) => void

/** `0x` and at least so many digits. */
export const hex = (value: number, digits = 1): string => `0x${value.toString(16).padStart(digits, '0')}`
