// Maps as compiled code sees them are what the interpreter sees: lookups of every kind of map, values read, written and changed through
// pointers with fixed and variable offsets, tries that change between lookups; one call a packet, and in batches.

import { Code, type Insn, type MapDef, type MapTypeName } from '@netsieve/asm'
import { type LoadOptions, load, type Machine } from '@netsieve/vm'
import { expect, test } from 'vitest'
import { Random } from './generate.ts'

const COUNT = Number(process.env.NETSIEVE_VM_COUNT ?? 150)

const KINDS: readonly (readonly [MapTypeName, number, number])[] = [
  ['array', 4, 8],
  ['array', 4, 12],
  ['percpu_array', 4, 8],
  ['hash', 4, 8],
  ['hash', 16, 8],
  ['hash', 7, 20],
  ['hash', 72, 8],
  ['percpu_hash', 8, 8],
  ['lru_hash', 4, 8],
  ['lpm_trie', 5, 8],
  ['lpm_trie', 8, 8],
  ['lpm_trie', 10, 8],
  ['lpm_trie', 12, 12],
  ['lpm_trie', 16, 8],
  ['lpm_trie', 20, 8],
  ['lpm_trie', 24, 8],
]

function randomMap(random: Random, index: number): MapDef {
  const [type, keySize, valueSize] = random.pick(KINDS)
  const maxEntries = random.pick([1, 5, 40, 300])
  return { name: `m${index}`, type, keySize, valueSize, maxEntries, ...(type === 'lpm_trie' && { flags: 1 }) }
}

/** Few different bytes, so that keys meet, and prefixes nest. */
function randomKey(random: Random, { type, keySize, maxEntries }: MapDef): Uint8Array {
  const key = new Uint8Array(keySize)
  const view = new DataView(key.buffer)
  if (type === 'array' || type === 'percpu_array') {
    view.setUint32(0, random.below(maxEntries + 2), true)
    return key
  }
  for (let i = 0; i < keySize; i++) key[i] = random.pick([0, 0, 1, 0x7f, 0x80, 0xff])
  const bits = (keySize - 4) * 8
  if (type === 'lpm_trie') view.setUint32(0, random.pick([bits, bits, bits, random.below(bits + 1), bits + 1]), true)
  return key
}

function fill(machine: Machine, maps: readonly MapDef[], seed: number): void {
  const random = new Random(seed)
  for (const def of maps) {
    for (let i = 0; i < def.maxEntries; i++) {
      const value = Uint8Array.from({ length: def.valueSize }, () => random.below(256))
      machine.map(def.name).set(randomKey(random, def), value)
    }
  }
}

const KEY = -80
const VALUE = -112

class Generator {
  readonly code = new Code()
  readonly random: Random
  readonly maps: readonly MapDef[]

  constructor(seed: number) {
    this.random = new Random(seed)
    const count = 1 + this.random.below(3)
    this.maps = Array.from({ length: count }, (_, i) => randomMap(this.random, i))
  }

  program(): Insn[] {
    const { code, random } = this
    code.mov(6, { reg: 1 })
    code.mov(9, 1)
    for (let i = 0; i < 1 + random.below(5); i++) this.lookup(random.below(this.maps.length))
    code.mov(0, { reg: 9 })
    code.exit()
    return code.layout()
  }

  private key(def: MapDef): void {
    const { code, random } = this
    const key = randomKey(random, def)
    for (let i = 0; i < def.keySize; i++) code.store(1, 10, KEY + i, key[i]!)
    // A byte of the packet in it: other packets, other keys.
    if (random.below(3)) {
      const short = code.label()
      code.load(4, 2, 6, 0)
      code.load(4, 3, 6, 4)
      code.mov(4, { reg: 2 })
      code.alu('add', 4, 1)
      code.jump('jgt', 4, { reg: 3 }, short)
      code.load(1, 2, 2, 0)
      code.store(1, 10, KEY + (def.type === 'lpm_trie' ? 4 : 0) + random.below(def.type === 'lpm_trie' ? 1 : 2), {
        reg: 2,
      })
      code.bind(short)
    }
  }

