// Programs whose blocks stand in any order: the JIT finds one that structured control flow can say, and gives what the interpreter gives, down to
// the instruction of a fault and the count.

import { Code, type Insn, type Label, slotTable } from '@netsieve/asm'
import { type LoadOptions, load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { buildCfg } from '../../packages/vm/src/jit/cfg.ts'
import { orderOf } from '../../packages/vm/src/jit/order.ts'
import { Random, randomFrames, randomProgram } from './generate.ts'
import { randomSet } from './generate-calls.ts'

const SEED = Number(process.env.NETSIEVE_VM_SEED ?? 1)
const COUNT = Number(process.env.NETSIEVE_VM_COUNT ?? 300)

/** The same program with its blocks in another order, the first still first. */
function shuffled(program: readonly Insn[], random: Random): Insn[] {
  const slots = slotTable(program)
  const bySlot = new Map([...slots].map((slot, i) => [slot, i]))
  const targetOf = ({ spec, off, imm, imm64 }: Insn, i: number): number | undefined => {
    const at = (distance: number): number => bySlot.get(slots[i + 1]! + distance)!
    if (spec.kind === 'jump' || spec.kind === 'may_goto') return at(off)
    if (spec.kind === 'goto') return at(spec.width === 32 ? imm : off)
    if (spec.call === 'local') return at(imm)
    return spec.imm64 === 'func' ? at(imm64!.low - 1) : undefined
  }
  const targets = program.map(targetOf)
  const starts = new Set([0])
  for (const [i, { spec }] of program.entries()) {
    if (targets[i] !== undefined) starts.add(targets[i]!)
    if (['jump', 'may_goto', 'goto', 'exit'].includes(spec.kind)) starts.add(i + 1)
    // Blocks are cut anywhere.
    if (random.below(12) === 0) starts.add(i)
  }
  const from = [...starts].filter((i) => i < program.length).sort((a, b) => a - b)
  const rest = from.slice(1)
  for (let i = rest.length - 1; i > 0; i--) {
    const k = random.below(i + 1)
    ;[rest[i], rest[k]] = [rest[k]!, rest[i]!]
  }
  const code = new Code()
  const labels = new Map<number, Label>(from.map((i) => [i, code.label(`at ${i}`)]))
  for (const start of [0, ...rest]) {
    code.bind(labels.get(start)!)
    let i = start
    do {
      const one = program[i]!
      code.add(one, targets[i] === undefined ? undefined : labels.get(targets[i]!))
      i++
    } while (i < program.length && !labels.has(i))
    const last = program[i - 1]!.spec.kind
    if (last !== 'exit' && last !== 'goto') code.goto(labels.get(i)!)
  }
  return code.layout()
}

/** Blocks that can be come to without passing a block. */
function reachedFrom(successors: readonly (readonly number[])[], entry: number, without = -1): Set<number> {
  const reached = new Set([entry])
  for (const block of reached) for (const to of successors[block]!) if (to !== without) reached.add(to)
  return reached
}

/** Whether all ways from the entry to a block lead through another. */
function dominates(successors: readonly (readonly number[])[], top: number, block: number): boolean {
  return top === 0 || top === block || !reachedFrom(successors, 0, top).has(block)
}

/** Whether no ring is left once all ways back to what they surely came through are taken out. */
function isReducible(successors: readonly (readonly number[])[]): boolean {
  const forward = successors.map((all, from) => all.filter((to) => !dominates(successors, to, from)))
  return forward.every((all, from) => all.every((to) => !reachedFrom(forward, to).has(from)))
}

function agree(program: readonly Insn[], options: LoadOptions, frames: readonly Uint8Array[], seed: number): number[] {
  const interpreter = load(program, options)
  const jit = load(program, { ...options, engine: 'jit', patience: 0 })
  return frames.map((frame) => {
    const run = interpreter.run(frame)
    expect(jit.run(frame).toJSON(), `seed ${seed}`).toEqual(run.toJSON())
    return run.r0
  })
}

describe('blocks in any order', () => {
  it('programs without loops into the middle need no dispatcher, and do what they did', () => {
    for (let seed = SEED; seed < SEED + COUNT; seed++) {
      const { type, program, maps } = randomProgram(seed)
      const other = shuffled(program, new Random(seed ^ 0x51ed270b))
      const { code, functions } = load(other, { type, maps }).engine.programs[0]!
      for (const entry of [0, ...functions]) expect(buildCfg(code, entry).scopes, `seed ${seed}`).toBeDefined()
      const frames = randomFrames(seed, 3)
      const single = load(program, { type, maps })
      expect(agree(other, { type, maps }, frames, seed)).toEqual(frames.map((frame) => single.run(frame).r0))
    }
  })

  it('faults and budgets are those of the program as it stands', () => {
    for (let seed = SEED; seed < SEED + COUNT; seed++) {
      const { program, options } = randomSet(seed)
      const random = new Random(seed ^ 0x2c1b3c6d)
      const programs = options.programs!.map(({ insns }) => ({ insns: shuffled(insns, random) }))
      agree(shuffled(program, random), { ...options, programs }, randomFrames(seed, 2), seed)
    }
  })
})

describe('the order of blocks', () => {
  it("is the program's own where that will do", () => {
    expect(orderOf([[1, 2], [3], [3], []], 0)).toEqual([0, 1, 2, 3])
  })

  it('leaves a loop once all of it is done', () => {
    // 0 leads into the loop of 1, 4 and 3, and to 2, which comes behind the loop; so does what 1 leaves it for.
    expect(orderOf([[1, 2], [4, 2], [], [1], [3]], 0)).toEqual([0, 1, 4, 3, 2])
    expect(orderOf([[3], [2], [], [1, 4], [3, 1]], 0)).toEqual([0, 3, 4, 1, 2])
  })

  it('puts inner loops into outer ones', () => {
    expect(orderOf([[3], [], [3, 2], [4, 1], [2, 4]], 0)).toEqual([0, 3, 4, 2, 1])
  })

  it('takes no longer for loops that lie very deep in each other', () => {
    const nested = (depth: number) => [
      ...Array.from({ length: depth }, (_, i) => [i + 1]),
      ...Array.from({ length: depth }, (_, i) => (i + 1 < depth ? [depth - 1 - i, depth + i + 1] : [0])),
    ]
    expect(orderOf(nested(50), 0)).toHaveLength(100)
    const start = performance.now()
    expect(orderOf(nested(100_000), 0)).toHaveLength(200_000)
    expect(performance.now() - start).toBeLessThan(10_000)
  })

  it('has loops in one piece, however they were drawn', () => {
    let found = 0
    for (let seed = SEED; seed < SEED + COUNT; seed++) {
      const random = new Random(seed)
      const count = 2 + random.below(12)
      const successors = Array.from({ length: count }, (_, b) => {
        const to = new Set(random.below(8) ? [Math.min(b + 1, count - 1)] : [])
        if (random.below(2)) to.add(random.below(count))
        return [...to]
      })
      const reached = reachedFrom(successors, 0)
      const kept = [...reached].sort((a, b) => a - b)
      const graph = kept.map((b) => successors[b]!.map((to) => kept.indexOf(to)))
      const order = orderOf(graph, 0)
      expect(order !== undefined, `seed ${seed}`).toBe(isReducible(graph))
      if (!order) continue
      found++
      expect([...order].sort((a, b) => a - b)).toEqual(kept.map((_, b) => b))
      const place = new Map(order.map((b, i) => [b, i]))
      for (const [from, all] of graph.entries())
        for (const to of all) {
          if (place.get(to)! > place.get(from)!) continue
          // A way back closes a loop: what lies between is in it.
          expect(dominates(graph, to, from), `seed ${seed}`).toBe(true)
          const ends = graph.flatMap((others, b) => (others.includes(to) && dominates(graph, to, b) ? [b] : []))
          for (const b of order.slice(place.get(to), place.get(from)! + 1))
            expect(b === to || ends.some((end) => reachedFrom(graph, b, to).has(end)), `seed ${seed}`).toBe(true)
        }
    }
    expect(found).toBeGreaterThan(COUNT / 4)
  })

  it('is none for a loop with two entrances', () => {
    expect(orderOf([[1, 2], [2], [1, 3], []], 0)).toBeUndefined()
  })
})
