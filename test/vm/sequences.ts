// Programs that do a row of map operations or packet helpers and keep every result: what the kernel answered to them is in
// `*.golden.json` beside this file, and both engines must answer the same.

import { Code, type Insn, type MapDef, type MapTypeName } from '@netsieve/asm'
import type { World } from '@netsieve/vm'
import { Random } from './generate.ts'

export interface Sequence {
  readonly name: string
  readonly type: 'xdp' | 'sched_cls' | 'cgroup_skb'
  readonly program: readonly Insn[]
  readonly maps: readonly MapDef[]
  readonly frames: readonly Uint8Array[]
  readonly world?: World
}

/** One value of 8 bytes for each operation's result. */
const RESULTS: MapDef = { name: 'results', type: 'array', keySize: 4, valueSize: 8, maxEntries: 40 }
const ABSENT = -1000

const def = (type: MapTypeName, keySize: number, maxEntries = 4, flags = 0): MapDef => ({
  name: 'map',
  type,
  keySize,
  valueSize: 8,
  maxEntries,
  ...(flags && { flags }),
})

/** Each map type that programs can fill and ask, with room for few entries, so that it gets full. */
export const SUBJECTS: readonly MapDef[] = [
  def('array', 4),
  def('percpu_array', 4),
  def('hash', 4),
  { ...def('hash', 4, 4, 1), name: 'not preallocated' },
  def('hash', 7),
  def('percpu_hash', 4),
  def('lru_hash', 4, 512),
  def('lru_percpu_hash', 4, 512),
  def('lpm_trie', 8, 4, 1),
  def('queue', 0),
  def('stack', 0),
  def('bloom_filter', 0, 64),
]

const KEY = -16
const VALUE = -24
const RESULT = -32
const INDEX = -40

function begin(code: Code): void {
  code.mov(6, { reg: 1 })
  for (const at of [KEY, VALUE, RESULT, INDEX, -8, -48, -56, -64]) code.store(8, 10, at, 0)
}

/** Keeps r0 as result `i`. */
function keep(code: Code, i: number): void {
  code.store(8, 10, RESULT, { reg: 0 })
  code.store(4, 10, INDEX, i)
  code.emit('lddw_map_index', { dst: 1, imm: 0 })
  pointer(code, 2, INDEX)
  pointer(code, 3, RESULT)
  code.mov(4, 0)
  code.call(2)
}

function pointer(code: Code, register: number, at: number): void {
  code.mov(register, { reg: 10 })
  code.alu('add', register, at)
}

/** r0 = the 8 bytes it points to, or ABSENT. */
function readValue(code: Code): void {
  const absent = code.label()
  const done = code.label()
  code.jump('jeq', 0, 0, absent)
  code.load(8, 0, 0, 0)
  code.goto(done)
  code.bind(absent)
  code.mov(0, ABSENT)
  code.bind(done)
}

const FLAGS = [0, 0, 0, 1, 2, 3, 4, 8]

function mapOperation(code: Code, random: Random, subject: MapDef): void {
  const keyed = subject.keySize > 0
  if (subject.type === 'lpm_trie') {
    code.store(4, 10, KEY, random.pick([0, 8, 16, 24, 31, 32, 33]))
    code.store(4, 10, KEY + 4, random.pick([0x0100000a, 0x0200000a, 0x0000000a, 0x0100a8c0]))
  } else code.store(4, 10, KEY, random.below(6))
  code.store(4, 10, VALUE, random.below(keyed ? 1000 : 4))
  code.emit('lddw_map_index', { dst: 1, imm: 1 })
  if (!keyed) {
    pointer(code, 2, VALUE)
    const helper = subject.type === 'bloom_filter' ? random.pick([87, 89]) : random.pick([87, 87, 88, 89])
    if (helper === 87) code.mov(3, random.pick(FLAGS))
    code.call(helper)
    if (helper === 87 || subject.type === 'bloom_filter') return
    // What was popped, next to how it went.
    code.load(4, 1, 10, VALUE)
    code.alu('lsh', 0, 32)
    code.alu('or', 0, { reg: 1 })
    return
  }
  pointer(code, 2, KEY)
  const percpu = subject.type.includes('percpu')
  switch (random.below(percpu ? 4 : 3)) {
    case 0:
      code.call(1)
      return readValue(code)
    case 1:
      pointer(code, 3, VALUE)
      code.mov(4, random.pick(FLAGS))
      return code.call(2)
    case 2:
      return code.call(3)
    default:
      code.mov(3, random.below(4))
      code.call(195)
      return readValue(code)
  }
}

