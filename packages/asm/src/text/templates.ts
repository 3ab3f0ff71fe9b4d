// How each shape of instruction is written in the four dialects, as data: printer and parser both work from these rows.
//
//   {dst} {src} {imm} …  operands, see operands.ts     <name> <bits> …  columns of the form's row, filled in at load
//
// The first template of a cell is printed, all are read. `llvm` is llvm-objdump --no-print-imm-hex (LLVM 22), `kernel` the
// verifier's log and bpftool's listing (Linux 6.18), `ubpf` the ubpf and rbpf assemblers, `gcc` bpf_conformance and GNU as.

import type { AtomicOp, InsnSpec } from '../isa.ts'

export type Dialect = 'llvm' | 'kernel' | 'ubpf' | 'gcc'
export const DIALECTS: readonly Dialect[] = ['llvm', 'kernel', 'ubpf', 'gcc']

type Row = Readonly<Record<Dialect, readonly string[]>>

/** A row whose ubpf and gcc texts differ only in the `%` of registers and the blank after commas. */
function same(llvm: readonly string[], kernel: readonly string[], mnemonic: readonly string[]): Row {
  return { llvm, kernel, ubpf: mnemonic, gcc: mnemonic.map((text) => text.replace(/\{(dst|src)\}/g, '%{$1}').replace(/, /g, ',')) } // biome-ignore format: a row
}

