// Frames for properties: those of the shipped captures, with bytes changed and ends cut.

import { readFileSync } from 'node:fs'
import { locate, VIEWS, type ViewName } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import fc from 'fast-check'

function load(path: string): Uint8Array[] {
  const bytes = readFileSync(new URL(`../../${path}`, import.meta.url))
  // Copies: a slice of one of Node's buffers is none, and `frame` changes bytes.
  return readCapture(path, bytes).records.map(({ data }) => Uint8Array.from(data.subarray(0, 256)))
}

/** One frame of each shape: what headers follow one another. Shapes that are rare in a capture count as much as common ones. */
function byShape(frames: readonly Uint8Array[]): Uint8Array[] {
  const shapes = new Map<string, Uint8Array>()
  for (const frame of frames) {
    const shape = [
      frame[12],
      frame[13],
      frame[14]! & 0xf,
      frame[16],
      frame[17],
      frame[20]! & 0x3f,
      frame[21],
      frame[23],
      frame[20],
      frame.length < 60,
    ].join()
    if (!shapes.has(shape)) shapes.set(shape, frame)
  }
  return [...shapes.values()]
}

export const FRAMES: readonly Uint8Array[] = byShape([
  ...load('samples/talk.pcap'),
  ...load('samples/vlan.pcapng'),
  ...load('test/golden/captures/base.pcap'),
])

/** A frame of a capture, perhaps with a few bytes of its headers changed, perhaps cut. */
export const frame: fc.Arbitrary<Uint8Array> = fc
  .record({
    from: fc.constantFrom(...FRAMES),
    changes: fc.array(
      fc.record({
        at: fc.nat(80),
        value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 6, 17, 44, 51, 60, 0x45, 0x46, 0x81)),
      }),
      { maxLength: 3 },
    ),
    cut: fc.option(fc.nat(120), { nil: undefined, freq: 3 }),
  })
  .map(({ from, changes, cut }) => {
    const bytes = from.slice(0, cut ?? from.length)
    for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value
    return bytes
  })

/** What sockets and netfilter's hooks get: IPv4 and IPv6 packets, with no tag that the view does not take off. */
export function arrives(view: ViewName, bytes: Uint8Array): boolean {
  const { seen, nfproto, net } = locate(VIEWS[view], bytes)
  return seen && nfproto !== undefined && net !== undefined
}
