// A batch over records gives what one run a record gives: results, places of exit, kept records, faults, maps.

import { Code, type Insn } from '@netsieve/asm'
import { type BatchOptions, type Fault, type LoadOptions, load, type Machine } from '@netsieve/vm'
import { expect, test } from 'vitest'
import { withSequences } from '../../packages/vm/src/cases.ts'
import { execute } from '../../packages/vm/src/interpret.ts'
import { hostileProgram, MAPS, randomFilter, randomFrames, randomProgram } from './generate.ts'
import { randomSet } from './generate-calls.ts'

const SEED = Number(process.env.NETSIEVE_VM_SEED ?? 1)
const COUNT = Number(process.env.NETSIEVE_VM_COUNT ?? 800)

/** Records of a pcap file, without the file's header; every third packet was cut. */
function records(frames: readonly Uint8Array[], order: 'little' | 'big'): Uint8Array {
  const little = order === 'little'
  const out = new Uint8Array(frames.reduce((sum, frame) => sum + 16 + frame.length, 0))
  const view = new DataView(out.buffer)
  let at = 0
  frames.forEach((frame, i) => {
    view.setUint32(at, 1_700_000_000 + i, little)
    view.setUint32(at + 4, 999_999 - i, little)
    view.setUint32(at + 8, frame.length, little)
    view.setUint32(at + 12, frame.length + (i % 3 === 2 ? 100 : 0), little)
    out.set(frame, at + 16)
    at += 16 + frame.length
  })
  return out
}

const meta = (i: number, frame: Uint8Array): { wireLength: number; timestampNs: bigint } => ({
  wireLength: frame.length + (i % 3 === 2 ? 100 : 0),
  timestampNs: BigInt(1_700_000_000 + i) * 1_000_000_000n + BigInt(999_999 - i) * 1000n,
})

interface Reference {
  readonly runs: readonly { readonly r0: number; readonly exit?: number; readonly fault?: Fault }[]
  readonly machine: Machine
}

/** One run a packet. */
function oneByOne(program: readonly Insn[], options: LoadOptions, frames: readonly Uint8Array[]): Reference {
  const machine = load(program, options)
  return { machine, runs: frames.map((frame, i) => machine.run(frame, meta(i, frame))) }
}

/** The interpreter on packets where a batch has them, for programs that look at addresses. The last is moved to where the first was, as `compare` does. */
function whereTheyLie(program: readonly Insn[], options: LoadOptions, frames: readonly Uint8Array[]): Reference {
  const machine = load(program, options)
  const { engine } = machine
  const { input, compiled } = machine.batch({ chunkBytes: 4096, exits: true })
  if (!compiled) return oneByOne(program, options, frames)
  input.set(records(frames, 'little'))
  const codes = engine.programs.map(({ code }) => withSequences(code))
  let from = 0
  const runs = frames.map((frame, i) => {
    const to = from + 16 + frame.length
    const last = i === frames.length - 1
    if (last) input.copyWithin(0, from, to)
    engine.reset()
    engine.place(input.byteOffset + (last ? 0 : from) + 16, frame.length, meta(i, frame))
    engine.enterProgram()
    execute(engine, codes, 0)
    from = to
    return engine.fault ? { r0: 0, fault: engine.fault } : { r0: engine.regs[0]!, exit: engine.decidedAt }
  })
  return { machine, runs }
}

function compare(
  program: readonly Insn[],
  options: LoadOptions,
  frames: readonly Uint8Array[],
  batchOptions: BatchOptions,
  seed: number,
  reference: typeof oneByOne = oneByOne,
): boolean {
  const { runs: expected, machine: single } = reference(program, options, frames)
  const machine = load(program, options)
  const batch = machine.batch({ chunkBytes: 4096, exits: true, ...batchOptions })
  const bytes = records(frames, batchOptions.order ?? 'little')
  batch.input.set(bytes)
  // The last record is not whole the first time.
  const first = batch.run(bytes.length - 1)
  expect(first.records, `seed ${seed}`).toBe(frames.length - 1)
  const last = bytes.length - 16 - frames.at(-1)!.length
  expect(first.consumed).toBe(last)
  const r0 = [...first.r0]
  const exits = [...first.exits]
  const faults = first.faults.map(({ fault }) => fault)
  batch.input.copyWithin(0, last, bytes.length)
  const second = batch.run(bytes.length - last)
  r0.push(...second.r0)
  exits.push(...second.exits)
  faults.push(...second.faults.map(({ fault }) => fault))
  expect(r0, `seed ${seed}`).toEqual(expected.map((run) => run.r0))
  expect(exits, `seed ${seed}`).toEqual(expected.map((run) => run.exit ?? -1))
  // Addresses differ: a batch looks at packets where they lie.
  const plain = (list: readonly (Pick<Fault, 'kind' | 'program' | 'insn'> | undefined)[]): unknown =>
    list.filter((f) => f).map((f) => [f!.kind, f!.program, f!.insn])
  expect(plain(faults), `seed ${seed}`).toEqual(plain(expected.map((run) => run.fault)))
  for (const { name } of options.maps ?? []) expect(machine.map(name).toJSON()).toEqual(single.map(name).toJSON())
  return batch.compiled
}