export const SHAPES = {
  alu_imm: {
    ...same(['{<r>dst} <sym>= {imm}'], ['{<r>dst} <sym>= {imm}'], ['<name><32> {dst}, {imm}']),
    ubpf: ['<name><width> {dst}, {imm}', '<name><32> {dst}, {imm}'],
  },
  alu_reg: {
    ...same(['{<r>dst} <sym>= {<r>src}'], ['{<r>dst} <sym>= {<r>src}'], ['<name><32> {dst}, {src}']),
    ubpf: ['<name><width> {dst}, {src}', '<name><32> {dst}, {src}'],
  },
  neg: {
    ...same(['{<r>dst} = -{<r>dst}'], ['{<r>dst} = -{<r>dst}'], ['<name><32> {dst}']),
    ubpf: ['<name><width> {dst}', '<name><32> {dst}'],
  },
  movsx: {
    llvm: ['{<r>dst} = (s<from>){<r>src}'],
    kernel: ['{<r>dst} = (s<from>){<r>src}'],
    ubpf: ['movsx<from><width> {dst}, {src}'],
    gcc: ['movsx<from><width> %{dst},%{src}', 'movs<32> %{dst},%{src},<from>'],
  },
  end: {
    llvm: ['{dst} = <name><width> {dst}'],
    kernel: ['{dst} = <name><width> {dst}'],
    ubpf: ['<name><width> {dst}'],
    gcc: ['<name><width> %{dst}', 'end<name> %{dst},<width>'],
  },
  bswap: {
    llvm: ['{dst} = bswap<width> {dst}'],
    kernel: ['{dst} = bswap<width> {dst}'],
    ubpf: ['bswap<width> {dst}', 'swap<width> {dst}'],
    gcc: ['swap<width> %{dst}', 'bswap<width> %{dst}', 'bswap %{dst},<width>'],
  },
  value: {
    llvm: ['{dst} = {imm64} ll', '{dst} = {imm64}ll', '{dst} = {symbol} ll'],
    kernel: ['{dst} = {ximm64}'],
    ubpf: ['lddw {dst}, {ximm64}', 'lddw {dst}, {symbol}'],
    gcc: ['lddw %{dst},{ximm64}', 'lddw %{dst},{symbol}'],
  },
  pseudo: same(['{dst} = <ref> ll'], ['{dst} = <ref>', '{dst} = <loaded>'], ['lddw {dst}, <ref>']),
  ldabs: same(['r0 = *(u<bits> *)skb[{imm}]'], ['r0 = *(u<bits> *)skb[{imm}]'], ['ldabs<sz> {imm}']),
  ldind: same(
    ['r0 = *(u<bits> *)skb[{src}{optimm}]'],
    ['r0 = *(u<bits> *)skb[{src} + {imm}]'],
    ['ldind<sz> {src}, {imm}'],
  ),
  load: same(
    ['{<m>dst} = *(u<bits> *)({src}{disp})', '{dst} = *(u<bits> *)({src}{disp})'],
    ['{dst} = *(u<bits> *)({src}{kdisp})'],
    ['ldx<sz> {dst}, [{src}{cdisp}]'],
  ),
  loadsx: same(
    ['{dst} = *(s<bits> *)({src}{disp})'],
    ['{dst} = *(s<bits> *)({src}{kdisp})'],
    ['ldxs<sz> {dst}, [{src}{cdisp}]'],
  ),
  store_imm: same(
    ['*(u<bits> *)({dst}{disp}) = {imm}'],
    ['*(u<bits> *)({dst}{kdisp}) = {imm}'],
    ['st<sz> [{dst}{cdisp}], {imm}'],
  ),
  store_reg: same(
    ['*(u<bits> *)({dst}{disp}) = {<m>src}', '*(u<bits> *)({dst}{disp}) = {src}'],
    ['*(u<bits> *)({dst}{kdisp}) = {src}'],
    ['stx<sz> [{dst}{cdisp}], {src}'],
  ),
  atomic: {
    ...same(
      ['lock *(u<bits> *)({dst}{disp}) <sym>= {<m>src}', 'lock *(u<bits> *)({dst}{disp}) <sym>= {src}'],
      ['lock *(u<bits> *)({dst}{kdisp}) <sym>= {src}'],
      ['lock <name><32> [{dst}{cdisp}], {src}'],
    ),
    gcc: ['lock <name><32> [%{dst}{cdisp}],%{src}', 'a<name><32> [%{dst}{cdisp}],%{src}'],
  },
  atomic_fetch: {
    ...same(
      ['{<m>src} = atomic_fetch_<name>((u<bits> *)({dst}{disp}), {<m>src})'],
      ['{src} = atomic<64>_fetch_<name>((u<bits> *)({dst}{kdisp}), {src})'],
      ['lock fetch <name><32> [{dst}{cdisp}], {src}'],
    ),
    gcc: ['lock fetch <name><32> [%{dst}{cdisp}],%{src}', 'af<name><32> [%{dst}{cdisp}],%{src}'],
  },
  xchg: {
    ...same(
      ['{<m>src} = xchg<32>_<width>({dst}{disp}, {<m>src})'],
      ['{src} = atomic<64>_xchg((u<bits> *)({dst}{kdisp}), {src})'],
      ['lock xchg<32> [{dst}{cdisp}], {src}'],
    ),
    gcc: ['lock xchg<32> [%{dst}{cdisp}],%{src}', 'axchg<32> [%{dst}{cdisp}],%{src}'],
  },
  cmpxchg: {
    ...same(
      ['<r0> = cmpxchg<32>_<width>({dst}{disp}, <r0>, {<m>src})'],
      ['r0 = atomic<64>_cmpxchg((u<bits> *)({dst}{kdisp}), r0, {src})'],
      ['lock cmpxchg<32> [{dst}{cdisp}], {src}'],
    ),
    gcc: ['lock cmpxchg<32> [%{dst}{cdisp}],%{src}', 'acmp<32> [%{dst}{cdisp}],%{src}'],
  },
  load_acquire: same(
    ['{<m>dst} = load_acquire((u<bits> *)({src}{disp}))'],
    ['{dst} = load_acquire((u<bits> *)({src}{kdisp}))'],
    ['ldacq<sz> {dst}, [{src}{cdisp}]'],
  ),
  store_release: same(
    ['store_release((u<bits> *)({dst}{disp}), {<m>src})'],
    ['store_release((u<bits> *)({dst}{kdisp}), {src})'],
    ['strel<sz> [{dst}{cdisp}], {src}'],
  ),
  jump_imm: same(
    ['if {<r>dst} <sym> {imm} goto {rel}'],
    ['if {<r>dst} <sym> {ximm} goto pc{rel}'],
    ['<name><32> {dst}, {imm}, {rel}'],
  ),
  jump_reg: same(
    ['if {<r>dst} <sym> {<r>src} goto {rel}'],
    ['if {<r>dst} <sym> {<r>src} goto pc{rel}'],
    ['<name><32> {dst}, {src}, {rel}'],
  ),
  ja: same(['goto {rel}'], ['goto pc{rel}'], ['ja {rel}', 'goto {rel}']),
  ja32: { ...same(['gotol {rel32}'], ['gotol pc{rel32}'], ['ja32 {rel32}']), gcc: ['ja32 {rel32}', 'jal {rel32}'] },
  may_goto: same(['may_goto {rel}'], ['may_goto pc{rel}'], ['may_goto {rel}']),
  helper: { ...same(['call {helper}'], ['call {khelper}'], ['call {helper}']), gcc: ['call {helper}', 'call helper {helper}'] }, // biome-ignore format: a row
  local: same(['call {func}'], ['call pc{rel32}'], ['call local {func}']),
  kfunc: {
    ...same(['call kfunc {nkfunc}{module}'], ['call {kfunc}{module}'], ['call kfunc {nkfunc}{module}']),
    gcc: ['call runtime {nkfunc}{module}'],
  },
  callx: { ...same(['callx {dst}'], ['callx {dst}'], ['callx {dst}', 'call {dst}']), gcc: ['call %{dst}'] },
  exit: same(['exit', 'return'], ['exit'], ['exit']),
} as const satisfies Record<string, Row>

