// A batch over records gives what one run a record gives: results, places of exit, kept records, faults, maps.

import { Code, type Insn } from '@netsieve/asm'
import { type BatchOptions, type LoadOptions, load } from '@netsieve/vm'
import { expect, test } from 'vitest'
import { hostileProgram, MAPS, randomFilter, randomFrames, randomProgram } from './generate.ts'

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

function compare(
  program: readonly Insn[],
  options: LoadOptions,
  frames: readonly Uint8Array[],
  batchOptions: BatchOptions,
  seed: number,
): boolean {
  const single = load(program, options)
  const expected = frames.map((frame, i) => single.run(frame, meta(i, frame)))
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
  const plain = (list: readonly ({ kind: string; insn: number } | undefined)[]): unknown =>
    list.filter((f) => f).map((f) => [f!.kind, f!.insn])
  expect(plain(faults), `seed ${seed}`).toEqual(plain(expected.map((run) => run.fault)))
  for (const { name } of options.maps ?? []) expect(machine.map(name).toJSON()).toEqual(single.map(name).toJSON())
  return batch.compiled
}

test('random programs', () => {
  let compiled = 0
  for (let seed = 1; seed <= COUNT; seed++) {
    const { type, program, maps } = randomProgram(seed)
    const order = seed & 1 ? 'big' : 'little'
    if (compare(program, { type, maps }, randomFrames(seed, 6), { order }, seed)) compiled++
  }
  expect(compiled).toBeGreaterThan(COUNT / 20)
})

test.each([false, true])('short filters, flat and not, every load proved: %s', (proved) => {
  for (let seed = 1; seed <= COUNT; seed++) {
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

test('hostile programs', () => {
  for (let seed = 1; seed <= COUNT; seed++) {
    const type = (['xdp', 'socket_filter', 'cgroup_skb'] as const)[seed % 3]!
    compare(hostileProgram(seed), { type, maps: MAPS, budget: { insns: 5000 } }, randomFrames(seed, 4), {}, seed)
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