export function mapSequence(subject: MapDef, seed: number): Sequence {
  const random = new Random(seed)
  const code = new Code()
  begin(code)
  for (let i = 0; i < RESULTS.maxEntries; i++) {
    mapOperation(code, random, subject)
    keep(code, i)
  }
  code.mov(0, 2)
  code.exit()
  const name = `${subject.name === 'map' ? subject.type : `${subject.type}, ${subject.name}`}, keys of ${subject.keySize}, seed ${seed}`
  return {
    name,
    type: 'xdp',
    program: code.layout(),
    maps: [RESULTS, { ...subject, name: 'map' }],
    frames: [new Uint8Array(64)],
  }
}

const ipv4 = '020000000001020000000002080045020040123440004006aabb0a0000010a000002'
const ipv6 =
  '02000000000102000000000286dd60200000002406400000000000000000000000000000000100000000000000000000000000000002'
const FRAMES = [
  `${ipv4}1f90005000000001000000025018200012340000${'5a'.repeat(20)}`,
  `${ipv6}1f90005000000001000000025018200012340000${'a5'.repeat(16)}`,
  `0200000000010200000000028100200a0800${ipv4.slice(28)}1f9000500000000100000002501820001234${'77'.repeat(16)}`,
  `0180c200000002000000000288a8000a8100000b0800${ipv4.slice(28)}${'11'.repeat(24)}`,
  `ffffffffffff02000000000200264242030000${'33'.repeat(50)}`,
].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')))

/** Loads the fields that helpers change, folded into r0. */
function fields(code: Code): void {
  code.load(4, 0, 6, 0)
  code.alu('lsh', 0, 16)
  code.load(4, 1, 6, 16)
  code.alu('or', 0, { reg: 1 })
  code.alu('lsh', 0, 16)
  code.load(4, 1, 6, 24)
  code.load(4, 2, 6, 28)
  code.alu('xor', 1, { reg: 2 })
  code.alu('or', 0, { reg: 1 })
  code.load(4, 1, 6, 20)
  code.alu('lsh', 1, 63)
  code.alu('xor', 0, { reg: 1 })
}

type Operation = (code: Code, random: Random) => void

const skb = (helper: number, ...args: readonly ((random: Random) => number)[]): Operation => {
  return (code, random) => {
    code.mov(1, { reg: 6 })
    args.forEach((value, i) => {
      code.mov(2 + i, value(random))
    })
    code.call(helper)
  }
}
const one =
  (...values: readonly number[]): ((random: Random) => number) =>
  (random) =>
    random.pick(values)

