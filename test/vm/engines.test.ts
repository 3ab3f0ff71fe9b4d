// Interpreter and JIT give the same on random programs: result, instruction count, place of exit, fault, packet and maps.
// NETSIEVE_VM_SEED and NETSIEVE_VM_COUNT choose where to begin and how many.

import type { Insn } from '@netsieve/asm'
import { IMPLEMENTED, type LoadOptions, load, type Machine } from '@netsieve/vm'
import { expect, test } from 'vitest'
import { hostileProgram, MAPS, randomFrames, randomProgram } from './generate.ts'
import { randomSet } from './generate-calls.ts'
import { ALL_MAPS, hostileCalls } from './hostile-calls.ts'

const SEED = Number(process.env.NETSIEVE_VM_SEED ?? 1)
const COUNT = Number(process.env.NETSIEVE_VM_COUNT ?? 1500)

/** All that a run leaves behind, as plain values. */
function outcome(machine: Machine, frame: Uint8Array): object {
  const run = machine.run(frame)
  return { ...run.toJSON(), packet: run.packet && Buffer.from(run.packet).toString('hex') }
}

function contents(machine: Machine): unknown {
  return machine.engine.maps.map(({ def: { name } }) => machine.map(name).toJSON().entries.toSorted())
}

function compare(program: readonly Insn[], options: LoadOptions, frames: readonly Uint8Array[], seed: number): void {
  const interpreter = load(program, options)
  const jit = load(program, { ...options, engine: 'jit', patience: 0 })
  for (const frame of frames) {
    const expected = outcome(interpreter, frame)
    const got = outcome(jit, frame)
    expect(got, `seed ${seed}`).toEqual(expected)
  }
  expect(contents(jit), `seed ${seed}`).toEqual(contents(interpreter))
}

/** A run of single steps ends as one in one go does, also after steps were taken back. */
function stepped(program: readonly Insn[], options: LoadOptions, frame: Uint8Array, seed: number): number {
  const whole = load(program, options)
  const { packet: _, ...expected } = JSON.parse(JSON.stringify(whole.run(frame)))
  const steps = load(program, options)
  steps.start(frame)
  let deepest = 0
  let made = 0
  for (let step = steps.step(); step; step = steps.step()) {
    deepest = Math.max(deepest, step.depth)
    made++
    if (made === 20) for (let i = 0; i < 7; i++) steps.back()
  }
  expect(JSON.parse(JSON.stringify(steps.result())), `seed ${seed}`).toEqual(expected)
  expect(contents(steps), `seed ${seed}`).toEqual(contents(whole))
  return deepest
}

test('interpreter and JIT agree on programs a kernel would accept', () => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { type, program, maps } = randomProgram(seed)
    compare(program, { type, maps }, randomFrames(seed, 4), seed)
  }
}, 7_200_000)

test('interpreter and JIT agree on functions that call each other, and programs that go on in each other', () => {
  const kinds = new Map<string, number>()
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { program, options } = randomSet(seed)
    const frames = randomFrames(seed, 3)
    compare(program, options, frames, seed)
    const run = load(program, options).run(frames[0]!)
    const kind = run.fault ? run.fault.kind : run.program ? `program ${run.program}` : 'first program'
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  for (const kind of ['first program', 'program 1', 'program 2', 'budget', 'call-depth', 'no-region'])
    expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(COUNT / 100)
}, 7_200_000)

test('interpreter and JIT agree on hostile programs, and none gets out', () => {
  let faults = 0
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const program = hostileProgram(seed)
    const type = (['xdp', 'sched_cls'] as const)[seed & 1]!
    compare(program, { type, maps: MAPS, budget: { insns: 5000 } }, randomFrames(seed, 1), seed)
    const run = load(program, { type, maps: MAPS, budget: { insns: 5000 } }).run(randomFrames(seed, 1)[0]!)
    if (run.fault) faults++
    expect(run.insns).toBeLessThan(5000 + 100)
  }
  expect(faults).toBeGreaterThan(COUNT / 4)
}, 7_200_000)

test('interpreter and JIT agree on hostile calls of every helper, on maps of every kind, and none gets out', () => {
  const returned = new Set<number>()
  let faults = 0
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const program = hostileCalls(seed, IMPLEMENTED)
    const type = (['xdp', 'sched_cls'] as const)[seed & 1]!
    const options = { type, maps: ALL_MAPS, cpus: 2, budget: { insns: 5000 } }
    compare(program, options, randomFrames(seed, 2), seed)
    const { fault } = load(program, options).run(randomFrames(seed, 1)[0]!)
    if (fault) faults++
    // All helpers before the one that failed came back.
    for (const { spec, imm } of program.slice(0, fault?.insn ?? program.length))
      if (spec.call === 'helper') returned.add(imm)
  }
  expect(faults).toBeGreaterThan(COUNT / 4)
  expect(faults).toBeLessThan(COUNT)
  expect(returned.size).toBeGreaterThan(IMPLEMENTED.length * 0.8)
}, 7_200_000)

test('single steps, into functions that helpers call too, come to the same as a run', () => {
  let deep = 0
  const count = Math.ceil(COUNT / 5)
  for (let seed = SEED; seed < SEED + count; seed++) {
    const type = (['xdp', 'sched_cls'] as const)[seed & 1]!
    const options = { type, maps: ALL_MAPS, cpus: 2, budget: { insns: 2000 } }
    const [frame] = randomFrames(seed, 1)
    if (
      stepped(
        hostileCalls(seed, ['loop', 'for_each_map_elem', 'map_update_elem', 'get_prandom_u32']),
        options,
        frame!,
        seed,
      ) > 0
    )
      deep++
    const { program, options: ofSet } = randomSet(seed)
    stepped(program, { ...ofSet, budget: { insns: 500 } }, frame!, seed)
  }
  expect(deep).toBeGreaterThan(count / 40)
}, 7_200_000)