test.each([false, true])('random programs, every access proved: %s', (proved) => {
  let compiled = 0
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { type, program, maps } = randomProgram(seed)
    const order = seed & 1 ? 'big' : 'little'
    const options: LoadOptions = { type, maps, ...(proved && { proved: () => true }) }
    if (compare(program, options, randomFrames(seed, 6), { order }, seed)) compiled++
  }
  expect(compiled).toBeGreaterThan(COUNT / 20)
})

test.each([false, true])('short filters, flat and not, every load proved: %s', (proved) => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const options: LoadOptions = { type: 'xdp', maps: MAPS, ...(proved && { proved: () => true }) }
    const frames = [...randomFrames(seed, 5), new Uint8Array(seed % 30), randomFrames(seed, 1)[0]!]
    expect(compare(randomFilter(seed), options, frames, { flatten: seed % 8 !== 0 }, seed)).toBe(true)
  }
})

test.each(['xdp', 'sched_cls', 'socket_filter', 'cgroup_skb'] as const)('parts of the context, %s', (type) => {
  const frames = randomFrames(5, 12)
  for (const size of [1, 2, 4, 8] as const) {
    for (let offset = 0; offset < 192; offset += size) {
      const code = new Code()
      code.load(size, 0, 1, offset)
      code.exit()
      const program = code.layout()
      const run = load(program, { type }).run(frames[0]!, meta(0, frames[0]!))
      // Addresses of packets differ.
      const place = type === 'xdp' ? offset < 12 : [76, 80, 140].includes(offset & ~3)
      if (!run.fault && !place) compare(program, { type }, frames, {}, offset)
    }
  }
})

test('functions that call each other, and programs that go on in each other', () => {
  let compiled = 0
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { program, options } = randomSet(seed)
    const order = seed & 1 ? 'big' : 'little'
    if (compare(program, options, randomFrames(seed, 5), { order }, seed)) compiled++
  }
  expect(compiled).toBeGreaterThan(COUNT / 20)
})

test('hostile programs', () => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const type = (['xdp', 'socket_filter', 'cgroup_skb'] as const)[seed % 3]!
    compare(
      hostileProgram(seed),
      { type, maps: MAPS, budget: { insns: 5000 } },
      randomFrames(seed, 4),
      {},
      seed,
      whereTheyLie,
    )
  }
})

test.each(['pass', 'drop'] as const)('keeps the records that %s', (keep) => {
  for (let seed = 1; seed <= 60; seed++) {
    const { type, program, maps } = randomProgram(seed)
    const frames = randomFrames(seed, 6)
    const single = load(program, { type, maps })
    const passes = {
      xdp: (r: number) => r >= 2 && r <= 4,
      sched_cls: (r: number) => r !== 2,
      socket_filter: (r: number) => r !== 0,
      cgroup_skb: (r: number) => (r & 1) === 1,
    }
    const kept = frames
      .map((frame, i) => [frame, i] as const)
      .filter(([frame, i]) => passes[type](single.run(frame, meta(i, frame)).r0) === (keep === 'pass'))
    const batch = load(program, { type, maps }).batch({ chunkBytes: 4096, keep })
    const bytes = records(frames, 'little')
    batch.input.set(bytes)
    const { output } = batch.run(bytes.length)
    const parts = kept.map(([frame, i]) => {
      const at = frames.slice(0, i).reduce((sum, f) => sum + 16 + f.length, 0)
      return Buffer.from(bytes.subarray(at, at + 16 + frame.length)).toString('hex')
    })
    expect(Buffer.from(output).toString('hex'), `seed ${seed}`).toBe(parts.join(''))
  }
})

/** More instructions than are compiled at once; r0 is a number from 0 to 3 that the first byte gives. */
function longProgram(): Insn[] {
  const code = new Code()
  const short = code.label()
  code.load(4, 2, 1, 0)
  code.load(4, 3, 1, 4)
  code.mov(4, { reg: 2 })
  code.alu('add', 4, 14)
  code.mov(0, 1)
  code.jump('jgt', 4, { reg: 3 }, short)
  code.load(1, 0, 2, 0)
  for (let i = 0; i < 2500; i++) code.alu('xor', 0, i)
  code.alu('and', 0, 3)
  code.bind(short)
  code.exit()
  return code.layout()
}