/** Packet helpers of tc programs, by name (the kernel's flow hash is keyed by chance: it cannot be compared). Each sequence is about one of them, with others between. */
export const TC_OPERATIONS: Readonly<Record<string, Operation>> = {
  vlan_push: skb(18, one(0x0081, 0xa888, 0x0008), one(0, 1, 10, 0x2fff)),
  vlan_pop: skb(19),
  change_tail: skb(38, one(0, 13, 14, 20, 33, 34, 54, 60, 61, 90, 200, 1500, 4000, 70000), one(0, 0, 0, 1)),
  change_head: skb(43, one(0, 4, 14, 70000), one(0, 0, 0, 1)),
  change_type: skb(32, one(0, 1, 2, 3, 4, 7)),
  pull_data: skb(39, one(0, 1, 20, 54, 60, 64, 65, 100, 5000)),
  ecn_set_ce: skb(97),
  change_proto: skb(31, one(0x0008, 0xdd86, 0x0608), one(0, 0, 0, 1)),
  adjust_room: skb(50, one(-20, -8, 0, 4, 8, 20, 5000), one(0, 1, 2), one(0, 0, 1, 2, 4, 6, 64, 128, 256, 66)),
  set_hash: skb(48, one(0, 1, 77)),
  csum_update: skb(40, one(0, 1)),
  csum_level: skb(135, one(0, 1, 2, 3, 4)),
  set_tstamp: skb(192, one(0, 5), one(0, 1, 2)),
  load_bytes: (code, random) => {
    code.mov(1, { reg: 6 })
    code.mov(2, random.pick([0, 10, 14, 40, 60, 5000, -1]))
    pointer(code, 3, -64)
    code.mov(4, random.pick([1, 4, 8]))
    code.call(26)
    code.load(8, 1, 10, -64)
    code.alu('xor', 0, { reg: 1 })
  },
  redirect: (code, random) => {
    code.mov(1, random.pick([0, 1, 5]))
    code.mov(2, random.pick([0, 1, 2]))
    code.call(23)
  },
  check_mtu: (code, random) => {
    code.mov(1, { reg: 6 })
    code.mov(2, random.pick([0, 1]))
    code.store(4, 10, -64, 0)
    pointer(code, 3, -64)
    code.mov(4, random.pick([0, 10, -20]))
    code.mov(5, 0)
    code.call(163)
  },
  strtol: (code, random) => {
    code.lddw(
      1,
      BigInt(
        `0x${Buffer.from(
          random.pick([
            ' 123 x\0\0',
            '-0x1f \0\0',
            '0777\0\0\0\0',
            '99999999',
            'zz\0\0\0\0\0\0',
            '+5\0\0\0\0\0\0',
            '-1\0\0\0\0\0\0',
          ]),
          'latin1',
        )
          .reverse()
          .toString('hex')}`,
      ),
    )
    code.store(8, 10, -64, { reg: 1 })
    pointer(code, 1, -64)
    code.mov(2, 8)
    code.mov(3, random.pick([0, 8, 10, 16, 3]))
    pointer(code, 4, -56)
    code.call(random.pick([105, 106]))
    code.load(8, 1, 10, -56)
    code.alu('lsh', 0, 48)
    code.alu('xor', 0, { reg: 1 })
  },
}

export function helperSequence(about: string, seed: number): Sequence {
  const random = new Random(seed)
  const code = new Code()
  begin(code)
  const others = Object.values(TC_OPERATIONS)
  for (let i = 0; i < 12; i += 2) {
    const operation = random.below(3) === 0 ? random.pick(others) : TC_OPERATIONS[about]!
    operation(code, random)
    keep(code, i)
    fields(code)
    keep(code, i + 1)
  }
  code.mov(0, 0)
  code.exit()
  return {
    name: `${about}, seed ${seed}`,
    type: 'sched_cls',
    program: code.layout(),
    maps: [RESULTS],
    frames: [FRAMES[seed % FRAMES.length]!],
  }
}

/** The device of a test run: the loopback device, which forwards nothing. */
const LOOPBACK: World = { devices: [{ ifindex: 1, mac: new Uint8Array(6), mtu: 65536, forwards: false }] }

/** `size` bytes of memory from -128 on as helpers take it, all written before. */
const MEMORY = -128
const memory =
  (helper: number, argument: number, sizes: readonly number[], ...rest: readonly (readonly number[])[]): Operation =>
  (code, random) => {
    code.mov(1, { reg: 6 })
    for (const [i, values] of rest.slice(0, argument - 2).entries()) code.mov(2 + i, random.pick(values))
    pointer(code, argument, MEMORY)
    code.mov(argument + 1, random.pick(sizes))
    for (const [i, values] of rest.slice(argument - 2).entries()) code.mov(argument + 2 + i, random.pick(values))
    code.call(helper)
  }

const TUNNEL_KEY_SIZES = [44, 44, 44, 28, 24, 22, 8, 20, 43]
const PERF_EVENTS = 1
const CGROUPS = 2

