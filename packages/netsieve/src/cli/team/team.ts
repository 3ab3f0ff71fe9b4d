// Several threads over what is left of a capture (`-j`). The others start while this one goes on alone; once they are there all take chunks of
// the file, this one too. What they leave (a cut record, bytes that came since) is for the usual way.

import { fstatSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { encode } from '@netsieve/asm'
import { programsOf } from '@netsieve/codegen'
import type { Batch, BatchOptions } from '@netsieve/vm'
import type { LinkSieve } from '../link-sieve.ts'
import { Tally, type TallyRows } from '../tally.ts'
import { Board, Gate, type Place } from './board.ts'
import { Member, type Work } from './member.ts'
import type { Job, WorkerData } from './worker.ts'

/** The command line's own script, which gives threads the code they run; from here in the bundle, or among the build's modules. */
const SCRIPT = new URL(`${import.meta.url.includes('/bundle/') ? '' : '../'}../../bin/netsieve.js`, import.meta.url)
const CHUNK = 1 << 20
/** Milliseconds. */
const LONGEST_WAIT = 10_000
const MOST_THREADS = 64

interface Other {
  readonly worker: Worker
  readonly port: import('node:worker_threads').MessagePort
}

export class Team {
  private readonly gate = new Gate()
  private readonly others: readonly Other[]

  /** So many threads with this one: the others start. */
  static of(threads: number): Team {
    return new Team(threads)
  }

  private constructor(threads: number) {
    this.others = Array.from({ length: Math.min(threads, MOST_THREADS) - 1 }, () => this.another())
  }

  /** Whether the others are there. */
  get ready(): boolean {
    return this.gate.arrived === this.others.length
  }

  /** Waits for them, but not for ever. */
  waitForAll(): void {
    this.gate.waitFor(this.others.length, LONGEST_WAIT)
  }

  private another(): Other {
    const { MessageChannel, Worker } = process.getBuiltinModule('node:worker_threads')
    const { port1, port2 } = new MessageChannel()
    const workerData: WorkerData = { gate: this.gate.memory, port: port2 }
    const code = `Promise.resolve(require(${JSON.stringify(fileURLToPath(SCRIPT))}).load()).then((netsieve) => netsieve.work(require('node:worker_threads').workerData))`
    const worker = new Worker(code, { eval: true, workerData, transferList: [port2], trackUnmanagedFds: false })
    worker.unref()
    return { worker, port: port1 }
  }

  /** Judges the whole records that there are in the file now, from a place on. @throws what reading and writing throw */
  judge(
    link: LinkSieve,
    batch: Batch,
    options: BatchOptions,
    work: Omit<Work, 'size' | 'chunkBytes'>,
    output: number,
  ): Place & { readonly tally: TallyRows } {
    const { size } = fstatSync(work.fd)
    const whole: Work = { ...work, size, chunkBytes: CHUNK }
    const board = new Board(Math.ceil(Math.max(size - work.from, 0) / CHUNK))
    board.publish(0, work.from, output)
    const { memory, chunks } = board
    const job: Job = { ...jobOf(link, whole, options), board: { memory, chunks } }
    for (const { port } of this.others) port.postMessage(job)
    this.gate.open()
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
export function jobOf({ sieve }: LinkSieve, work: Work, batch: BatchOptions): Omit<Job, 'board'> {
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
