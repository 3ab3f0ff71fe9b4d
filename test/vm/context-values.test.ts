// What each load of a context's field gives, by program type, offset and size: the golden is a test run of Linux 6.18 (context-values.record.py).

import { readFileSync } from 'node:fs'
import { type Bytes, Code, type ProgTypeName } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

interface Golden {
  readonly frames: readonly string[]
  /** By type, offset and size: a number for each frame. */
  readonly values: Readonly<Record<string, readonly string[]>>
}
const golden: Golden = JSON.parse(readFileSync(new URL('context-values.golden.json', import.meta.url), 'utf8'))
const frames = golden.frames.map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')))

function reading(offset: number, size: Bytes): Code {
  const code = new Code()
  code.load(size, 0, 1, offset)
  code.exit()
  return code
}

describe.each(['interpreter', 'jit'] as const)('%s', (engine) => {
  test.each(['xdp', 'sched_cls', 'cgroup_skb', 'socket_filter'] satisfies ProgTypeName[])('%s', (type) => {
    const rows = Object.entries(golden.values).filter(([key]) => key.startsWith(`${type} `))
    expect(rows.length).toBeGreaterThan(type === 'xdp' ? 1 : 100)
    const ours = rows.map(([key]) => {
      const [offset, size] = key.split(' ').slice(1).map(Number)
      const machine = load(reading(offset!, size as Bytes).layout(), { type, engine, patience: 0 })
      return [key, frames.map((frame) => `0x${machine.run(frame).r0Long.toUnsigned().toString(16)}`)]
    })
    expect(ours).toEqual(rows)
  })

  test('a batch reads the same as runs one by one', () => {
    for (const offset of [16, 88, 92, 96, 100, 128]) {
      const machine = load(reading(offset, 4).layout(), { type: 'cgroup_skb', engine, patience: 0 })
      const batch = machine.batch()
      let at = 0
      for (const frame of frames) {
        const head = new DataView(new ArrayBuffer(16))
        head.setUint32(8, frame.length, true)
        head.setUint32(12, frame.length, true)
        batch.input.set(new Uint8Array(head.buffer), at)
        batch.input.set(frame, at + 16)
        at += 16 + frame.length
      }
      const { r0 } = batch.run(at)
      expect([...r0].map((n) => `0x${(n >>> 0).toString(16)}`)).toEqual(golden.values[`cgroup_skb ${offset} 4`])
    }
  })

  test("a socket's addresses and ports, where the packet's is known", () => {
    const four = { protocol: 'tcp', local: Uint8Array.of(10, 0, 0, 9), localPort: 443, remote: Uint8Array.of(10, 0, 0, 8), remotePort: 5000 } as const // biome-ignore format: one socket
    const six = { protocol: 'udp', local: new Uint8Array(16).fill(7), localPort: 53 } as const
    const read = (offset: number, socket: number): number =>
      load(reading(offset, 4).layout(), {
        type: 'cgroup_skb',
        engine,
        patience: 0,
        world: { sockets: [four, six] },
      }).run(frames[0]!, { socket }).r0 >>> 0
    expect([88, 92, 96, 132, 136].map((at) => read(at, 0))).toEqual([2, 0x0800000a, 0x0900000a, 0x88130000, 443])
    expect([88, 92, 96, 100, 116, 128, 132, 136].map((at) => read(at, 1))).toEqual([
      10, 0, 0, 0, 0x07070707, 0x07070707, 0, 53,
    ])
  })
})
