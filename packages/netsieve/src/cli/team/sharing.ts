// When other threads are to help: they take some time to start, and a core that reads ahead until then. So what is left of the capture must
// take longer by far, as the pieces so far tell.

import { milliseconds } from '../feed.ts'
import { Team } from './team.ts'

/** Milliseconds that a capture must still take alone. */
const WORTH = 150
/** Milliseconds of judging that tell how long it takes; after some pieces, since code is slow at first. */
const ENOUGH = 15
const FIRST = 2
/** Bytes that are not worth dividing. */
const SMALLEST = 8 << 20

export class Sharing {
  private readonly threads: number
  private readonly size: number
  /** Others are asked for at once, and waited for: so tests are, whose captures are small. */
  private readonly atOnce = process.env.NETSIEVE_SHARE === 'at once'
  private team: Team | undefined
  private pieces = 0
  private since = { time: 0, bytes: 0 }

  /** @param size bytes of the file */
  constructor(threads: number, size: number) {
    this.threads = threads
    this.size = size
  }

  /** The threads, once they are there. @param bytes of the file that are judged, after a further piece */
  after(bytes: number): Team | undefined {
    if (this.size - bytes < SMALLEST) return undefined
    if (this.team) return this.team.ready ? this.team : undefined
    const time = milliseconds()
    if (this.pieces++ === FIRST) this.since = { time, bytes }
    if (!this.atOnce && !this.isLong(time - this.since.time, bytes)) return undefined
    this.team = Team.of(this.threads)
    if (!this.atOnce) return undefined
    this.team.waitForAll()
    return this.team
  }

  private isLong(elapsed: number, bytes: number): boolean {
    if (this.pieces <= FIRST + 1 || elapsed < ENOUGH) return false
    return (elapsed / (bytes - this.since.bytes)) * (this.size - bytes) > WORTH
  }
}
