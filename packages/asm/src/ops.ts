// A typed way to write programs in TypeScript, one function an operation, derived from the ISA table:
// `layout([mov64(R0, 0), jne(R1, 6, 'out'), add64(R0, R2), 'out:', exit()])`. The generator's own builder is builder.ts.

import Long from 'long'
import { Code, type Label } from './builder.ts'
import { type Insn, type InsnFields, insn } from './insn.ts'
import { type AluOp, type AtomicOp, type EndOp, type InsnSpec, ISA, type JumpOp, specByName } from './isa.ts'

/** A register as an operand, told from a number. */
export interface Reg {
  readonly reg: number
}

const register = (reg: number): Reg => ({ reg })
export const [R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10] = Array.from({ length: 11 }, (_, reg) => register(reg)) as [Reg, Reg, Reg, Reg, Reg, Reg, Reg, Reg, Reg, Reg, Reg] // biome-ignore format: a list

/** An instruction that may wait for a label. */
export interface Op {
  readonly insn: Insn
  readonly target?: string
}

/** An instruction, or a label: a name and a colon. */
export type OpLine = Op | `${string}:`

/** Where a jump goes: a label, or slots from its end. */
export type OpTarget = string | number

type Size = 'b' | 'h' | 'w' | 'dw'
type Alu = Exclude<AluOp, 'neg'>
type AluName = `${Alu}${32 | 64}`
type JumpName = JumpOp | `${JumpOp}32`
type EndName = `${EndOp}${16 | 32 | 64}`
type MovsxName = 'movsx832' | 'movsx1632' | 'movsx864' | 'movsx1664' | 'movsx3264'
type Fetching = 'add' | 'or' | 'and' | 'xor'
type Exchange = Exclude<AtomicOp, Fetching | 'load_acquire' | 'store_release'>
type AtomicName = `atomic_${Fetching | `fetch_${Fetching}` | Exchange}_${'w' | 'dw'}`

export type Ops = Readonly<
  Record<AluName, (dst: Reg, source: Reg | number) => Op> &
    Record<'neg32' | 'neg64' | EndName, (dst: Reg) => Op> &
    Record<MovsxName, (dst: Reg, src: Reg) => Op> &
    Record<JumpName, (dst: Reg, source: Reg | number, target: OpTarget) => Op> &
    Record<
      `ldx${Size}` | 'ldxsb' | 'ldxsh' | 'ldxsw' | `load_acquire_${Size}`,
      (dst: Reg, src: Reg, off: number) => Op
    > &
    Record<`stx${Size}` | AtomicName | `store_release_${Size}`, (dst: Reg, off: number, src: Reg) => Op> &
    Record<`st${Size}`, (dst: Reg, off: number, imm: number) => Op> &
    Record<'ldabsb' | 'ldabsh' | 'ldabsw', (imm: number) => Op> &
    Record<'ldindb' | 'ldindh' | 'ldindw', (src: Reg, imm: number) => Op> &
    Record<'ja' | 'ja32' | 'may_goto' | 'call_local', (target: OpTarget) => Op> & {
      readonly call: (helper: number) => Op
      readonly call_kfunc: (btfId: number, module?: number) => Op
      readonly callx: (dst: Reg) => Op
      readonly exit: () => Op
      readonly lddw: (dst: Reg, value: Long | bigint | number) => Op
      /** The map's place in the list of maps. */
      readonly map: (dst: Reg, index: number) => Op
      readonly map_value: (dst: Reg, index: number, offset: number) => Op
      readonly func: (dst: Reg, target: OpTarget) => Op
    }
>

const given = (form: InsnSpec | string, fields: InsnFields): Op => ({ insn: insn(form, fields) })

/** An instruction whose `field` is a distance, given or to be found. */
function to(form: InsnSpec, fields: InsnFields, target: OpTarget): Op {
  const field = form.kind === 'call' || form.name === 'ja32' ? 'imm' : 'off'
  if (typeof target === 'string') return { insn: insn(form, fields), target }
  return given(form, { ...fields, [field]: target })
}

type Make = (...args: never[]) => Op

