// Several threads over one capture (`-j`). The others start while this one compiles the rules; then all take chunks of the file, this one
// too. What they leave (a cut record, bytes that came since) is for the usual way.

import { fstatSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { encode } from '@netsieve/asm'
import { programsOf } from '@netsieve/codegen'
import type { Batch, BatchOptions } from '@netsieve/vm'
import type { LinkSieve } from '../link-sieve.ts'
import { Tally, type TallyRows } from '../tally.ts'
import { Board, type Place } from './board.ts'
import { LOOK_BACK, Member, type Work } from './member.ts'
import type { Job, WorkerData } from './worker.ts'

/** The command line's own script, which gives threads the code they run; from here in the bundle, or among the build's modules. */
const SCRIPT = new URL(`${import.meta.url.includes('/bundle/') ? '' : '../'}../../bin/netsieve.js`, import.meta.url)
const CHUNK = 1 << 20
/** Bytes of a file that are not worth another thread. */
const SMALLEST = 8 << 20
const MOST_THREADS = 64

interface Other {
  readonly worker: Worker
  readonly port: import('node:worker_threads').MessagePort
}

export class Team {
  readonly chunkBytes = CHUNK
  /** What a batch must hold for a member's work. */
  readonly inputBytes = CHUNK + LOOK_BACK
  private readonly board: Board
  private readonly size: number
  private readonly others: readonly Other[]

  private constructor(size: number, threads: number) {
    this.size = size
    this.board = new Board(Math.ceil(size / CHUNK))
    this.others = Array.from({ length: Math.min(threads, MOST_THREADS, this.board.chunks) - 1 }, () => this.another())
  }

  /** Threads for a file; none for one that is too small to be divided, or no plain file. */
  static for(fd: number, threads: number): Team | undefined {
    const stats = fstatSync(fd)
    return threads > 1 && stats.isFile() && stats.size > SMALLEST ? new Team(stats.size, threads) : undefined
  }

  private another(): Other {
    const { MessageChannel, Worker } = process.getBuiltinModule('node:worker_threads')
    const { port1, port2 } = new MessageChannel()
    const { memory, chunks } = this.board
    const workerData: WorkerData = { memory, chunks, port: port2 }
    const code = `Promise.resolve(require(${JSON.stringify(fileURLToPath(SCRIPT))}).load()).then((netsieve) => netsieve.work(require('node:worker_threads').workerData))`
    const worker = new Worker(code, { eval: true, workerData, transferList: [port2], trackUnmanagedFds: false })
    worker.unref()
    return { worker, port: port1 }
  }

  /** Judges the whole records of the file that there were at the start, from a place on. @throws what reading and writing throw */
  judge(
    link: LinkSieve,
    batch: Batch,
    options: BatchOptions,
    work: Omit<Work, 'size' | 'chunkBytes'>,
    output: number,
  ): Place & { readonly tally: TallyRows } {
    const { board, size, chunkBytes } = this
    const whole: Work = { ...work, size, chunkBytes }
    board.publish(0, work.from, output)
    const job = jobOf(link, whole, options)
    for (const { port } of this.others) port.postMessage(job)
    board.start()
    const own = new Member(whole, board, batch)
    try {
      own.run()
    } finally {
      // Where this one failed, the others need not go on.
      if (!board.isDone) board.stop()
      board.waitForAll()
    }
    const all = new Tally()
    all.merge(own.tally.rows())
    for (const rows of this.told()) all.merge(rows)
    return { ...board.last(), tally: all.rows() }
  }

  /** What the others counted. @throws Error for what one of them threw */
  private told(): TallyRows[] {
    const { receiveMessageOnPort } = process.getBuiltinModule('node:worker_threads')
    const rows: TallyRows[] = []
    for (const { port } of this.others) {
      const received = receiveMessageOnPort(port) as { message: TallyRows | { error: Partial<Error> } } | undefined
      if (!received) continue
      if ('error' in received.message) throw Object.assign(new Error(), received.message.error)
      rows.push(received.message)
    }
    return rows
  }
}

/** What the other threads are told. */
export function jobOf({ sieve }: LinkSieve, work: Work, batch: BatchOptions): Job {
  const { type, maps } = sieve.compiled
  const { facts } = sieve
  const all = programsOf(sieve.compiled)
  return {
    work,
    type,
    maps,
    programs: all.map(({ insns }) => ({
      code: encode(insns),
      handsOn: insns.flatMap(({ origin }, i) => (origin?.handsOn ? [i] : [])),
    })),
    proved: facts && all.flatMap(({ insns }) => insns).map((_, i) => facts.proved(i)),
    batch,
  }
}
