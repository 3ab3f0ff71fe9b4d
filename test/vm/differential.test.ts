// Random programs in the running kernel (BPF_PROG_TEST_RUN) and in both engines: return value, packet and maps are the same.
// NETSIEVE_ORACLE names the folder of the kernel oracle; NETSIEVE_VM_SEED and NETSIEVE_VM_COUNT choose the programs.

import { encode } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { expect, test } from 'vitest'
import { randomFrames, randomProgram } from './generate.ts'
import { type KernelAnswer, NO_ORACLE, Oracle, oracleMap } from './oracle.ts'

const SEED = Number(process.env.NETSIEVE_VM_SEED ?? 1)
const COUNT = Number(process.env.NETSIEVE_VM_COUNT ?? 1000)
const FRAMES = 4
const AHEAD = 64

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** What a program left, in the oracle's form. */
function ours(seed: number, engine: 'interpreter' | 'jit', accepted = false): object {
  const { type, program, maps } = randomProgram(seed)
  const machine = load(program, { type, maps, engine, patience: 0, ...(accepted && { proved: () => true }) })
  const frames = randomFrames(seed, FRAMES)
  const runs = frames.map((frame) => {
    const run = machine.run(frame)
    if (run.fault) return { fault: run.fault.reason }
    const data = run.packet ?? (type === 'cgroup_skb' ? frame.subarray(14) : frame)
    return { r0: run.r0 >>> 0, data: hex(run.metadata ?? new Uint8Array()) + hex(data) }
  })
  return { runs, maps: maps.map(({ name }) => machine.map(name).toJSON().entries.toSorted()) }
}

function theirs(answer: KernelAnswer, type: string): object {
  const { retvals, data_out = {}, maps = [] } = answer.run!
  // Programs that start at the network header: the kernel puts an empty link header before what comes out.
  const cut = type === 'socket_filter' || type === 'cgroup_skb' ? 28 : 0
  const runs = retvals.map((r0, i) => ({ r0, data: data_out[i]?.slice(cut) }))
  return { runs, maps: maps.map((entries) => entries.toSorted()) }
}

test.skipIf(NO_ORACLE)(
  `as the kernel does, on ${COUNT} programs from seed ${SEED}${NO_ORACLE ? `: skipped, ${NO_ORACLE}` : ''}`,
  async () => {
    const oracle = new Oracle()
    let accepted = 0
    const refused = new Map<string, number>()
    const pending: [seed: number, answer: Promise<KernelAnswer>][] = []
    const check = async (): Promise<void> => {
      const [seed, promise] = pending.shift()!
      const answer = await promise
      if (answer.error) throw new Error(answer.error)
      if (!answer.accepted) {
        const why = (answer.reason ?? '').replace(/\d+/g, 'N')
        refused.set(why, (refused.get(why) ?? 0) + 1)
        return
      }
      accepted++
      const expected = theirs(answer, randomProgram(seed).type)
      expect(ours(seed, 'interpreter'), `interpreter, seed ${seed}`).toEqual(expected)
      expect(ours(seed, 'jit'), `jit, seed ${seed}`).toEqual(expected)
      // The kernel's verifier accepted it, so no check is needed.
      expect(ours(seed, 'jit', true), `jit without checks, seed ${seed}`).toEqual(expected)
    }
    try {
      for (let seed = SEED; seed < SEED + COUNT; seed++) {
        const { type, program, maps } = randomProgram(seed)
        const frames = randomFrames(seed, FRAMES).map(hex)
        const request = {
          op: 'run',
          type,
          hex: hex(encode(program)),
          maps: maps.map(oracleMap),
          frames,
          data_out: 'all',
          dump_maps: true,
          log_level: 0,
          log: false,
        }
        pending.push([seed, oracle.ask(request)])
        if (pending.length > AHEAD) await check()
      }
      while (pending.length > 0) await check()
    } finally {
      oracle.close()
    }
    console.log(
      `${accepted} of ${COUNT} programs accepted and compared; refused: ${JSON.stringify([...refused].sort((a, b) => b[1] - a[1]).slice(0, 8))}`,
    )
    expect(accepted).toBeGreaterThan(COUNT / 2)
  },
  3_600_000,
)
