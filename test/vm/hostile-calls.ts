// Programs that call every helper with pointers and numbers that are often, but not always, what it wants.

import { type ArgKind, Code, HELPERS, type HelperName, type Insn, type MapDef } from '@netsieve/asm'
import { Random } from './generate.ts'

/** A map of each kind, most of them small enough to get full. */
export const ALL_MAPS: readonly MapDef[] = [
  { name: 'array', type: 'array', keySize: 4, valueSize: 600, maxEntries: 3 },
  { name: 'one', type: 'array', keySize: 4, valueSize: 5000, maxEntries: 1 },
  { name: 'percpu array', type: 'percpu_array', keySize: 4, valueSize: 12, maxEntries: 2 },
  { name: 'hash', type: 'hash', keySize: 5, valueSize: 8, maxEntries: 3 },
  { name: 'percpu hash', type: 'percpu_hash', keySize: 4, valueSize: 8, maxEntries: 2 },
  { name: 'lru', type: 'lru_hash', keySize: 4, valueSize: 8, maxEntries: 2 },
  { name: 'trie', type: 'lpm_trie', keySize: 8, valueSize: 8, maxEntries: 3, flags: 1 },
  { name: 'programs', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'events', type: 'perf_event_array', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'maps', type: 'array_of_maps', keySize: 4, valueSize: 4, maxEntries: 4 },
  { name: 'named maps', type: 'hash_of_maps', keySize: 4, valueSize: 4, maxEntries: 4 },
  { name: 'devices', type: 'devmap', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'named devices', type: 'devmap_hash', keySize: 4, valueSize: 8, maxEntries: 2 },
  { name: 'cpus', type: 'cpumap', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'sockets', type: 'xskmap', keySize: 4, valueSize: 4, maxEntries: 2 },
  { name: 'queue', type: 'queue', keySize: 0, valueSize: 8, maxEntries: 2 },
  { name: 'stack', type: 'stack', keySize: 0, valueSize: 8, maxEntries: 2 },
  { name: 'ring', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 4096 },
  { name: 'bloom', type: 'bloom_filter', keySize: 0, valueSize: 4, maxEntries: 4 },
  { name: 'cgroups', type: 'cgroup_array', keySize: 4, valueSize: 4, maxEntries: 2 },
]

/** Sizes and flags near those that helpers know, and numbers that are neither. */
const NUMBERS = [
  0, 0, 1, 2, 3, 4, 7, 8, 12, 16, 20, 36, 44, 64, 128, 511, 512, 513, 4096, 65536, -1, -8, 0x7fffffff, -0x80000000,
] // biome-ignore format: a set
const SIZES = [0, 1, 4, 8, 12, 16, 24, 36, 44, 64, 128]
/** Maps that a helper may want, the rest take any. */
const WANTED: Partial<Record<HelperName, readonly string[]>> = {
  map_push_elem: ['queue', 'stack', 'bloom'],
  map_pop_elem: ['queue', 'stack'],
  map_peek_elem: ['queue', 'stack', 'bloom'],
  for_each_map_elem: ['array', 'hash', 'lru', 'percpu hash'],
  redirect_map: ['devices', 'named devices', 'cpus', 'sockets'],
  ringbuf_output: ['ring'],
  ringbuf_reserve: ['ring'],
  ringbuf_query: ['ring'],
  perf_event_output: ['events'],
  tail_call: ['programs'],
}

class HostileCalls {
  private readonly random: Random
  private readonly code = new Code()
  private readonly back = this.code.label('back')

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  program(helpers: readonly HelperName[]): Insn[] {
    const { code, random, back } = this
    const end = code.label('end')
    code.mov(6, { reg: 1 })
    code.load(4, 7, 6, random.pick([0, 76]))
    code.mov(9, 0)
    for (let i = 0; i < 2 + random.below(8); i++) this.step(helpers)
    code.goto(end)
    code.bind(back)
    code.mov(6, { reg: 1 })
    code.mov(7, { reg: 2 })
    code.mov(9, { reg: 3 })
    if (random.below(2)) this.step(helpers)
    code.mov(0, random.below(3) === 0 ? 1 : 0)
    code.exit()
    code.bind(end)
    code.mov(0, 2)
    code.exit()
    return code.layout()
  }

  private step(helpers: readonly HelperName[]): void {
    const { code, random } = this
    if (random.below(3) === 0) code.store(8, 10, -8 * (1 + random.below(64)), random.pick([0, 1, 2, 5, 0x25642573]))
    const name = random.pick(helpers)
    const kinds: readonly ArgKind[] = HELPERS[name].args
    for (let register = 1; register < 6; register++) {
      const kind = kinds[register - 1]
      if (kind && random.below(10)) this.wanted(name, kind, register)
      else this.any(register)
    }
    code.call(HELPERS[name].id)
    if (random.below(2)) code.mov(9, { reg: 0 })
    if (random.below(8) === 0) code.load(4, 7, 6, random.pick([0, 76]))
  }

  private wanted(name: HelperName, kind: ArgKind, register: number): void {
    const { code, random } = this
    if (kind.startsWith('ctx') || kind === 'skb') return code.mov(register, { reg: 6 })
    if (kind === 'mapPtr') {
      const names = WANTED[name] ?? ALL_MAPS.map((def) => def.name)
      const wanted = random.pick(names)
      return code.map(
        register,
        ALL_MAPS.findIndex((def) => def.name === wanted),
      )
    }
    if (kind === 'func') return code.emit('lddw_func', { dst: register }, this.back)
    if (kind.startsWith('size') || kind === 'constAllocSize') return code.mov(register, random.pick(SIZES))
    if (kind === 'anything' || kind === 'unchecked') return code.mov(register, random.pick(NUMBERS))
    if (kind.startsWith('sock') || kind === 'allocMem') return code.mov(register, { reg: 9 })
    if (kind.includes('OrNull') && random.below(3) === 0) return code.mov(register, 0)
    if (random.below(4) === 0) return code.mapValue(register, 1, random.below(4000))
    this.stack(register)
  }

  private any(register: number): void {
    const { code, random } = this
    switch (random.below(7)) {
      case 0:
        return code.mov(register, { reg: 6 })
      case 1:
        return code.map(register, random.below(ALL_MAPS.length))
      case 2:
        return this.stack(register)
      case 3:
        return code.mov(register, { reg: random.pick([7, 9, 9]) })
      case 4:
        return code.emit('lddw_func', { dst: register }, this.back)
      case 5:
        return code.lddw(register, random.u64())
      default:
        return code.mov(register, random.pick(NUMBERS))
    }
  }

  private stack(register: number): void {
    this.code.mov(register, { reg: 10 })
    this.code.alu('add', register, this.random.pick([-512, -512, -256, -128, -64, -8]))
  }
}

/** One of them by its seed. What a helper gave is kept and handed to others; a function of the program is there to be called back. */
export function hostileCalls(seed: number, helpers: readonly HelperName[]): Insn[] {
  return new HostileCalls(seed).program(helpers)
}
