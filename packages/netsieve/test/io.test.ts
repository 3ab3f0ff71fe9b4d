import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { writeCapture } from '@netsieve/packet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { captureParts, concat, OutputFile, readText, Trouble, writeOutput } from '../src/cli/io.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netsieve-io-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const path = (name: string) => join(folder, name)
/** 2,000 packets that gzip cannot make small: bytes of a linear congruence. */
const CAPTURE = writeCapture(
  Array.from({ length: 2000 }, (_, i) => {
    let state = i + 1
    const next = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return state >> 16
    }
    return { data: Uint8Array.from({ length: 60 }, next), linkType: 1 }
  }),
  { format: 'pcap' },
)

function packets(file: string): number {
  return [...captureParts(file)].filter(({ kind }) => kind === 'packet').length
}

describe('captureParts', () => {
  it('reads plain and packed captures', () => {
    writeFileSync(path('a.pcap'), CAPTURE)
    writeFileSync(path('a.pcap.gz'), gzipSync(CAPTURE))
    expect(packets(path('a.pcap'))).toBe(2000)
    expect(packets(path('a.pcap.gz'))).toBe(2000)
  })

  it('reads a packed capture that is cut up to there', () => {
    const packed = gzipSync(CAPTURE)
    writeFileSync(path('cut.gz'), packed.subarray(0, packed.length >> 1))
    const half = packets(path('cut.gz'))
    expect(half).toBeGreaterThan(800)
    expect(half).toBeLessThan(1200)
  })

  it('refuses packed rubbish', () => {
    const rubbish = Uint8Array.of(0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 255, 255, 255)
    writeFileSync(path('bad.gz'), rubbish)
    expect(() => packets(path('bad.gz'))).toThrow(/bad\.gz: error: cannot be unpacked/)
    expect(() => packets(path('bad.gz'))).toThrow(Trouble)
  })

  it('unpacks what is far larger than it was packed, a piece at a time', () => {
    const zeros = new Uint8Array(1 << 18)
    const many = Array.from({ length: 256 }, () => ({ data: zeros, linkType: 1 }))
    writeFileSync(path('zeros.gz'), gzipSync(writeCapture(many, { format: 'pcap' })))
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const held = () => {
      collect()
      return process.memoryUsage().arrayBuffers
    }
    const before = held()
    let count = 0
    let most = 0
    for (const part of captureParts(path('zeros.gz'))) {
      if (part.kind === 'packet' && ++count % 32 === 0) most = Math.max(most, held() - before)
    }
    expect(count).toBe(256)
    expect(most).toBeLessThan(24 << 20)
  })
})

describe('writeOutput', () => {
  it('leaves no part behind', () => {
    writeOutput(path('new'), 'one')
    writeOutput(path('new'), 'two')
    expect(readFileSync(path('new'), 'utf8')).toBe('two')
    expect(() => writeOutput(folder, 'x')).toThrow(/this is a directory/)
    expect(() => writeOutput(path('no/where'), 'x')).toThrow(/there is no such folder/)
    symlinkSync('round', path('round'))
    expect(() => writeOutput(path('x'.repeat(300)), 'x')).toThrow(/error: the name is too long \[/)
    expect(() => writeOutput(path('round'), 'x')).toThrow(/error: links lead round in a circle \[/)
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
    expect(existsSync(`${folder}.${process.pid}.part`)).toBe(false)
  })

  it('writes through a link', () => {
    writeFileSync(path('target'), '')
    symlinkSync(path('target'), path('link'))
    writeOutput(path('link'), 'through')
    expect(lstatSync(path('link')).isSymbolicLink()).toBe(true)
    expect(readFileSync(path('target'), 'utf8')).toBe('through')
    // What is read meanwhile stays whole until the end: the two may be one file.
    const file = new OutputFile(path('link'))
    file.write(new TextEncoder().encode('half'))
    expect(readFileSync(path('target'), 'utf8')).toBe('through')
    file.abort()
    expect(readFileSync(path('target'), 'utf8')).toBe('through')
    symlinkSync(path('nowhere yet'), path('dangling'))
    writeOutput(path('dangling'), 'made')
    expect(readFileSync(path('nowhere yet'), 'utf8')).toBe('made')
  })

  it.skipIf(!existsSync('/dev/shm'))('replaces files in shared memory when they are whole, as anywhere', () => {
    const shared = mkdtempSync('/dev/shm/netsieve-io-')
    try {
      const file = new OutputFile(join(shared, 'out'))
      file.write(new TextEncoder().encode('whole'))
      expect(existsSync(join(shared, 'out'))).toBe(false)
      expect(file.places).toMatchObject({ end: 5 })
      file.commit()
      expect(readFileSync(join(shared, 'out'), 'utf8')).toBe('whole')
    } finally {
      rmSync(shared, { recursive: true })
    }
  })

  it.skipIf(process.platform === 'win32')('leaves a file as private as it was', () => {
    writeFileSync(path('private'), '', { mode: 0o600 })
    writeOutput(path('private'), 'secret')
    expect(statSync(path('private')).mode & 0o777).toBe(0o600)
  })

  it.skipIf(process.platform === 'win32')('writes into a pipe, which stays one', async () => {
    const fifo = path('fifo')
    await once(spawn('mkfifo', [fifo]), 'exit')
    const reader = spawn('cat', [fifo])
    let read = ''
    reader.stdout.setEncoding('utf8').on('data', (text: string) => {
      read += text
    })
    writeOutput(fifo, 'into the pipe')
    await once(reader, 'close')
    expect(read).toBe('into the pipe')
    expect(statSync(fifo).isFIFO()).toBe(true)
  })
})

it('refuses bytes as text', () => {
  writeFileSync(path('zero'), 'ab\0c')
  expect(() => readText(path('zero'))).toThrow(/zero: error: this is no text: byte 2 is 0/)
})

it('writes a text that comes in pieces, and no file without a name', () => {
  const pieces = ['{', 'x'.repeat(3 << 20), 'é', '}']
  writeOutput(path('pieces'), pieces)
  expect(readText(path('pieces')).text).toBe(`${pieces.join('')}\n`)
  expect(() => writeOutput('', 'a')).toThrow(/a file to write has no name/)
})

it('concat joins', () => {
  expect(concat([Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)])).toEqual(Uint8Array.of(1, 2, 3))
})
