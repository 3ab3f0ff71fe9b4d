import { code } from '@netsieve/diag'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CaptureReader, filterCapture, readCapture } from '../../src/capture/reader.ts'
import { timestampNs } from '../../src/capture/record.ts'
import { writeCapture } from '../../src/capture/write.ts'
import { hex } from './hex.ts'

// Two packets, of 4 bytes (of 60 on the link) and of 1 byte, at 1.000005 s and 2.000000 s (0.000005 s is 5000 ns).
const LITTLE = hex(`d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000
  01000000 05000000 04000000 3c000000 aabbccdd
  02000000 00000000 01000000 01000000 ee`)
const BIG = hex(`a1b2c3d4 0002 0004 00000000 00000000 00040000 00000001
  00000001 00000005 00000004 0000003c aabbccdd
  00000002 00000000 00000001 00000001 ee`)
const LITTLE_NS = hex(`4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000
  01000000 88130000 04000000 3c000000 aabbccdd
  02000000 00000000 01000000 01000000 ee`)
const BIG_NS = hex(`a1b23c4d 0002 0004 00000000 00000000 00040000 00000001
  00000001 00001388 00000004 0000003c aabbccdd
  00000002 00000000 00000001 00000001 ee`)

const all = (reader: CaptureReader) => {
  const records = []
  for (let record = reader.next(); record; record = reader.next()) records.push(record)
  return records
}

describe('pcap', () => {
  test.each([
    ['little endian, microseconds', LITTLE, true, false],
    ['big endian, microseconds', BIG, false, false],
    ['little endian, nanoseconds', LITTLE_NS, true, true],
    ['big endian, nanoseconds', BIG_NS, false, true],
  ])('%s', (_, bytes, little, nanoseconds) => {
    const { format, records, diagnostics } = readCapture('x.pcap', bytes)
    expect(diagnostics).toEqual([])
    expect(format).toEqual({ format: 'pcap', little, nanoseconds, version: '2.4', snaplen: 0x40000, linkType: 1 })
    expect(records.map(timestampNs)).toEqual([1_000_005_000n, 2_000_000_000n])
    expect(records.map(({ index, linkType, originalLength }) => [index, linkType, originalLength])).toEqual([
      [0, 1, 60],
      [1, 1, 1],
    ])
    expect(records.map((record) => [...record.data])).toEqual([[0xaa, 0xbb, 0xcc, 0xdd], [0xee]])
    expect(records[0]!.raw).toEqual(bytes.subarray(24, 44))
    expect(records[0]!.data.buffer).toBe(bytes.buffer)
  })

  test('before version 2.3 the lengths stand the other way round, in 2.3 the smaller one was captured', () => {
    const swapped = (minor: number, first: number, second: number) => {
      const bytes = LITTLE.slice(0, 44)
      bytes[6] = minor
      bytes[32] = first
      bytes[36] = second
      const record = readCapture('x', bytes).records[0]!
      return [record.data.length, record.originalLength]
    }
    expect(swapped(2, 60, 4)).toEqual([4, 60])
    expect(swapped(3, 60, 4)).toEqual([4, 60])
    expect(swapped(3, 4, 60)).toEqual([4, 60])
  })

  test('the length of the frame check sequence, and what else stands beside the link type', () => {
    const bytes = LITTLE.slice()
    bytes.set(hex('010000 24'), 20) // 2 units of 16 bits, the flag that says so
    expect(readCapture('x', bytes).format).toMatchObject({ linkType: 1, fcsBytes: 4 })
  })

  test.each([
    ['a version that is not known', 4, '0300', 'capture/version', 0],
    ['a record of 4 GB', 32, 'ffffffff', 'capture/length', 0],
    ['a record of 262,145 bytes', 32, '01000400', 'capture/length', 0],
    ['a second record of 2 GB', 52, 'ffffff7f', 'capture/length', 1],
    ['a record longer than the file', 32, '00010000', 'capture/cut', 0],
  ])('%s', (_, at, patch, what, packets) => {
    const bytes = LITTLE.slice()
    bytes.set(hex(patch), at)
    const { records, diagnostics } = readCapture('x', bytes)
    expect([code(diagnostics), records.length]).toEqual([[what], packets])
  })

  test('a microsecond field above a second carries over', () => {
    const bytes = LITTLE.slice(0, 44)
    bytes.set(hex('41420f00'), 28) // 1000001
    expect(timestampNs(readCapture('x', bytes).records[0]!)).toBe(2_000_001_000n)
  })
})

describe('cut files', () => {
  test('at every byte: the whole records before it, and where it is cut', () => {
    for (let size = 4; size < LITTLE.length; size++) {
      const { records, diagnostics } = readCapture('x.pcap', LITTLE.subarray(0, size))
      expect(records.length).toBe(size < 44 ? 0 : 1)
      if (size === 24 || size === 44) expect(diagnostics).toEqual([])
      else {
        expect(diagnostics).toMatchObject([{ code: 'capture/cut', severity: size < 24 ? 'error' : 'warning' }])
        expect(diagnostics[0]!.message).toContain(`cut at byte ${size}:`)
      }
    }
  })

  test('the message names byte and packet', () => {
    expect(readCapture('x.pcap', LITTLE.subarray(0, 50)).diagnostics[0]!.message).toBe(
      'x.pcap: at byte 44, packet 1 (counted from 0): the capture is cut at byte 50: 6 of at least 16 bytes are there',
    )
  })
})