export type Shape = keyof typeof SHAPES

const ATOMIC_SYMBOL: Readonly<Partial<Record<AtomicOp, string>>> = { add: '+', or: '|', and: '&', xor: '^' }

/** What stands for the two immediates of LD_IMM64, RFC 9669 §5.4: `lo` and `hi` are its halves, bpftool's words where it has some. */
const REFERENCE = {
  value: '',
  map_fd: 'map[fd:{lo}]',
  map_value: 'map[fd:{lo}][0]+{hi}',
  btf_id: 'btf[id:{lo}]{opthi}',
  func: 'subprog[{rel32}]',
  map_index: 'map[idx:{lo}]',
  map_index_value: 'map[idx:{lo}][0]+{hi}',
} as const

/** bpftool names maps of a loaded program by their ids. They are read as file descriptors: numbers that only a loader can resolve. */
const LOADED: Readonly<Partial<Record<string, string>>> = { map_fd: 'map[id:{lo}]', map_value: 'map[id:{lo}][0]+{hi}' }

/** The row of templates that a form uses. */
function shapeOf(spec: InsnSpec): Shape {
  switch (spec.kind) {
    case 'alu':
      return spec.alu === 'neg' ? 'neg' : spec.source === 'imm' ? 'alu_imm' : 'alu_reg'
    case 'end':
      return spec.end === 'bswap' ? 'bswap' : 'end'
    case 'ldimm64':
      return spec.imm64 === 'value' ? 'value' : 'pseudo'
    case 'ldpkt':
      return spec.source === 'imm' ? 'ldabs' : 'ldind'
    case 'load':
      return spec.signExtend ? 'loadsx' : 'load'
    case 'store':
      return spec.source === 'imm' ? 'store_imm' : 'store_reg'
    case 'atomic':
      return atomicShape(spec)
    case 'jump':
      return spec.source === 'imm' ? 'jump_imm' : 'jump_reg'
    case 'goto':
      return spec.width === 32 ? 'ja32' : 'ja'
    case 'call':
      return spec.call === 'register' ? 'callx' : spec.call!
    case 'movsx':
    case 'may_goto':
    case 'exit':
      return spec.kind
  }
}

function atomicShape({ atomic, fetch }: InsnSpec): Shape {
  switch (atomic!) {
    case 'xchg':
    case 'cmpxchg':
    case 'load_acquire':
    case 'store_release':
      return atomic as Shape
    default:
      return fetch ? 'atomic_fetch' : 'atomic'
  }
}

/** The templates of a form in a dialect with the `<column>`s filled in; the first is the one to print. */
export function templatesOf(spec: InsnSpec, dialect: Dialect): readonly string[] {
  const columns: Readonly<Record<string, string>> = {
    name: spec.alu ?? spec.jump ?? spec.end ?? spec.atomic ?? '',
    sym: spec.symbol ?? (spec.atomic && ATOMIC_SYMBOL[spec.atomic]) ?? '',
    width: `${spec.width}`,
    bits: `${spec.size * 8}`,
    from: `${spec.fromBits ?? ''}`,
    sz: { 0: '', 1: 'b', 2: 'h', 4: 'w', 8: 'dw' }[spec.size],
    32: spec.width === 32 ? '32' : '',
    64: spec.width === 64 ? '64' : '',
    r: spec.width === 32 ? 'w' : '', // the register half that an operation of this width names
    m: spec.size < 8 ? 'w' : '', // the same for memory of this size
    r0: spec.width === 32 ? 'w0' : 'r0',
    ref: REFERENCE[spec.imm64 ?? 'value'],
    loaded: LOADED[spec.imm64 ?? ''] ?? REFERENCE[spec.imm64 ?? 'value'],
  }
  const fill = (template: string) => template.replace(/<(\w+)>/g, (_, name: string) => columns[name]!)
  return [...new Set(SHAPES[shapeOf(spec)][dialect].map(fill))]
}
