// The eBPF instruction set as data: a few factored tables, expanded at load into one spec per instruction form.
// Encoding, decoding, text, verifier and VM derive from these rows and switch on `kind` only. RFC 9669 §3–5.
//
//   opcode   7 6 5 4 | 3   | 2 1 0        ALU, JMP:     op   | source | class
//            7 6 5   | 4 3 | 2 1 0        LD, ST:       mode | size   | class

/** RFC 9669 §2.4 conformance groups; `linux` marks what only the kernel has, `callx` what some runtimes have and neither RFC nor kernel. */
export type Group =
  | 'base32'
  | 'base64'
  | 'divmul32'
  | 'divmul64'
  | 'atomic32'
  | 'atomic64'
  | 'packet'
  | 'linux'
  | 'callx'
export type Cpu = 'v1' | 'v2' | 'v3' | 'v4'

export type Kind =
  | 'alu' // dst = dst op (src | imm); also mov and neg
  | 'movsx' // dst = sign-extended low bits of src
  | 'end' // byte order and byte swap of dst
  | 'ldimm64' // dst = a 64-bit immediate or what `src` says it stands for; two slots
  | 'ldpkt' // legacy packet access: r0 = packet[imm (+ src)]
  | 'load' // dst = memory[src + off]
  | 'store' // memory[dst + off] = src | imm
  | 'atomic' // memory[dst + off] op= src, and kin
  | 'jump' // if dst test (src | imm) goto off
  | 'goto' // goto off | imm
  | 'may_goto' // goto off when the loop budget is used up
  | 'call' // helper, local function, kfunc, or through a register
  | 'exit'

export type AluOp =
  | 'add' | 'sub' | 'mul' | 'div' | 'sdiv' | 'or' | 'and' | 'lsh' | 'rsh' | 'neg' | 'mod' | 'smod' | 'xor' | 'mov' | 'arsh' // biome-ignore format: one family
export type JumpOp = 'jeq' | 'jgt' | 'jge' | 'jset' | 'jne' | 'jsgt' | 'jsge' | 'jlt' | 'jle' | 'jslt' | 'jsle'
export type EndOp = 'le' | 'be' | 'bswap'
export type AtomicOp = 'add' | 'or' | 'and' | 'xor' | 'xchg' | 'cmpxchg' | 'load_acquire' | 'store_release'
export type CallTarget = 'helper' | 'local' | 'kfunc' | 'register'
/** What the two immediates of LD_IMM64 stand for: RFC 9669 §5.4. */
export type Imm64Kind = 'value' | 'map_fd' | 'map_value' | 'btf_id' | 'func' | 'map_index' | 'map_index_value'
export type Bytes = 1 | 2 | 4 | 8

/** Which instruction fields a form uses; `next_imm` is the high half of LD_IMM64. An unused field is reserved and must be zero. */
export type FieldUse = 'dst' | 'src' | 'off' | 'imm' | 'next_imm'

/** One instruction form. `fixed` holds the fields whose values tell this form from others with its opcode. */
export interface InsnSpec {
  readonly name: string
  readonly opcode: number
  readonly kind: Kind
  readonly uses: ReadonlySet<FieldUse>
  readonly fixed: { readonly src?: number; readonly off?: number; readonly imm?: number }
  readonly group: Group
  readonly cpu: Cpu
  /** 8-byte slots: 2 for LD_IMM64, else 1. */
  readonly slots: 1 | 2
  /** Operation width in bits: of ALU, jump comparison, atomic; of `end`, the bits swapped. */
  readonly width: 8 | 16 | 32 | 64
  /** Bytes of memory touched (load, store, atomic, ldpkt), 0 if none. */
  readonly size: Bytes | 0
  /** The second operand. */
  readonly source: 'imm' | 'reg' | 'none'
  /** The operator as C-like text writes it: `s>>` of `r1 s>>= 5`, `>=` of `if r1 >= 5`; empty for mov. */
  readonly symbol?: string | undefined
  readonly alu?: AluOp | undefined
  readonly jump?: JumpOp | undefined
  readonly end?: EndOp | undefined
  readonly atomic?: AtomicOp | undefined
  /** Atomic: the old value goes to src (r0 for cmpxchg). */
  readonly fetch?: boolean | undefined
  /** Load: sign-extends to 64 bits. */
  readonly signExtend?: boolean | undefined
  /** movsx: bits of src that count. */
  readonly fromBits?: 8 | 16 | 32 | undefined
  readonly call?: CallTarget | undefined
  readonly imm64?: Imm64Kind | undefined
}

