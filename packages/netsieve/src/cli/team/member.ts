// One thread of those that judge a file together. It takes chunks as they come, guesses where its first record begins, judges what follows,
// and when its predecessor tells the truth either was right or judges once more; then it writes where its output belongs.

import { readSync, writeSync } from 'node:fs'
import type { Batch, BatchResult } from '@netsieve/vm'
import { Tally } from '../tally.ts'
import type { Board, Place } from './board.ts'
import { guessBoundary, type RecordShape } from './boundary.ts'

export interface Work {
  readonly fd: number
  readonly shape: RecordShape
  /** Where the records begin in the file, and its size when the work began. */
  readonly from: number
  readonly size: number
  readonly chunkBytes: number
  /** Where records that pass are written; none are kept without. */
  readonly outputFd: number | undefined
  /** Tell how runs ended. */
  readonly exits: boolean
}

/** Bytes before a chunk in which the record that reaches into it is looked for. */
export const LOOK_BACK = 1 << 16

export class Member {
  readonly tally = new Tally()
  private readonly work: Work
  private readonly board: Board
  private readonly batch: Batch

  /** @param batch its input holds a chunk and LOOK_BACK bytes */
  constructor(work: Work, board: Board, batch: Batch) {
    this.work = work
    this.board = board
    this.batch = batch
  }

  /** Works until there is nothing left to take. @throws what reading and writing throw */
  run(): void {
    for (let chunk = this.board.claim(); chunk !== undefined; chunk = this.board.claim()) if (!this.one(chunk)) return
  }

  /** False if the rest is not for this way: what is not a record of usual length follows. */
  private one(chunk: number): boolean {
    const { batch, board, work } = this
    const nominal = work.from + chunk * work.chunkBytes
    const to = Math.min(nominal + work.chunkBytes, work.size)
    const base = Math.max(nominal - LOOK_BACK, work.from)
    const length = this.read(base, to)
    // The file's last bytes may be fewer than a header.
    const expected = Math.min(nominal - base, length)
    const guess = chunk === 0 ? 0 : guessBoundary(batch.input.subarray(0, length), expected, work.shape)
    let result = guess === undefined ? undefined : batch.run(length, guess)
    let from = guess
    const place = board.waitFor(chunk)
    if (!place) return false
    if (place.begin < base) return this.far(chunk, place, to)
    if (place.begin - base > length) {
      // The file has become shorter meanwhile.
      board.stop()
      return false
    }
    if (from === undefined || base + from !== place.begin) {
      from = place.begin - base
      result = batch.run(length, from)
    }
    const { consumed, output } = result!
    board.publish(chunk + 1, place.begin + consumed, place.output + output.length)
    this.take(result!, place.output)
    return true
  }

  /** A chunk that begins before what was read for it. */
  private far(chunk: number, place: Place, to: number): boolean {
    const { batch, board } = this
    let { begin, output } = place
    while (begin < to) {
      const length = this.read(begin, Math.min(begin + batch.input.length, to))
      const result = batch.run(length)
      if (result.consumed === 0) {
        if (length < batch.input.length) break
        board.stop()
        board.publish(chunk + 1, begin, output)
        return false
      }
      this.take(result, output)
      begin += result.consumed
      output += result.output.length
    }
    board.publish(chunk + 1, begin, output)
    return true
  }

  private read(from: number, to: number): number {
    let length = 0
    while (from + length < to) {
      const got = readSync(this.work.fd, this.batch.input, length, to - from - length, from + length)
      if (got === 0) break
      length += got
    }
    return length
  }

  /** Writes what passes, and counts. */
  private take({ records, output, r0, exits, faults }: BatchResult, at: number): void {
    this.tally.total += records
    const { outputFd } = this.work
    if (outputFd !== undefined)
      for (let done = 0; done < output.length; )
        done += writeSync(outputFd, output, done, output.length - done, at + done)
    if (this.work.exits) this.tally.add(r0, exits, faults)
  }
}
