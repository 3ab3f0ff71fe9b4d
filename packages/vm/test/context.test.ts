// Which loads and stores of the context are allowed, for every offset and size: the golden is what Linux 6.18 accepted.

import { readFileSync } from 'node:fs'
import { PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { describe, expect, test } from 'vitest'
import { contextAccess, packetTypeOf, protocolOf } from '../src/context.ts'

interface Golden {
  /** By type: offsets at which `r4`, `rw4`, … is allowed. */
  readonly access: Readonly<Record<ProgTypeName, Readonly<Record<string, readonly number[]>>>>
}
const golden: Golden = JSON.parse(readFileSync(new URL('context.golden.json', import.meta.url), 'utf8'))

test.each(Object.keys(PROG_TYPES) as ProgTypeName[])('%s', (type) => {
  const { size, load, store } = contextAccess(type)
  const ours: Record<string, number[]> = {}
  for (const bytes of [1, 2, 4, 8]) {
    for (let at = 0; at + bytes <= size; at += bytes) {
      const place = at * 4 + Math.log2(bytes)
      const how = `${load[place] ? 'r' : ''}${store[place] ? 'w' : ''}`
      const key = `${how}${bytes}`
      if (how) ours[key] = [...(ours[key] ?? []), at]
    }
  }
  expect(ours).toEqual(golden.access[type])
})

describe('what a frame says of itself', () => {
  const frame = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.padEnd(40, '0'), 'hex'))
  test.each([
    ['ffffffffffff0200000000020800', 0x0800, 1],
    ['01005e0000010200000000020800', 0x0800, 2],
    ['00000000000002000000000286dd', 0x86dd, 0],
    ['0200000000010200000000020026', 0x0004, 3],
    ['0200000000010200000000020026ffff', 0x0001, 3],
  ])('%s', (hex, protocol, packetType) => {
    const bytes = frame(hex)
    expect(protocolOf(bytes, 0, bytes.length)).toBe(protocol)
    expect(packetTypeOf(bytes, 0, bytes.length)).toBe(packetType)
  })
})