export const CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const
const K = 0x00
const X = 0x08

const ALU_ROWS = {
  //      code, off: fixed offset field, group of the 64-bit form, cpu
  add: { code: 0x00, symbol: '+', off: 0, group: 'base', cpu: 'v1' },
  sub: { code: 0x10, symbol: '-', off: 0, group: 'base', cpu: 'v1' },
  mul: { code: 0x20, symbol: '*', off: 0, group: 'divmul', cpu: 'v1' },
  div: { code: 0x30, symbol: '/', off: 0, group: 'divmul', cpu: 'v1' },
  sdiv: { code: 0x30, symbol: 's/', off: 1, group: 'divmul', cpu: 'v4' },
  or: { code: 0x40, symbol: '|', off: 0, group: 'base', cpu: 'v1' },
  and: { code: 0x50, symbol: '&', off: 0, group: 'base', cpu: 'v1' },
  lsh: { code: 0x60, symbol: '<<', off: 0, group: 'base', cpu: 'v1' },
  rsh: { code: 0x70, symbol: '>>', off: 0, group: 'base', cpu: 'v1' },
  neg: { code: 0x80, symbol: '-', off: 0, group: 'base', cpu: 'v1' },
  mod: { code: 0x90, symbol: '%', off: 0, group: 'divmul', cpu: 'v1' },
  smod: { code: 0x90, symbol: 's%', off: 1, group: 'divmul', cpu: 'v4' },
  xor: { code: 0xa0, symbol: '^', off: 0, group: 'base', cpu: 'v1' },
  mov: { code: 0xb0, symbol: '', off: 0, group: 'base', cpu: 'v1' },
  arsh: { code: 0xc0, symbol: 's>>', off: 0, group: 'base', cpu: 'v1' },
} as const satisfies Record<AluOp, { code: number; symbol: string; off: number; group: 'base' | 'divmul'; cpu: Cpu }>

const JUMP_ROWS = {
  jeq: { code: 0x10, symbol: '==', cpu: 'v1' },
  jgt: { code: 0x20, symbol: '>', cpu: 'v1' },
  jge: { code: 0x30, symbol: '>=', cpu: 'v1' },
  jset: { code: 0x40, symbol: '&', cpu: 'v1' },
  jne: { code: 0x50, symbol: '!=', cpu: 'v1' },
  jsgt: { code: 0x60, symbol: 's>', cpu: 'v1' },
  jsge: { code: 0x70, symbol: 's>=', cpu: 'v1' },
  jlt: { code: 0xa0, symbol: '<', cpu: 'v2' },
  jle: { code: 0xb0, symbol: '<=', cpu: 'v2' },
  jslt: { code: 0xc0, symbol: 's<', cpu: 'v2' },
  jsle: { code: 0xd0, symbol: 's<=', cpu: 'v2' },
} as const satisfies Record<JumpOp, { code: number; symbol: string; cpu: Cpu }>

const SIZE_ROWS = [
  { letter: 'w', code: 0x00, size: 4 },
  { letter: 'h', code: 0x08, size: 2 },
  { letter: 'b', code: 0x10, size: 1 },
  { letter: 'dw', code: 0x18, size: 8 },
] as const satisfies readonly { letter: string; code: number; size: Bytes }[]

const ATOMIC_ROWS = [
  //  op, imm, fetch, cpu
  { op: 'add', imm: 0x00, fetch: false, cpu: 'v1' },
  { op: 'add', imm: 0x01, fetch: true, cpu: 'v3' },
  { op: 'or', imm: 0x40, fetch: false, cpu: 'v3' },
  { op: 'or', imm: 0x41, fetch: true, cpu: 'v3' },
  { op: 'and', imm: 0x50, fetch: false, cpu: 'v3' },
  { op: 'and', imm: 0x51, fetch: true, cpu: 'v3' },
  { op: 'xor', imm: 0xa0, fetch: false, cpu: 'v3' },
  { op: 'xor', imm: 0xa1, fetch: true, cpu: 'v3' },
  { op: 'xchg', imm: 0xe1, fetch: true, cpu: 'v3' },
  { op: 'cmpxchg', imm: 0xf1, fetch: true, cpu: 'v3' },
] as const satisfies readonly { op: AtomicOp; imm: number; fetch: boolean; cpu: Cpu }[]

