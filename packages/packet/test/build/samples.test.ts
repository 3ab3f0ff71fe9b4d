// The builder against the Linux network stack: each packet of the shipped capture is written as text, without its lengths and checksums,
// and built again; the bytes must be those that the kernel sent.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildPacket } from '../../src/build/build.ts'
import { readCapture } from '../../src/capture/reader.ts'
import { FIELDS, type FieldId } from '../../src/fields.ts'
import type { ProtocolName } from '../../src/protocols.ts'
import { read } from '../../src/read.ts'

const COMPUTED = /\.(ihl|length|checksum|plen|doff|coverage)$/
/** Named again by other fields (`tos` is dscp and ecn), or by the layer that follows. */
const ALIASES = /^ipv4\.(tos|frag)$|^ipv6\.tclass$|^vlan\.type$|^eth\.length$/

const asHex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString('hex')}`

/** A header as text: every field that the builder does not compute. */
function header(proto: ProtocolName, data: Uint8Array, at: number, extra: readonly string[] = []): string {
  const settings = (Object.keys(FIELDS) as FieldId[])
    .filter((id) => FIELDS[id].proto === proto && !COMPUTED.test(id) && !ALIASES.test(id))
    .map((id) => `${id.slice(proto.length + 1)}=${read(id, data, at)}`)
  return `${proto}(${[...settings, ...extra].join(', ')})`
}

const L4: Readonly<Record<number, ProtocolName>> = { 1: 'icmp', 2: 'igmp', 6: 'tcp', 17: 'udp', 58: 'icmp6' }

function transport(data: Uint8Array, at: number, protocol: number): string[] {
  const proto = L4[protocol]
  // IGMPv3 reports have groups in place of the field of that name, but as many bytes.
  if (!proto) return [asHex(data.subarray(at))]
  const size = proto === 'tcp' ? (data[at + 12]! >> 4) * 4 : 8
  const options = size > 20 ? [`options=${asHex(data.subarray(at + 20, at + size))}`] : []
  return [header(proto, data, at, options), asHex(data.subarray(at + size))]
}

function ipv4(data: Uint8Array, at: number): string[] {
  const size = (data[at]! & 15) * 4
  const options = size > 20 ? [`options=${asHex(data.subarray(at + 20, at + size))}`] : []
  const fragment = ((data[at + 6]! << 8) | data[at + 7]!) & 0x3fff
  const rest = fragment ? [asHex(data.subarray(at + size))] : transport(data, at + size, data[at + 9]!)
  return [header('ipv4', data, at, options), ...rest]
}

const EXTENSIONS = [0, 44, 60]

function ipv6(data: Uint8Array, at: number): string[] {
  const next = data[at + 6]!
  const rest = EXTENSIONS.includes(next) ? [asHex(data.subarray(at + 40))] : transport(data, at + 40, next)
  return [header('ipv6', data, at), ...rest]
}

/** A captured frame as text. */
function describeFrame(data: Uint8Array): string {
  const tags: string[] = []
  let at = 12
  const type = () => (data[at]! << 8) | data[at + 1]!
  for (; type() === 0x8100 || type() === 0x88a8; at += 4) tags.push(header('vlan', data, at))
  const eth = `eth(dst=${read('eth.dst', data, 0)}, src=${read('eth.src', data, 0)}, type=${type()})`
  const net = at + 2
  const layers = () => {
    if (type() === 0x0800) return ipv4(data, net)
    if (type() === 0x86dd) return ipv6(data, net)
    if (type() === 0x0806) return [header('arp', data, net), asHex(data.subarray(net + 28))]
    return [asHex(data.subarray(net))]
  }
  return [eth, ...tags, ...layers()].join(' / ')
}

test('every packet of talk.pcap, built from its text, is what the kernel sent', () => {
  const file = join(import.meta.dirname, '../../../../samples/talk.pcap')
  const { records } = readCapture('talk.pcap', readFileSync(file))
  const seen: Record<string, number> = {}
  for (const { data, index } of records) {
    const text = describeFrame(data)
    const { value, diagnostics } = buildPacket(text)
    expect([index, text, diagnostics]).toEqual([index, text, []])
    expect([index, text, asHex(value!.data)]).toEqual([index, text, asHex(data)])
    for (const [, name] of text.matchAll(/(\w+)\(/g)) seen[name!] = (seen[name!] ?? 0) + 1
  }
  // The capture must exercise each of these, or the test above says little.
  const least = { eth: 1000, vlan: 100, arp: 5, ipv4: 500, ipv6: 300, tcp: 500, udp: 100, icmp: 20, icmp6: 20, igmp: 2 }
  for (const [name, count] of Object.entries(least)) expect(seen[name], name).toBeGreaterThanOrEqual(count)
})