describe('what is no capture', () => {
  test.each([
    ['', 'the file is empty'],
    ['table inet filter {\n  chain input {', 'it starts with the text "table inet filter {"'],
    ['-A\tINPUT', 'it starts with the text "-A INPUT"'],
    ['# é', 'it starts with the text "# ??"'],
    [hex('1f8b0800'), 'it is compressed by gzip'],
    [hex('34cdb2a1'), 'it is a pcap capture of the variant by A. Kuznetsov (magic 0xa1b2cd34)'],
    [hex('a12b3c4d'), 'it is a pcap capture of the variant by Navtel (magic 0xa12b3c4d)'],
    [hex('7f454c4602'), 'it is an ELF object'],
    [hex('00010203'), 'it starts with the bytes 00 01 02 03'],
    [hex('d4c3b2'), 'it starts with the bytes d4 c3 b2'],
  ])('%j', (content, found) => {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    const { format, records, diagnostics } = readCapture('x', bytes)
    expect([format, records]).toEqual([undefined, []])
    expect(diagnostics).toEqual([
      { severity: 'error', code: 'capture/magic', message: `x: not a pcap or pcapng capture: ${found}` },
    ])
  })
})

describe('link types', () => {
  test('one that we do not read is told once, and its packets can still be copied', () => {
    const bytes = LITTLE.slice()
    bytes[20] = 147
    const { records, diagnostics } = readCapture('x', bytes)
    expect(code(diagnostics)).toEqual(['capture/link-type'])
    expect(diagnostics[0]!.message).toContain('link type 147 ')
    expect(diagnostics[0]!.expected).toContain('LINUX_SLL2')
    expect(records.length).toBe(2)
  })

  test('no packets, nothing to complain of', () => {
    const bytes = LITTLE.slice(0, 24)
    bytes[20] = 147
    expect(readCapture('x', bytes).diagnostics).toEqual([])
  })
})

const somePackets = fc.array(
  fc.record({
    sec: fc.nat(2 ** 31),
    nsec: fc.nat(999_999).map((us) => us * 1000),
    data: fc.uint8Array({ maxLength: 90 }),
  }),
  { maxLength: 12 },
)
const someCapture = fc
  .tuple(somePackets, fc.constantFrom('pcap' as const, 'pcapng' as const), fc.boolean(), fc.boolean())
  .map(([packets, format, little, nanoseconds]) =>
    writeCapture(
      packets.map((packet) => ({ ...packet, linkType: 1 })),
      { format, little, nanoseconds },
    ),
  )

/** Cuts bytes at the given places. */
function chunks(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const out = []
  let at = 0
  for (const size of sizes) {
    out.push(bytes.slice(at, at + size))
    at += size
  }
  return [...out, bytes.slice(at)]
}

describe('properties', () => {
  test('chunks of any size give the same as the whole file', () => {
    fc.assert(
      fc.property(someCapture, fc.array(fc.nat(40), { maxLength: 30 }), (bytes, sizes) => {
        const reader = new CaptureReader('x')
        const records = []
        for (const chunk of chunks(bytes, sizes)) {
          reader.push(chunk)
          records.push(...all(reader))
        }
        reader.end()
        records.push(...all(reader))
        const whole = readCapture('x', bytes)
        expect(records).toEqual(whole.records)
        expect([reader.format, reader.diagnostics]).toEqual([whole.format, whole.diagnostics])
      }),
    )
  })

  test('the parts of a file, one after the other, are the file', () => {
    fc.assert(
      fc.property(someCapture, (bytes) => {
        expect(filterCapture('x', bytes, () => true)).toEqual(bytes)
      }),
    )
  })

  test('mutated captures end, inside their bytes, with no more packets than fit', () => {
    const patch = fc.tuple(
      fc.nat(),
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 4 }),
        fc.constantFrom(hex('ffffffff'), hex('0000'), hex('ffffff7f')),
      ),
    )
    fc.assert(
      fc.property(someCapture, fc.array(patch, { minLength: 1, maxLength: 6 }), fc.nat(), (original, patches, cut) => {
        const bytes = original.slice(0, original.length - (cut % 3 ? 0 : cut % original.length))
        for (const [at, patched] of patches) {
          const room = bytes.length - patched.length
          if (room >= 0) bytes.set(patched, at % (room + 1))
        }
        const { records } = readCapture('x', bytes)
        expect(records.length).toBeLessThanOrEqual(bytes.length / 16)
        let from = 0
        for (const { index, raw, data, sec, nsec } of records) {
          expect(raw.byteOffset).toBeGreaterThanOrEqual(from)
          from = raw.byteOffset + raw.length
          expect(data.byteOffset + data.length).toBeLessThanOrEqual(from)
          expect(records[index]!.raw).toBe(raw)
          expect(Number.isInteger(sec) && nsec >= 0 && nsec < 1e9).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

test('chunks that always end inside a record', () => {
  const reader = new CaptureReader('x')
  const record = LITTLE.subarray(24, 44)
  reader.push(LITTLE.subarray(0, 24))
  let packets = 0
  for (let i = 0; i < 20_000; i++) {
    reader.push(record.slice(0, 7))
    reader.push(record.slice(7))
    packets += all(reader).length
  }
  reader.end()
  expect([packets, reader.next(), reader.diagnostics]).toEqual([20_000, undefined, []])
})

test('the longest record, byte by byte, takes linear time', () => {
  const reader = new CaptureReader('x')
  const bytes = LITTLE.slice(0, 40)
  bytes.set(hex('00000400'), 32)
  reader.push(bytes)
  const chunk = new Uint8Array(1)
  for (let i = 0; i < 2 ** 18; i++) {
    if (reader.next()) throw new Error(`a record after ${i} chunks`)
    reader.push(chunk)
  }
  expect(reader.next()?.data.length).toBe(2 ** 18)
})