/** What asks for more than the packet: tunnels, routes, sockets, cgroups. Each fills memory first. */
const SURROUNDINGS: Readonly<Record<string, Operation>> = {
  set_tunnel_key: memory(21, 2, TUNNEL_KEY_SIZES, [0, 1, 1, 2, 8, 16, 32]),
  get_tunnel_key: memory(20, 2, TUNNEL_KEY_SIZES, [0, 1, 1, 2]),
  set_tunnel_opt: memory(30, 2, [4, 8, 7, 40]),
  get_tunnel_opt: memory(29, 2, [4, 8, 40]),
  get_xfrm_state: memory(66, 3, [4, 16, 28], [0, 1], [0, 1]),
  route_realm: skb(24),
  fib_lookup: memory(69, 2, [64, 64, 64, 63], [0, 1, 2, 64]),
  redirect_peer: (code, random) => {
    code.mov(1, random.pick([1, 5]))
    code.mov(2, random.pick([0, 1]))
    code.call(155)
  },
  redirect_neigh: (code, random) => {
    code.mov(1, 1)
    const none = random.below(3) === 0
    if (none) code.mov(2, 0)
    else pointer(code, 2, MEMORY)
    code.mov(3, none ? 0 : random.pick([20, 16]))
    code.mov(4, random.pick([0, 1]))
    code.call(152)
  },
  probe_read_kernel: (code, random) => {
    pointer(code, 1, MEMORY)
    code.mov(2, random.pick([1, 8, 16]))
    const from = random.below(3)
    if (from === 0) code.mov(3, random.pick([0, 8]))
    else if (from === 1) code.lddw(3, 0xffff_ffff_0000_0000n)
    else pointer(code, 3, MEMORY + 16)
    code.call(random.pick([113, 115]))
  },
  perf_event_read: (code, random) => {
    code.emit('lddw_map_index', { dst: 1, imm: PERF_EVENTS })
    code.mov(2, random.pick([0, 1, 2, 5]))
    code.call(22)
  },
  under_cgroup: (code, random) => {
    code.mov(1, { reg: 6 })
    code.emit('lddw_map_index', { dst: 2, imm: CGROUPS })
    code.mov(3, random.pick([0, 1, 2, 5]))
    code.call(33)
  },
  cgroup_classid: skb(17),
  sk_lookup: (code, random) => {
    const none = code.label()
    code.mov(1, { reg: 6 })
    pointer(code, 2, MEMORY)
    code.mov(3, random.pick([12, 36, 8]))
    code.mov(4, random.pick([-1, 0, 7]))
    code.mov(5, random.pick([0, 1]))
    code.call(random.pick([84, 85]))
    code.jump('jeq', 0, 0, none)
    code.mov(1, { reg: 0 })
    code.call(86)
    code.mov(0, 1)
    code.bind(none)
  },
}

function surroundingsSequence(about: string, seed: number): Sequence {
  const random = new Random(seed)
  const code = new Code()
  begin(code)
  for (let i = 0; i < 12; i += 2) {
    // An address family, a device and the like where the structs have them; numbers that the label and the flags allow.
    for (let at = MEMORY; at < MEMORY + 64; at += 4) code.store(4, 10, at, random.below(256))
    code.store(4, 10, MEMORY, random.pick([2, 10, 7]))
    code.store(4, 10, MEMORY + 8, random.pick([1, 1, 99]))
    code.store(2, 10, MEMORY + 22, random.below(4) ? 0 : 1)
    if (random.below(3)) code.store(4, 10, MEMORY + 24, 0)
    SURROUNDINGS[random.below(3) ? about : random.pick(Object.keys(SURROUNDINGS))]!(code, random)
    keep(code, i)
    code.mov(0, 0)
    for (let at = MEMORY; at < MEMORY + 64; at += 8) {
      code.load(8, 1, 10, at)
      code.alu('mul', 0, 31)
      code.alu('xor', 0, { reg: 1 })
    }
    keep(code, i + 1)
  }
  code.mov(0, 0)
  code.exit()
  const place = { keySize: 4, valueSize: 4, maxEntries: 2 } as const
  return {
    name: `${about}, seed ${seed}`,
    type: 'sched_cls',
    program: code.layout(),
    maps: [
      RESULTS,
      { ...place, name: 'events', type: 'perf_event_array' },
      { ...place, name: 'cgroups', type: 'cgroup_array' },
    ],
    frames: [FRAMES[seed % FRAMES.length]!],
    world: LOOPBACK,
  }
}

