// A capture's bytes come whole and in order, whatever is left of each piece.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { FEED_BYTES, Feed, Pace, PIECE } from '../../packages/netsieve/src/cli/feed.ts'
import { OutputFile } from '../../packages/netsieve/src/cli/io.ts'

const folder = mkdtempSync(join(tmpdir(), 'netsieve-feed-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Bytes that tell where they stand. */
function fileOf(length: number): { readonly path: string; readonly bytes: Uint8Array } {
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, (_, i) => Math.imul(i, 0x9e3779b1))
  const bytes = new Uint8Array(words.buffer).subarray(0, length)
  const path = join(folder, `${length}.bin`)
  writeFileSync(path, bytes)
  return { path, bytes }
}

/** What a feed gives, when some bytes at the end of each piece are left for the next. */
async function gathered(
  path: string,
  from: number | null,
  left: (piece: number) => number,
  pace?: Pick<Pace, 'begin' | 'ahead'>,
) {
  const fd = openSync(path, 'r')
  const memory = new Uint8Array(FEED_BYTES)
  const parts: Uint8Array[] = []
  try {
    const feed = new Feed(fd, 'a file', () => memory, from, pace)
    for (let i = 0; ; i++) {
      const piece = await feed.next()
      const end = piece.last ? piece.to : Math.max(piece.from, piece.to - left(i))
      parts.push(memory.slice(piece.from, end))
      expect(feed.keep(end, piece.to)).toBe(true)
      if (piece.last) return { bytes: Buffer.concat(parts), position: feed.position }
    }
  } finally {
    closeSync(fd)
  }
}

const LENGTHS = [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 7 * PIECE + 12345]

test.each(LENGTHS)('%i bytes of a file, in pieces', async (length) => {
  const { path, bytes } = fileOf(length)
  for (const from of [0, Math.min(24, length)]) {
    const { bytes: got, position } = await gathered(path, from, (i) => (i * 7919) % 100_000)
    expect(got.equals(bytes.subarray(from))).toBe(true)
    expect(position).toBe(length)
  }
  for (const ahead of [() => false, (turn: number) => turn % 5 < 2, (turn: number) => turn % 3 === 1]) {
    const ways: boolean[] = []
    const pace = { begin: (_: number, way: boolean) => void ways.push(way), ahead }
    expect((await gathered(path, 0, (i) => (i * 7919) % 100_000, pace)).bytes.equals(bytes)).toBe(true)
    if (length > 4 * PIECE) expect(new Set(ways).size).toBe(2)
  }
  // As from a pipe: where the file stands, without positions.
  expect((await gathered(path, null, (i) => (i * 104_729) % PIECE)).bytes.equals(bytes)).toBe(true)
})

test('the way of reading that is faster is taken, and found out again', () => {
  let clock = 0
  const pace = new Pace(() => clock)
  const pieces = (count: number, cost: (ahead: boolean) => number): boolean[] =>
    Array.from({ length: count }, () => {
      const ahead = turn === 0 || pace.ahead(turn - 1)
      pace.begin(turn++, ahead)
      clock += cost(ahead)
      return ahead
    })
  let turn = 0
  const share = (ways: readonly boolean[]): number => ways.filter(Boolean).length / ways.length
  // Slow at first, whichever way.
  pieces(5, () => 50)
  expect(share(pieces(300, (ahead) => (ahead ? 2 : 3)))).toBeGreaterThan(0.9)
  pieces(160, (ahead) => (ahead ? 9 : 4))
  expect(share(pieces(320, (ahead) => (ahead ? 9 : 4)))).toBeLessThan(0.15)
  pieces(160, (ahead) => (ahead ? 2 : 3))
  expect(share(pieces(320, (ahead) => (ahead ? 2 : 3)))).toBeGreaterThan(0.9)
})

test('as much as a piece may be left of one, and no more', async () => {
  const { path, bytes } = fileOf(5 * PIECE)
  const { bytes: got } = await gathered(path, 0, (i) => (i % 2 === 0 ? PIECE : 0))
  expect(got.equals(bytes)).toBe(true)
  const fd = openSync(path, 'r')
  const feed = new Feed(fd, 'a file', () => new Uint8Array(FEED_BYTES), null)
  await feed.next()
  expect(feed.keep(0, PIECE + 1)).toBe(false)
  closeSync(fd)
})

test('what cannot be read is told when it is asked for', async () => {
  const memory = new Uint8Array(FEED_BYTES)
  // A directory can be opened, but not read.
  const directory = openSync(folder, 'r')
  await expect(new Feed(directory, 'a folder', () => memory, 0).next()).rejects.toThrow(
    /^a folder: error: this is a directory \[io\/read\]$/,
  )
  closeSync(directory)
})

test('much is written behind, little at once, all in its place', async () => {
  const path = join(folder, 'out')
  const output = new OutputFile(path)
  const wanted: Uint8Array[] = []
  // Two areas in turn, as those who write behind use them.
  const areas = [areaOf(300_000), areaOf(300_000)]
  for (let i = 0; i < 40; i++) {
    const bytes = areas[i % 2]!.subarray(0, i % 3 === 0 ? 1000 + i : 150_000 + i * 1000).fill(i + 1)
    wanted.push(bytes.slice())
    await output.writeBehind(bytes)
  }
  await output.settled()
  output.commit()
  expect(readFileSync(path).equals(Buffer.concat(wanted))).toBe(true)
})

test('a write that fails behind is told by the next one, or at the end', async () => {
  for (const next of [
    (output: OutputFile) => output.settled(),
    (output: OutputFile) => output.writeBehind(areaOf(10)),
  ]) {
    const output = new OutputFile(join(folder, 'failing'))
    closeSync(output.places!.fd)
    await output.writeBehind(areaOf(200_000))
    await expect(next(output)).rejects.toThrow(/failing: error: .*EBADF.* \[io\/write\]$/)
  }
})

const areaOf = (length: number) => new Uint8Array(length).fill(7)