test('a long program is interpreted first, then compiled, in the middle of a piece', () => {
  const program = longProgram()
  const frames = Array.from({ length: 400 }, (_, i) => new Uint8Array(i % 7 === 0 ? 10 : 20).fill(i * 37))
  const single = load(program, { type: 'xdp' })
  const expected = frames.map((frame, i) => single.run(frame, meta(i, frame)))
  const bytes = records(frames, 'little')
  const batch = load(program, { type: 'xdp' }).batch({ chunkBytes: 1 << 16, exits: true, keep: 'pass' })
  batch.input.set(bytes)
  const { records: count, r0, exits, output } = batch.run(bytes.length)
  expect(count).toBe(frames.length)
  expect([...r0]).toEqual(expected.map((run) => run.r0))
  expect([...exits]).toEqual(expected.map((run) => run.exit))
  const kept: number[] = []
  let at = 0
  for (const [i, frame] of frames.entries()) {
    const end = at + 16 + frame.length
    if (expected[i]!.r0 >= 2) kept.push(...bytes.subarray(at, end))
    at = end
  }
  expect([...output]).toEqual(kept)
  // So does a machine that runs packet by packet.
  const jit = load(program, { type: 'xdp', engine: 'jit' })
  const ripe: boolean[] = []
  for (const [i, frame] of frames.entries()) {
    expect(jit.run(frame, meta(i, frame)).toJSON()).toEqual(expected[i]!.toJSON())
    ripe.push(jit.ripe)
  }
  expect([ripe[0], ripe.at(-1)]).toEqual([false, true])
})

test.each(['interpreted', 'compiled'])('a packet that is too long for a machine ends what is judged: %s', (way) => {
  const program = longProgram()
  const frames = [20, 70_000, 20].map((length, i) => new Uint8Array(length).fill(i))
  const bytes = records(frames, 'little')
  for (const [packetBytes, most] of [
    [69_999, 1],
    [70_000, 3],
  ] as const) {
    const single = load(program, { type: 'xdp', packetBytes })
    const batch = load(program, { type: 'xdp', packetBytes }).batch({
      chunkBytes: 1 << 17,
      prepared: way === 'compiled',
    })
    batch.input.set(bytes)
    const { records: count, consumed, r0, faults } = batch.run(bytes.length)
    expect({ count, faults }).toEqual({ count: most, faults: [] })
    expect(consumed).toBe(most === 1 ? 36 : bytes.length)
    expect([...r0]).toEqual(frames.slice(0, most).map((frame) => single.run(frame).r0))
  }
})

test.each([2 ** 20, 2 ** 32, 2 ** 33])('memory of up to %i bytes: what there can be of it', (memory) => {
  const program = longProgram()
  const frame = new Uint8Array(60).fill(1)
  const bytes = records([frame, frame], 'little')
  const options = { type: 'xdp', packetBytes: 1 << 16, budget: { memory } } as const
  const batch = load(program, options).batch({ chunkBytes: 1 << 17, prepared: true })
  batch.input.set(bytes)
  const { r0, faults } = batch.run(bytes.length)
  const wanted = load(program, options).run(frame).r0
  expect({ faults, r0: [...r0] }).toEqual({ faults: [], r0: [wanted, wanted] })
})

test('kept records go where they are asked to; what else is in the output area stays', () => {
  const code = new Code()
  code.mov(0, 2)
  code.exit()
  const batch = load(code.layout(), { type: 'xdp' }).batch({ chunkBytes: 8192, keep: 'pass' })
  const bytes = records([new Uint8Array(20).fill(1), new Uint8Array(30).fill(2)], 'little')
  batch.input.set(bytes)
  const first = batch.run(bytes.length)
  const second = batch.run(bytes.length, 36, 4096)
  expect([...first.output]).toEqual([...bytes])
  expect([...second.output]).toEqual([...bytes.subarray(36)])
  expect(() => batch.run(bytes.length, 0, 8192 - bytes.length + 1)).toThrow(RangeError)
})

test('the length on the wire is read in the order of the file', () => {
  const code = new Code()
  code.load(4, 0, 1, 0)
  code.exit()
  for (const order of ['little', 'big'] as const) {
    const batch = load(code.layout(), { type: 'socket_filter' }).batch({ chunkBytes: 4096, order })
    const bytes = records([new Uint8Array(20)], order)
    new DataView(bytes.buffer).setUint32(12, 77, order === 'little')
    batch.input.set(bytes)
    expect([...batch.run(bytes.length).r0]).toEqual([77])
  }
})