/** Maps that programs only send things to, and flags of creation, by their index in the sequence's list. */
const SINKS: readonly MapDef[] = [
  { name: 'devmap', type: 'devmap', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'devmap_hash', type: 'devmap_hash', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'cpumap', type: 'cpumap', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'xskmap', type: 'xskmap', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'ring', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 4096 },
  { name: 'programs', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'read only', type: 'array', keySize: 4, valueSize: 8, maxEntries: 2, flags: 0x80 },
  { name: 'mapped', type: 'array', keySize: 4, valueSize: 8, maxEntries: 2, flags: 0x400 },
  { name: 'inner', type: 'array', keySize: 4, valueSize: 12, maxEntries: 3, flags: 0x1000 },
  { name: 'zero seed', type: 'hash', keySize: 4, valueSize: 8, maxEntries: 2, flags: 0x40 },
]
const sink = (name: string): number => 1 + SINKS.findIndex((one) => one.name === name)

const SINK_OPERATIONS: Readonly<Record<string, Operation>> = {
  redirect_map: (code, random) => {
    code.emit('lddw_map_index', { dst: 1, imm: sink(random.pick(['devmap', 'devmap_hash', 'cpumap', 'xskmap'])) })
    code.mov(2, random.pick([0, 1, 2, 7]))
    code.mov(3, random.pick([0, 1, 2, 3, 4]))
    code.call(51)
  },
  ringbuf_output: (code, random) => {
    code.emit('lddw_map_index', { dst: 1, imm: sink('ring') })
    pointer(code, 2, VALUE)
    code.mov(3, random.pick([0, 1, 8]))
    code.mov(4, random.pick([0, 1, 2, 3, 4]))
    code.call(130)
  },
  ringbuf_reserve: (code, random) => {
    const none = code.label()
    code.emit('lddw_map_index', { dst: 1, imm: sink('ring') })
    code.mov(2, random.pick([8, 100, 5000]))
    code.mov(3, random.pick([0, 0, 1]))
    code.call(131)
    code.jump('jeq', 0, 0, none)
    code.store(8, 0, 0, random.s32())
    code.mov(1, { reg: 0 })
    code.mov(2, 0)
    code.call(random.pick([132, 133]))
    code.mov(0, 1)
    code.bind(none)
  },
  ringbuf_query: (code) => {
    code.emit('lddw_map_index', { dst: 1, imm: sink('ring') })
    code.mov(2, 1)
    code.call(134)
  },
  tail_call: (code, random) => {
    code.mov(1, { reg: 6 })
    code.emit('lddw_map_index', { dst: 2, imm: sink('programs') })
    code.mov(3, random.pick([0, 1, 2, 9]))
    code.call(12)
    // It gives nothing, and goes on here where there is no program.
    code.mov(0, 3)
  },
  array_flags: (code, random) => {
    const name = random.pick(['read only', 'mapped', 'inner'])
    code.store(4, 10, KEY, random.below(4))
    code.emit('lddw_map_index', { dst: 1, imm: sink(name) })
    pointer(code, 2, KEY)
    if (name !== 'read only' && random.below(2)) {
      code.store(8, 10, VALUE, random.s32())
      code.store(8, 10, VALUE + 8, random.s32())
      pointer(code, 3, VALUE)
      code.mov(4, random.pick(FLAGS))
      return code.call(2)
    }
    code.call(1)
    readValue(code)
  },
  hash_flags: (code, random) => {
    code.store(4, 10, KEY, random.below(4))
    code.store(8, 10, VALUE, random.s32())
    code.emit('lddw_map_index', { dst: 1, imm: sink('zero seed') })
    pointer(code, 2, KEY)
    pointer(code, 3, VALUE)
    code.mov(4, random.pick(FLAGS))
    code.call(random.pick([2, 2, 3]))
  },
}

