// A capture's bytes, piece by piece, in the memory in which they are judged. A plain file is read ahead: while one piece is judged, a thread of
// Node's pool reads the next ones. What is left of a piece, the start of a record, is put before the next one, so that records lie whole.

import { fstatSync, read } from 'node:fs'
import { readSome, reason, Trouble } from './io.ts'

/** Bytes of a piece, and of the room before it: the longest record that is sure to be judged. */
export const PIECE = 1 << 21
const PIECES = 3

// One thread, which reads them one after the other: more would take turns with the one that judges. The pool starts with its first task.
process.env.UV_THREADPOOL_SIZE ??= '1'

/** Bytes of memory that a feed needs. */
export const FEED_BYTES = PIECES * 2 * PIECE

export interface Piece {
  /** Where it lies in the memory: what was left of the one before, then what was read. */
  readonly from: number
  readonly to: number
  /** Nothing follows it. */
  readonly last: boolean
}

export class Feed {
  /** Where the next byte is in the file; null where there are no positions, in pipes. */
  position: number | null
  private readonly fd: number
  private readonly name: string
  /** The memory: a view that is good now. */
  private readonly memory: () => Uint8Array
  private readonly reading: Promise<number>[] = []
  private turn = 0
  private left = { from: 0, to: 0 }

  /**
   * Begins to read.
   * @param memory FEED_BYTES of it
   * @param position where to begin in the file; null: where it stands
   */
  constructor(fd: number, name: string, memory: () => Uint8Array, position: number | null) {
    this.fd = fd
    this.name = name
    this.memory = memory
    this.position = position
    if (position !== null && fstatSync(fd).isFile())
      for (let turn = 0; turn < PIECES - 1; turn++) this.readAhead(turn, position + turn * PIECE)
  }

  /** The next piece. @throws Trouble if it cannot be read */
  async next(): Promise<Piece> {
    const { turn, left } = this
    const at = (turn % PIECES) * 2 * PIECE + PIECE
    const ahead = this.reading[turn % PIECES]
    const memory = this.memory()
    const got = await (ahead ?? readSome(this.fd, memory.subarray(at, at + PIECE), this.name, this.position))
    const from = at - (left.to - left.from)
    memory.copyWithin(from, left.from, left.to)
    const last = ahead ? got < PIECE : got === 0
    if (this.position !== null) this.position += got
    if (ahead && !last) this.readAhead(turn + PIECES - 1, this.position! + (PIECES - 2) * PIECE)
    this.turn++
    return { from, to: at + got, last }
  }

  /** Keeps what is left of a piece for the next one. @returns false if it is too much */
  keep(from: number, to: number): boolean {
    this.left = { from, to }
    return to - from <= PIECE
  }

  private readAhead(turn: number, position: number): void {
    const at = (turn % PIECES) * 2 * PIECE + PIECE
    const reading = readWhole(this.fd, this.memory().subarray(at, at + PIECE), position, this.name)
    // Who waits for it is told of an error then.
    reading.catch(() => {})
    this.reading[turn % PIECES] = reading
  }
}

/** Fills the bytes from a place of a file on. @returns how many there were @throws Trouble */
function readWhole(fd: number, into: Uint8Array, position: number, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const from = (done: number): void =>
      read(fd, into, done, into.length - done, position + done, (error, count) => {
        if (error) reject(new Trouble(`${name}: error: ${reason(error)} [io/read]`))
        else if (count === 0 || done + count === into.length) resolve(done + count)
        else from(done + count)
      })
    from(0)
  })
}
