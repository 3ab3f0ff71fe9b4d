// One line a packet against what tcpdump -n -S -t prints: pcap-summary.golden.json, recorded by pcap-summary.record.py.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Conversations, readCapture, summarize } from '@netsieve/packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const golden: {
  tool: string
  rows: { capture: string; packet: number; link: boolean; text: string }[]
  talk: string[]
} = JSON.parse(readFileSync(join(import.meta.dirname, 'pcap-summary.golden.json'), 'utf8'))

const captures = new Map(
  [...new Set(golden.rows.map(({ capture }) => capture))].map((name) => [
    name,
    readCapture(name, readFileSync(join(import.meta.dirname, name))).records,
  ]),
)

test(`${golden.tool} was asked`, () => {
  expect(golden.rows.length).toBeGreaterThan(800)
})

test.each(golden.rows)('$text', ({ capture, packet, link, text }) => {
  const { data, linkType, originalLength } = captures.get(capture)![packet]!
  expect(summarize(data, { linkType, wireLength: originalLength, link })).toBe(text)
})

test('numbers of TCP count from the start of their connection', () => {
  const conversations: Conversations = new Map()
  const { records } = readCapture('talk', readFileSync(join(import.meta.dirname, '../../samples/talk.pcap')))
  const lines = new Set(records.map(({ data, linkType, originalLength }) => summarize(data, { linkType, wireLength: originalLength, conversations }))) // biome-ignore format: one call
  expect(golden.talk.length).toBeGreaterThan(300)
  expect(golden.talk.filter((line) => !lines.has(line))).toEqual([])
})

test('any bytes have a line', () => {
  const types = fc.constantFrom([8, 0], [0x86, 0xdd], [8, 6], [0x81, 0], [0, 9])
  const frame = fc
    .tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), types, fc.uint8Array({ maxLength: 90 }), fc.nat(100))
    .map(([start, type, rest, cut]) => Uint8Array.from([...start, ...type, ...rest]).slice(0, cut))
  fc.assert(
    fc.property(frame, fc.boolean(), fc.constantFrom(1, 101, 113, 0, 9999), (data, link, linkType) => {
      expect(summarize(data, { link, linkType })).toMatch(/^[^\n]+$/)
    }),
    { numRuns: 2000 },
  )
})