const IMM64_ROWS = [
  // wide: the second immediate counts too. For btf_id it is the module's BTF, which RFC 9669 does not have.
  { name: 'lddw', src: 0, imm64: 'value', wide: true },
  { name: 'lddw_map_fd', src: 1, imm64: 'map_fd', wide: false },
  { name: 'lddw_map_value', src: 2, imm64: 'map_value', wide: true },
  { name: 'lddw_btf_id', src: 3, imm64: 'btf_id', wide: true },
  { name: 'lddw_func', src: 4, imm64: 'func', wide: false },
  { name: 'lddw_map_index', src: 5, imm64: 'map_index', wide: false },
  { name: 'lddw_map_index_value', src: 6, imm64: 'map_index_value', wide: true },
] as const satisfies readonly { name: string; src: number; imm64: Imm64Kind; wide: boolean }[]

type Draft = Omit<InsnSpec, 'uses' | 'slots' | 'width' | 'size' | 'source' | 'fixed'> &
  Partial<Pick<InsnSpec, 'slots' | 'width' | 'size' | 'source' | 'fixed'>> & { readonly uses: string }

/** What rows use, by how they write it: few ways, so that forms share the sets. */
const USES = new Map<string, ReadonlySet<FieldUse>>()

function usesOf(words: string): ReadonlySet<FieldUse> {
  const known = USES.get(words)
  if (known) return known
  const uses = new Set((words === '' ? [] : words.split(' ')) as FieldUse[])
  USES.set(words, uses)
  return uses
}

/**
 * Completes a row, which may share a part with others: `uses` is written as words, `dst src off imm`. All forms have all properties, in one
 * order: engines read them faster then. Each is named here, because spreading objects of many shapes takes most of the time of a start.
 */
function form<Shared extends Partial<Draft>>(own: Omit<Draft, keyof Shared>, shared?: Shared): InsnSpec {
  const row: Partial<Draft> = own
  const rest: Partial<Draft> = shared ?? NOTHING
  return {
    name: (row.name ?? rest.name)!,
    opcode: (row.opcode ?? rest.opcode)!,
    kind: (row.kind ?? rest.kind)!,
    uses: usesOf((row.uses ?? rest.uses)!),
    fixed: row.fixed ?? rest.fixed ?? NOTHING,
    group: (row.group ?? rest.group)!,
    cpu: (row.cpu ?? rest.cpu)!,
    slots: row.slots ?? rest.slots ?? 1,
    width: row.width ?? rest.width ?? 64,
    size: row.size ?? rest.size ?? 0,
    source: row.source ?? rest.source ?? 'none',
    symbol: row.symbol ?? rest.symbol,
    alu: row.alu ?? rest.alu,
    jump: row.jump ?? rest.jump,
    end: row.end ?? rest.end,
    atomic: row.atomic ?? rest.atomic,
    fetch: row.fetch ?? rest.fetch,
    signExtend: row.signExtend ?? rest.signExtend,
    fromBits: row.fromBits ?? rest.fromBits,
    call: row.call ?? rest.call,
    imm64: row.imm64 ?? rest.imm64,
  }
}

const NOTHING = {} as const

