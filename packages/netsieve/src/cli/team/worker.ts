// The other threads: each makes the machine that the first one has, and works like it.

import type { MessagePort } from 'node:worker_threads'
import { decode, type MapDef, type ProgTypeName } from '@netsieve/asm'
import type { Batch, BatchOptions } from '@netsieve/vm'
import { machineFor } from '../../pipeline.ts'
import { Board, type BoardMemory, Gate } from './board.ts'
import { Member, type Work } from './member.ts'

export interface WorkerData {
  readonly gate: SharedArrayBuffer
  readonly port: MessagePort
}

export interface Job {
  readonly board: { readonly memory: BoardMemory; readonly chunks: number }
  readonly work: Work
  readonly type: ProgTypeName
  readonly maps: readonly MapDef[]
  readonly programs: readonly {
    readonly code: Uint8Array
    /** Exits that hand on what a function returned, which bytes do not tell. */
    readonly handsOn: readonly number[]
  }[]
  /** By instructions counted through all programs. */
  readonly proved: readonly boolean[] | undefined
  readonly batch: BatchOptions
}

/** Waits for a job, does its part, and sends its tally, or `{ error }`. */
export function work({ gate, port }: WorkerData): void {
  new Gate(gate).arrive()
  const { receiveMessageOnPort } = process.getBuiltinModule('node:worker_threads')
  const { message } = receiveMessageOnPort(port) as { message: Job }
  const board = new Board(message.board.chunks, message.board.memory)
  // Others wait for whoever has taken a chunk: whatever takes long, before that.
  const batch = batchOf(message)
  // From here on the others wait for this one: it may be that they are through already.
  board.enter()
  try {
    const member = new Member(message.work, board, batch)
    member.run()
    port.postMessage(member.tally.rows())
  } catch (error) {
    board.stop()
    const { message = String(error), code, syscall } = error as Partial<NodeJS.ErrnoException>
    port.postMessage({ error: { message, code, syscall } })
  } finally {
    board.leave()
  }
}

/** As the first thread has it. */
export function batchOf({ programs, type, maps, proved, batch }: Omit<Job, 'board'>): Batch {
  const [first, ...others] = programs.map(({ code, handsOn }) => {
    const insns = [...decode(code).program]
    for (const i of handsOn) insns[i] = { ...insns[i]!, origin: { text: '', handsOn: true } }
    return { insns }
  })
  const machine = machineFor(
    { ...first!, programs: others, type, maps },
    'jit',
    proved && ((insn) => proved[insn] === true),
  )
  return machine.batch({ ...batch, prepared: true })
}