function sinkSequence(about: string, seed: number): Sequence {
  const random = new Random(seed)
  const code = new Code()
  begin(code)
  for (let i = 0; i < 12; i++) {
    SINK_OPERATIONS[random.below(3) ? about : random.pick(Object.keys(SINK_OPERATIONS))]!(code, random)
    keep(code, i)
  }
  code.mov(0, 2)
  code.exit()
  return {
    name: `${about}, seed ${seed}`,
    type: 'xdp',
    program: code.layout(),
    maps: [RESULTS, ...SINKS],
    frames: [FRAMES[seed % FRAMES.length]!],
  }
}

/** One row of numbers after the other through one operation, as many as there are results for. */
function rowsSequence(
  name: string,
  type: Sequence['type'],
  maps: readonly MapDef[],
  rows: readonly (readonly number[])[],
  operation: (code: Code, row: readonly number[]) => void,
): Sequence[] {
  const most = RESULTS.maxEntries
  return Array.from({ length: Math.ceil(rows.length / most) }, (_, part) => {
    const code = new Code()
    begin(code)
    for (const [i, row] of rows.slice(part * most, (part + 1) * most).entries()) {
      operation(code, row)
      keep(code, i)
    }
    code.mov(0, 2)
    code.exit()
    return {
      name: `${name}, part ${part}`,
      type,
      program: code.layout(),
      maps: [RESULTS, ...maps],
      frames: [FRAMES[0]!],
    }
  })
}

function product(...lists: readonly (readonly number[])[]): number[][] {
  return lists.reduce<number[][]>((rows, list) => rows.flatMap((row) => list.map((one) => [...row, one])), [[]])
}

const RING = { keySize: 0, valueSize: 0, type: 'ringbuf' } as const
const LARGE: MapDef = { name: 'large', type: 'array', keySize: 4, valueSize: 5000, maxEntries: 1 }

/** Ring buffers, each asked once: nobody reads them in the kernel, so they would get full. Two records are held at once. */
function ringSequences(): Sequence[] {
  const sizes = [0, 8, 2024, 2032, 2033, 2040, 4072, 4080, 4081, 4088, 4089, 4096, 5000]
  const pairs = sizes.flatMap((size) => [[size, 0], [size, 8], [size, 2032]]) // biome-ignore format: three rows
  const reserve = (code: Code, size: number): void => {
    code.map(1, 1)
    code.mov(2, size)
    code.mov(3, 0)
    code.call(131)
  }
  const release = (code: Code, register: number): void => {
    const none = code.label()
    code.jump('jeq', register, 0, none)
    code.mov(1, { reg: register })
    code.mov(2, 0)
    code.call(133)
    code.bind(none)
  }
  const held = (code: Code, [first, second]: readonly number[]): void => {
    const [one, two] = [code.label(), code.label()]
    reserve(code, first!)
    code.mov(7, { reg: 0 })
    reserve(code, second!)
    code.mov(8, { reg: 0 })
    code.mov(9, 0)
    code.jump('jeq', 7, 0, one)
    code.alu('or', 9, 1)
    code.bind(one)
    code.jump('jeq', 8, 0, two)
    code.alu('or', 9, 2)
    code.bind(two)
    release(code, 7)
    release(code, 8)
    code.mov(0, { reg: 9 })
  }
  const output = (code: Code, [size]: readonly number[]): void => {
    code.map(1, 1)
    code.mapValue(2, 2)
    code.mov(3, size!)
    code.mov(4, 0)
    code.call(130)
  }
  const once = (name: string, row: readonly number[], operation: typeof held): Sequence[] =>
    rowsSequence(
      `${name} ${row.join(' ')}`,
      'xdp',
      [{ ...RING, name: 'ring', maxEntries: 4096 }, LARGE],
      [row],
      operation,
    )
  return [
    ...pairs.flatMap((row) => once('ringbuf_reserve', row, held)),
    ...sizes.filter((size) => size <= 5000).flatMap((size) => once('ringbuf_output', [size], output)),
  ]
}