  private call(map: number, helper: number): void {
    const { code } = this
    code.emit('lddw_map_index', { dst: 1, imm: map })
    code.mov(2, { reg: 10 })
    code.alu('add', 2, KEY)
    if (helper === 2) {
      for (let i = 0; i < this.maps[map]!.valueSize; i += 4) code.store(4, 10, VALUE + i, this.random.s32())
      code.mov(3, { reg: 10 })
      code.alu('add', 3, VALUE)
      code.mov(4, 0)
    }
    code.call(helper)
  }

  private lookup(map: number): void {
    const { code, random } = this
    const def = this.maps[map]!
    this.key(def)
    const helper = random.below(5)
    if (helper === 0) this.call(map, 2)
    else if (helper === 1) this.call(map, 3)
    if (helper < 2) this.key(def)
    this.call(map, 1)
    const none = code.label()
    code.alu('lsh', 9, 1)
    code.jump('jeq', 0, 0, none)
    code.alu('add', 9, 1)
    const pieces = 1 + random.below(3)
    for (let i = 0; i < pieces; i++) this.use(def)
    code.bind(none)
  }

  /** Uses the value that r0 points to, and leaves r0 alone. */
  private use({ valueSize }: MapDef): void {
    const { code, random } = this
    const size = random.pick([1, 2, 4, 8] as const)
    let off = random.below(Math.floor(valueSize / size)) * size
    code.mov(7, { reg: 0 })
    switch (random.below(3)) {
      case 0:
        break
      case 1:
        code.alu('add', 7, off)
        off = 0
        break
      default:
        // A variable place.
        code.mov(8, { reg: 9 })
        code.alu('and', 8, 3)
        code.alu('add', 7, { reg: 8 })
        if (size === 1 && valueSize >= 8) off = random.below(4)
        else {
          code.alu('sub', 7, { reg: 8 })
        }
    }
    switch (random.below(4)) {
      case 0:
        return code.store(size, 7, off, random.s32())
      case 1:
        return code.store(size, 7, off, { reg: 9 })
      case 2:
        if (size >= 4 && off % size === 0) {
          const name = random.pick([
            'atomic_add',
            'atomic_fetch_add',
            'atomic_or',
            'atomic_xor',
            'atomic_fetch_and',
            'atomic_xchg',
          ])
          code.mov(8, random.s32())
          code.emit(`${name}_${size === 8 ? 'dw' : 'w'}` as 'atomic_add_w', { dst: 7, src: 8, off })
          return code.alu('xor', 9, { reg: 8 })
        }
        return code.load(size, 8, 7, off)
      default:
        code.load(size, 8, 7, off)
        return code.alu('xor', 9, { reg: 8 })
    }
  }
}

/** Records of a pcap file. */
function records(frames: readonly Uint8Array[]): Uint8Array {
  const parts = frames.flatMap((frame) => {
    const head = new DataView(new ArrayBuffer(16))
    head.setUint32(8, frame.length, true)
    head.setUint32(12, frame.length, true)
    return [...new Uint8Array(head.buffer), ...frame]
  })
  return Uint8Array.from(parts)
}

const contents = (machine: Machine, maps: readonly MapDef[]): unknown =>
  maps.map(({ name }) => machine.map(name).toJSON().entries.toSorted())

function compare(seed: number, proved: boolean): boolean {
  const generator = new Generator(seed)
  const { maps } = generator
  const program = generator.program()
  const options: LoadOptions = { type: 'xdp', maps, cpus: 3, cpu: 1 }
  const facts = proved ? { proved: () => true } : {}
  const frames = Array.from({ length: 40 }, (_, i) => new Uint8Array(14).fill([0, 1, 0x7f, 0x80, 0xff, 2][i % 6]!))
  const interpreter = load(program, options)
  const jit = load(program, { ...options, ...facts, engine: 'jit', patience: 0 })
  const walking = load(program, { ...options, ...facts })
  for (const machine of [interpreter, jit, walking]) fill(machine, maps, seed)
  const expected = frames.map((frame) => interpreter.run(frame).toJSON())
  expect(
    frames.map((frame) => jit.run(frame).toJSON()),
    `seed ${seed}`,
  ).toEqual(expected)
  expect(contents(jit, maps), `seed ${seed}`).toEqual(contents(interpreter, maps))
  const batch = walking.batch({ chunkBytes: 4096, exits: true })
  const bytes = records(frames)
  batch.input.set(bytes)
  const { r0, exits } = batch.run(bytes.length)
  expect([...r0], `seed ${seed}`).toEqual(expected.map((run) => (run as { r0: number }).r0))
  expect([...exits]).toEqual(expected.map((run) => (run as { exit?: number }).exit ?? -1))
  expect(contents(walking, maps), `seed ${seed}`).toEqual(contents(interpreter, maps))
  return batch.compiled
}