function* aluForms(): Generator<InsnSpec> {
  for (const width of [64, 32] as const) {
    const cls = width === 64 ? CLASS.ALU64 : CLASS.ALU
    for (const [alu, row] of Object.entries(ALU_ROWS) as [AluOp, (typeof ALU_ROWS)[AluOp]][]) {
      const base = {
        kind: 'alu',
        alu,
        symbol: row.symbol,
        width,
        group: `${row.group}${width}`,
        cpu: row.cpu,
        fixed: { off: row.off },
      } as const
      const name = width === 64 ? alu : `${alu}32`
      if (alu === 'neg') {
        yield form({ name, opcode: row.code | K | cls, uses: 'dst' }, base)
        continue
      }
      yield form({ name: `${name}_imm`, opcode: row.code | K | cls, uses: 'dst imm', source: 'imm' }, base)
      yield form({ name: `${name}_reg`, opcode: row.code | X | cls, uses: 'dst src', source: 'reg' }, base)
    }
    for (const fromBits of width === 64 ? ([8, 16, 32] as const) : ([8, 16] as const)) {
      const name = `movsx${fromBits}${width}`
      const opcode = 0xb0 | X | cls
      yield form({ name, opcode, kind: 'movsx', width, fromBits, uses: 'dst src', source: 'reg', fixed: { off: fromBits }, group: `base${width}`, cpu: 'v4' }) // biome-ignore format: a row
    }
  }
  for (const width of [16, 32, 64] as const) {
    const group = width === 64 ? 'base64' : 'base32'
    const rows = [
      ['le', 0xd0 | K | CLASS.ALU, 'v1', group],
      ['be', 0xd0 | X | CLASS.ALU, 'v1', group],
      ['bswap', 0xd0 | K | CLASS.ALU64, 'v4', group],
    ] as const
    for (const [end, opcode, cpu, grp] of rows) {
      yield form({
        name: `${end}${width}`,
        opcode,
        kind: 'end',
        end,
        width,
        uses: 'dst',
        fixed: { imm: width },
        group: grp,
        cpu,
      })
    }
  }
}

function* memoryForms(): Generator<InsnSpec> {
  for (const { name, src, imm64, wide } of IMM64_ROWS) {
    yield form({ name, opcode: 0x18, kind: 'ldimm64', imm64, slots: 2, uses: wide ? 'dst imm next_imm' : 'dst imm', source: 'imm', fixed: { src }, group: 'base64', cpu: 'v1' }) // biome-ignore format: a row
  }
  for (const { letter, code, size } of SIZE_ROWS) {
    const wide = size === 8
    const group = wide ? 'base64' : 'base32'
    if (!wide) {
      const legacy = { kind: 'ldpkt', size, width: 32, group: 'packet', cpu: 'v1' } as const
      yield form({ name: `ldabs${letter}`, opcode: 0x20 | code | CLASS.LD, uses: 'imm', source: 'imm' }, legacy)
      yield form({ name: `ldind${letter}`, opcode: 0x40 | code | CLASS.LD, uses: 'src imm', source: 'reg' }, legacy)
      yield form({ name: `ldxs${letter}`, opcode: 0x80 | code | CLASS.LDX, kind: 'load', size, signExtend: true, uses: 'dst src off', source: 'reg', group, cpu: 'v4' }) // biome-ignore format: a row
    }
    yield form({ name: `ldx${letter}`, opcode: 0x60 | code | CLASS.LDX, kind: 'load', size, uses: 'dst src off', source: 'reg', group, cpu: 'v1' }) // biome-ignore format: a row
    yield form({ name: `st${letter}`, opcode: 0x60 | code | CLASS.ST, kind: 'store', size, uses: 'dst off imm', source: 'imm', group, cpu: 'v1' }) // biome-ignore format: a row
    yield form({ name: `stx${letter}`, opcode: 0x60 | code | CLASS.STX, kind: 'store', size, uses: 'dst src off', source: 'reg', group, cpu: 'v1' }) // biome-ignore format: a row
    // Acquire and release exist for every size, unlike the read-modify-write atomics (Linux 6.15).
    const ordered = { kind: 'atomic', opcode: 0xc0 | code | CLASS.STX, size, uses: 'dst src off', source: 'reg', group: 'linux', cpu: 'v4' } as const // biome-ignore format: a row
    const width = (size * 8) as 8 | 16 | 32 | 64
    yield form({ name: `load_acquire_${letter}`, atomic: 'load_acquire', width, fetch: false, fixed: { imm: 0x100 } }, ordered) // biome-ignore format: a row
    yield form({ name: `store_release_${letter}`, atomic: 'store_release', width, fetch: false, fixed: { imm: 0x110 } }, ordered) // biome-ignore format: a row
    if (size !== 4 && size !== 8) continue
    for (const { op, imm, fetch, cpu } of ATOMIC_ROWS) {
      const name = `atomic_${fetch && op !== 'xchg' && op !== 'cmpxchg' ? 'fetch_' : ''}${op}_${letter}`
      yield form({ name, opcode: 0xc0 | code | CLASS.STX, kind: 'atomic', atomic: op, fetch, width: wide ? 64 : 32, size, uses: 'dst src off', source: 'reg', fixed: { imm }, group: wide ? 'atomic64' : 'atomic32', cpu }) // biome-ignore format: a row
    }
  }
}