/** Every flag of what redirects, sums and rewrites checksums. */
function flagSequences(): Sequence[] {
  const sinks = SINKS.slice(0, 4)
  const redirects = product([0, 1, 2, 3], [0, 1, 2, 3, 4, 7, 8, 9, 11, 16, 19, 24, 27, 28, 32, 64, -1], [0, 7])
  const sums = product([0, 4, 8, 6, 64], [0, 4, 12, 3, 64], [0, 1, 0xffff, -1])
  const texts = ['%d', '%5d|', '%s', '%x %x', 'plain', '%%', '%d%d%d%d', '%q', '\x01', '%pI4', '%99999d']
  const changes = product([24, 25, 60, 62, 64, 5000, 0x10000], [0, 0x1234, -1], [0, 0x5678, -1])
  const replace = (helper: number, flags: readonly number[]) =>
    flags.flatMap((flag) =>
      rowsSequence(
        `${helper === 10 ? 'l3' : 'l4'}_csum_replace, flags ${flag}`,
        'sched_cls',
        [],
        changes,
        (code, [offset, from, to]) => {
          code.mov(1, { reg: 6 })
          code.mov(2, offset!)
          code.mov(3, from!, 32)
          code.mov(4, to!, 32)
          code.mov(5, flag)
          code.call(helper)
        },
      ),
    )
  return [
    ...rowsSequence('redirect_map', 'xdp', sinks, redirects, (code, [map, flags, key]) => {
      code.map(1, 1 + map!)
      code.mov(2, key!)
      code.mov(3, flags!)
      code.call(51)
    }),
    ...(['xdp', 'sched_cls'] as const).flatMap((type) =>
      rowsSequence(`csum_diff of ${type}`, type, [], sums, (code, [from, to, seed]) => {
        for (let at = -64; at < 0; at += 8) code.store(8, 10, at, at * 0x1010101 + seed!)
        for (const [register, size] of [[1, from!], [3, to!]] as const) {
          if (size === 0) code.mov(register, 0)
          else pointer(code, register, -64)
          code.mov(register + 1, size)
        } // biome-ignore format: two rows
        code.mov(5, seed!)
        code.call(28)
      }),
    ),
    ...replace(10, [0, 2, 4, 1, 3, 8, 15, 16, 32, -1]),
    ...replace(11, [0, 2, 4, 16, 18, 20, 32, 34, 36, 52, 64, 96, 98, 100, 112, 3, 128, 256, -1]),
    ...rowsSequence(
      'trace_printk',
      'xdp',
      [],
      texts.map((_, i) => [i]),
      (code, [i]) => {
        const bytes = Buffer.alloc(16)
        bytes.write(texts[i!]!, 'latin1')
        for (let at = 0; at < 16; at += 8) {
          code.lddw(1, bytes.readBigUInt64LE(at))
          code.store(8, 10, -64 + at, { reg: 1 })
        }
        pointer(code, 1, -64)
        code.mov(2, texts[i!]!.length + 1)
        for (let register = 3; register < 6; register++) code.mov(register, register * 1000)
        code.call(6)
      },
    ),
  ]
}

/** Sequences of one golden file. */
export const SEQUENCES: Readonly<Record<string, () => Sequence[]>> = {
  maps: () => SUBJECTS.flatMap((subject, i) => [1, 2, 3].map((n) => mapSequence(subject, i * 10 + n))),
  helpers: () =>
    Object.keys(TC_OPERATIONS).flatMap((about, i) => [0, 1, 2, 3, 4].map((n) => helperSequence(about, i * 20 + n))),
  surroundings: () =>
    Object.keys(SURROUNDINGS).flatMap((about, i) =>
      [0, 1, 2, 3, 4].map((n) => surroundingsSequence(about, i * 20 + n)),
    ),
  sinks: () =>
    Object.keys(SINK_OPERATIONS).flatMap((about, i) => [0, 1, 2, 3, 4].map((n) => sinkSequence(about, i * 20 + n))),
  edges: () => [...ringSequences(), ...flagSequences()],
}
