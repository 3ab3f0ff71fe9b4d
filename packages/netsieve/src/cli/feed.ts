// A capture's bytes, piece by piece, in the memory in which they are judged. A plain file is read ahead where that is faster: while one
// piece is judged, a thread of Node's pool reads the next ones. What is left of a piece, the start of a record, is put before the next one, so that records lie whole.

import { read } from 'node:fs'
import { readSome, reason, Trouble } from './io.ts'

/** Bytes of a piece, and of the room before it: far more than the longest record that is judged. */
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
  /** By place: the piece that is being read there. */
  private readonly reading: (Promise<number> | undefined)[] = []
  private readonly pace: Pick<Pace, 'begin' | 'ahead'> | undefined
  private turn = 0
  private left = { from: 0, to: 0 }

  /**
   * Begins to read.
   * @param memory FEED_BYTES of it
   * @param position where to begin in a plain file; null: where it stands, which is all that pipes have
   * @param pace which pieces of a plain file are read ahead
   */
  constructor(
    fd: number,
    name: string,
    memory: () => Uint8Array,
    position: number | null,
    pace: Pick<Pace, 'begin' | 'ahead'> = new Pace(),
  ) {
    this.fd = fd
    this.name = name
    this.memory = memory
    this.position = position
    if (position === null) return
    this.pace = pace
    this.readAhead(0)
  }

  /** The next piece. @throws Trouble if it cannot be read */
  async next(): Promise<Piece> {
    const { pace, left, turn } = this
    const reading = this.reading[turn % PIECES]
    this.reading[turn % PIECES] = undefined
    pace?.begin(turn, reading !== undefined)
    const at = placeOf(turn)
    const memory = this.memory()
    const into = memory.subarray(at, at + PIECE)
    const got = reading ? await reading : readSome(this.fd, into, this.name, this.position)
    const from = at - (left.to - left.from)
    memory.copyWithin(from, left.from, left.to)
    if (this.position !== null) this.position += got
    this.turn++
    // A file that grows is read up to where it ended.
    const last = reading ? got < PIECE : got === 0
    if (pace?.ahead(turn) && !last) this.readAhead(this.turn)
    return { from, to: at + got, last }
  }

  /** When nothing is being read any more: then the memory is free. */
  async stopped(): Promise<void> {
    await Promise.allSettled(this.reading.filter((one) => one !== undefined))
  }

  /** Keeps what is left of a piece for the next one. @returns false if it is too much */
  keep(from: number, to: number): boolean {
    this.left = { from, to }
    return to - from <= PIECE
  }

  /** Has the next pieces read that are not being read yet, but for the place of the one that is looked at. */
  private readAhead(next: number): void {
    for (let turn = next; turn < next + PIECES - 1; turn++) {
      if (this.reading[turn % PIECES]) continue
      const at = placeOf(turn)
      const position = this.position! + (turn - next) * PIECE
      const reading = readWhole(this.fd, this.memory().subarray(at, at + PIECE), position, this.name)
      // Who waits for it is told of an error then.
      reading.catch(() => {})
      this.reading[turn % PIECES] = reading
    }
  }
}

const placeOf = (turn: number): number => (turn % PIECES) * 2 * PIECE + PIECE

/** Pieces that are read the same way while that is tried, and until both ways are tried again. */
const TRIAL = 5
const CYCLE = 160

/**
 * Which way is faster now. Reading ahead uses two cores, but what one has read the other must fetch: where they share no cache, that takes
 * longer than reading each piece where it is judged, and where a virtual machine's processors are changes while it runs.
 */
export class Pace {
  private readonly now: () => number
  private readonly times: { readonly ahead: number[]; readonly inTurn: number[] } = { ahead: [], inTurn: [] }
  private aheadIsFaster = true
  private since = 0
  private way: boolean | undefined

  /** @param now the time, in any unit */
  constructor(now = milliseconds) {
    this.now = now
  }

  /** A piece is asked for: the one before is done. */
  begin(turn: number, ahead: boolean): void {
    const now = this.now()
    const at = turn % CYCLE
    // The code is slow at first, and so is the first piece that is read another way.
    if (at > TRIAL && at <= 3 * TRIAL && this.way === ahead)
      this.times[ahead ? 'ahead' : 'inTurn'].push(now - this.since)
    if (at === 3 * TRIAL) {
      const { ahead: one, inTurn: other } = this.times
      this.aheadIsFaster = median(one) <= median(other)
      one.length = other.length = 0
    }
    this.since = now
    this.way = ahead
  }

  /** Whether what follows a piece is read ahead. */
  ahead(turn: number): boolean {
    const trial = Math.floor((turn % CYCLE) / TRIAL)
    return trial < 3 ? trial !== 1 : this.aheadIsFaster
  }
}

/** Not `performance`, which Node loads when it is first used. */
export function milliseconds(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}

function median(times: number[]): number {
  return times.sort((one, other) => one - other)[times.length >> 1] ?? 0
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