function* jumpForms(): Generator<InsnSpec> {
  for (const width of [64, 32] as const) {
    const cls = width === 64 ? CLASS.JMP : CLASS.JMP32
    const suffix = width === 64 ? '' : '32'
    for (const [jump, row] of Object.entries(JUMP_ROWS) as [JumpOp, (typeof JUMP_ROWS)[JumpOp]][]) {
      const base = {
        kind: 'jump',
        jump,
        symbol: row.symbol,
        width,
        group: `base${width}`,
        cpu: width === 64 ? row.cpu : 'v3',
      } as const
      yield form({ name: `${jump}${suffix}_imm`, opcode: row.code | K | cls, uses: 'dst imm off', source: 'imm' }, base)
      yield form({ name: `${jump}${suffix}_reg`, opcode: row.code | X | cls, uses: 'dst src off', source: 'reg' }, base)
    }
  }
  yield form({ name: 'ja', opcode: 0x05, kind: 'goto', uses: 'off', group: 'base32', cpu: 'v1' })
  yield form({ name: 'ja32', opcode: 0x06, kind: 'goto', uses: 'imm', width: 32, group: 'base32', cpu: 'v4' })
  yield form({ name: 'may_goto', opcode: 0xe5, kind: 'may_goto', uses: 'off', group: 'linux', cpu: 'v4' })
  yield form({ name: 'call', opcode: 0x85, kind: 'call', call: 'helper', uses: 'imm', fixed: { src: 0 }, group: 'base32', cpu: 'v1' }) // biome-ignore format: a row
  yield form({ name: 'call_local', opcode: 0x85, kind: 'call', call: 'local', uses: 'imm', fixed: { src: 1 }, group: 'base32', cpu: 'v3' }) // biome-ignore format: a row
  yield form({ name: 'call_kfunc', opcode: 0x85, kind: 'call', call: 'kfunc', uses: 'off imm', fixed: { src: 2 }, group: 'base32', cpu: 'v3' }) // biome-ignore format: a row
  yield form({ name: 'callx', opcode: 0x8d, kind: 'call', call: 'register', uses: 'dst', source: 'reg', group: 'callx', cpu: 'v3' }) // biome-ignore format: a row
  yield form({ name: 'exit', opcode: 0x95, kind: 'exit', uses: '', group: 'base32', cpu: 'v1' })
}

/** Every instruction form there is, in table order. */
export const ISA: readonly InsnSpec[] = [...aluForms(), ...memoryForms(), ...jumpForms()]

const BY_NAME: ReadonlyMap<string, InsnSpec> = new Map(ISA.map((spec) => [spec.name, spec]))
const BY_OPCODE: readonly InsnSpec[][] = Array.from({ length: 256 }, () => [])
for (const spec of ISA) BY_OPCODE[spec.opcode]!.push(spec)

/** @throws RangeError if there is no such form: names come from code, not from users. */
export function specByName(name: string): InsnSpec {
  const spec = BY_NAME.get(name)
  if (!spec) throw new RangeError(`no instruction form named ${name}`)
  return spec
}

/** The forms that share an opcode: told apart by their `fixed` fields; empty for an unknown opcode. */
export function specsByOpcode(opcode: number): readonly InsnSpec[] {
  return BY_OPCODE[opcode & 0xff] ?? []
}

const CPUS: readonly Cpu[] = ['v1', 'v2', 'v3', 'v4']

/** The lowest cpu version that has all of some forms (clang's -mcpu); v1 for none. */
export function requiredCpu(specs: Iterable<InsnSpec>): Cpu {
  let highest = 0
  for (const { cpu } of specs) highest = Math.max(highest, CPUS.indexOf(cpu))
  return CPUS[highest]!
}

/** The conformance groups that some forms need, in alphabetical order. */
export function requiredGroups(specs: Iterable<InsnSpec>): Group[] {
  return [...new Set(Array.from(specs, ({ group }) => group))].sort()
}