/** The function of a form, by its kind. Forms that differ only in their source share one, which looks at its operand. */
function make(spec: InsnSpec): readonly [string, Make] | undefined {
  const twin = spec.source === 'reg' ? spec : undefined
  const withSource = (dst: Reg, source: Reg | number): [InsnSpec, InsnFields] =>
    typeof source === 'number'
      ? [immediate(spec), { dst: dst.reg, imm: source | 0 }]
      : [spec, { dst: dst.reg, src: source.reg }]
  switch (spec.kind) {
    case 'alu':
      if (spec.alu === 'neg') return [`neg${spec.width}`, (dst: Reg) => given(spec, { dst: dst.reg })]
      return twin && [`${spec.alu}${spec.width}`, (dst: Reg, source: Reg | number) => given(...withSource(dst, source))]
    case 'jump': {
      const name = `${spec.jump}${spec.width === 32 ? '32' : ''}`
      return (
        twin && [name, (dst: Reg, source: Reg | number, target: OpTarget) => to(...withSource(dst, source), target)]
      )
    }
    case 'movsx':
      return [spec.name, (dst: Reg, src: Reg) => given(spec, { dst: dst.reg, src: src.reg })]
    case 'end':
      return [spec.name, (dst: Reg) => given(spec, { dst: dst.reg })]
    case 'load':
      return [spec.name, (dst: Reg, src: Reg, off: number) => given(spec, { dst: dst.reg, src: src.reg, off })]
    case 'store':
      if (spec.source === 'imm') return [spec.name, (dst: Reg, off: number, imm: number) => given(spec, { dst: dst.reg, off, imm: imm | 0 })] // biome-ignore format: a row
      return [spec.name, (dst: Reg, off: number, src: Reg) => given(spec, { dst: dst.reg, off, src: src.reg })]
    case 'atomic':
      if (spec.atomic === 'load_acquire') return [spec.name, (dst: Reg, src: Reg, off: number) => given(spec, { dst: dst.reg, src: src.reg, off })] // biome-ignore format: a row
      return [spec.name, (dst: Reg, off: number, src: Reg) => given(spec, { dst: dst.reg, off, src: src.reg })]
    case 'ldpkt':
      if (spec.source === 'imm') return [spec.name, (imm: number) => given(spec, { imm: imm | 0 })]
      return [spec.name, (src: Reg, imm: number) => given(spec, { src: src.reg, imm: imm | 0 })]
    case 'goto':
    case 'may_goto':
      return [spec.name, (target: OpTarget) => to(spec, {}, target)]
    case 'call':
    case 'ldimm64':
    case 'exit':
      return undefined
  }
}

/** The immediate form beside a register form of ALU and jumps. */
const immediate = (spec: InsnSpec): InsnSpec => specByName(spec.name.replace(/_reg$/, '_imm'))

function long(value: Long | bigint | number): Long {
  if (typeof value === 'number') return Long.fromNumber(value)
  return typeof value === 'bigint' ? Long.fromString(BigInt.asIntN(64, value).toString()) : value
}

/** All operations by name. Number operands of 32 bits wrap; distances and offsets are as encoded. */
export const ops: Ops = {
  ...Object.fromEntries(ISA.map(make).filter((made) => made !== undefined)),
  call: (helper: number) => given('call', { imm: helper }),
  call_local: (target: OpTarget) => to(specByName('call_local'), {}, target),
  call_kfunc: (btfId: number, module = 0) => given('call_kfunc', { imm: btfId, off: module }),
  callx: (dst: Reg) => given('callx', { dst: dst.reg }),
  exit: () => given('exit', {}),
  lddw: (dst: Reg, value: Long | bigint | number) => given('lddw', { dst: dst.reg, imm64: long(value) }),
  map: (dst: Reg, index: number) => given('lddw_map_index', { dst: dst.reg, imm64: Long.fromBits(index, 0) }),
  map_value: (dst: Reg, index: number, offset: number) =>
    given('lddw_map_index_value', { dst: dst.reg, imm64: Long.fromBits(index, offset) }),
  func: (dst: Reg, target: OpTarget) =>
    typeof target === 'string'
      ? { ...given('lddw_func', { dst: dst.reg }), target }
      : given('lddw_func', { dst: dst.reg, imm64: Long.fromBits(target, 0) }),
} as Ops

/**
 * The program of a list of operations and labels.
 * @throws Error for a label that is not there or there twice, or too far away: programs come from code, not from users.
 */
export function layout(lines: readonly OpLine[]): Insn[] {
  const code = new Code()
  const labels = new Map<string, Label>()
  const label = (name: string): Label => {
    const known = labels.get(name) ?? code.label(name)
    labels.set(name, known)
    return known
  }
  for (const line of lines) {
    if (typeof line === 'string') code.bind(label(line.slice(0, -1)))
    else code.add(line.insn, line.target === undefined ? undefined : label(line.target))
  }
  return code.layout()
}