test.each([false, true])('lookups and values, accesses proved: %s', (proved) => {
  let compiled = 0
  for (let seed = 1; seed <= COUNT; seed++) if (compare(seed, proved)) compiled++
  expect(compiled).toBeGreaterThan(COUNT / 4)
})

/** r0 = the low half of the value of the trie's key in the packet, 0 if there is none. */
function ask(keySize: number): Insn[] {
  const code = new Code()
  const none = code.label()
  code.load(4, 6, 1, 0)
  for (let i = 0; i < keySize; i++) {
    code.load(1, 3, 6, i)
    code.store(1, 10, -24 + i, { reg: 3 })
  }
  code.emit('lddw_map_index', { dst: 1, imm: 0 })
  code.mov(2, { reg: 10 })
  code.alu('add', 2, -24)
  code.call(1)
  code.jump('jeq', 0, 0, none)
  code.load(4, 0, 0, 0)
  code.bind(none)
  code.exit()
  return code.layout()
}

test.each([
  [6, 30],
  [8, 3000],
  [8, 12],
  [11, 800],
  [12, 3000],
  [20, 3000],
  [20, 500],
])(
  'tries with keys of %i bytes and %i prefixes: the interpreter tries each length, compiled code searches intervals',
  (keySize, count) => {
    const random = new Random(keySize * count)
    const def: MapDef = { name: 'm0', type: 'lpm_trie', keySize, valueSize: 8, maxEntries: count, flags: 1 }
    const machines = (['interpreter', 'jit'] as const).map((engine) =>
      load(ask(keySize), { type: 'xdp', maps: [def], engine, patience: 0 }),
    )
    const bits = (keySize - 4) * 8
    const keys: Uint8Array[] = []
    const fresh = (): Uint8Array => {
      const key = Uint8Array.from({ length: keySize }, (_, i) => (i < 4 ? 0 : random.below(256)))
      // Near to another one, so that they nest and touch.
      const near = keys.length > 0 && random.below(2) ? random.pick(keys) : key
      const same = random.below(keySize - 4)
      key.set(near.subarray(4, 4 + same), 4)
      if (random.below(8) === 0) key.fill(random.pick([0, 0xff]), 4 + same)
      new DataView(key.buffer).setUint32(0, random.below(10) ? random.below(bits + 1) : bits, true)
      return key
    }
    for (let i = 0; i < count; i++) {
      const key = fresh()
      keys.push(key)
      const value = new Uint8Array(8)
      new DataView(value.buffer).setUint32(0, i + 1, true)
      for (const machine of machines) machine.map('m0').set(key, value)
    }
    for (let i = 0; i < 4000; i++) {
      if (i % 1500 === 1499) for (const machine of machines) machine.map('m0').remove(keys[i % count]!)
      const key = fresh()
      if (random.below(10)) new DataView(key.buffer).setUint32(0, bits, true)
      const [expected, got] = machines.map((machine) => machine.run(key).r0)
      expect(got, `key ${Buffer.from(key).toString('hex')}`).toBe(expected)
    }
  },
)

test('a trie without memory for intervals is asked the slow way', () => {
  const def: MapDef = { name: 'm0', type: 'lpm_trie', keySize: 8, valueSize: 8, maxEntries: 4000, flags: 1 }
  // The trie itself needs some 230 KB.
  const machine = load(ask(8), { type: 'xdp', maps: [def], engine: 'jit', budget: { memory: 550_000 } })
  const key = Uint8Array.of(32, 0, 0, 0, 1, 2, 3, 4)
  for (let i = 0; i < 4000; i++) {
    new DataView(key.buffer).setUint32(4, i * 7919, false)
    machine.map('m0').set(key, Uint8Array.of(i, 1, 0, 0, 0, 0, 0, 0))
  }
  for (let i = 0; i < 2000; i++) {
    new DataView(key.buffer).setUint32(4, i * 7919, false)
    expect(machine.run(key).r0).toBe((i & 255) + 256)
  }
})
