// Instructions as text: each template becomes a list of literal pieces and operand printers, once for each form and dialect.

import { helperName } from '../abi/helpers.ts'
import { kfuncName } from '../abi/kfuncs.ts'
import { type Insn, type Origin, slotTable } from '../insn.ts'
import { type InsnSpec, ISA } from '../isa.ts'
import { type Dialect, templatesOf } from './templates.ts'

/** Where an instruction stands, for operands that name another place. */
export interface Place {
  /** Its slot. */
  readonly slot: number
  /** Names of slots; a jump to a slot without one is written as a distance. */
  readonly labels?: ReadonlyMap<number, string>
  /** Names of helpers instead of their numbers, where the dialect writes numbers. */
  readonly helperNames?: boolean
}

type Print = (insn: Insn, place: Place) => string

/** A helper as the kernel names it; it names number 0 too. */
function kernelName(id: number): string | undefined {
  const name = id === 0 ? 'unspec' : helperName(id)
  return name && `bpf_${name}`
}

const signed = (value: number): string => (value < 0 ? `${value}` : `+${value}`)
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`
const high = (insn: Insn): number => (insn.imm64 ? insn.imm64.getHighBitsUnsigned() : 0)

function target(distance: number, { slot, labels }: Place): string {
  return labels?.get(slot + 1 + distance) ?? signed(distance)
}

const spaced = (value: number): string => (value < 0 ? ` - ${-value}` : ` + ${value}`)

/** How each operand of a template is written. */
const PRINTERS = {
  dst: ({ dst }) => `r${dst}`,
  src: ({ src }) => `r${src}`,
  wdst: ({ dst }) => `w${dst}`,
  wsrc: ({ src }) => `w${src}`,
  imm: ({ imm }) => `${imm}`,
  ximm: ({ imm }) => hex(imm),
  imm64: ({ imm64 }) => (imm64 ? imm64.toSigned().toString() : '0'),
  ximm64: ({ imm64 }) => `0x${imm64 ? imm64.toUnsigned().toString(16) : '0'}`,
  symbol: ({ imm64 }) => `${imm64}`, // never the first template: parsed only
  disp: ({ off }) => spaced(off),
  kdisp: ({ off }) => ` ${signed(off)}`,
  cdisp: ({ off }) => signed(off),
  optimm: ({ imm }) => (imm === 0 ? '' : spaced(imm)),
  rel: (insn, place) => target(insn.off, place),
  rel32: (insn, place) => target(insn.imm, place),
  func: (insn, place) => target(insn.imm, place),
  helper: ({ imm }, { helperNames }) => (helperNames && kernelName(imm)) || `${imm >>> 0}`,
  khelper: ({ imm }) => `${kernelName(imm) ?? 'unknown'}#${imm}`,
  kfunc: ({ imm }) => `${kfuncName(imm) ?? 'kfunc'}#${imm}`,
  nkfunc: ({ imm }) => kfuncName(imm) ?? `${imm}`,
  module: ({ off }) => (off === 0 ? '' : ` module ${off}`),
  lo: ({ imm }) => `${imm}`,
  hi: (insn) => `${high(insn)}`,
  opthi: (insn) => (high(insn) === 0 ? '' : `[fd:${high(insn)}]`),
} as const satisfies Record<string, Print>

export type Operand = keyof typeof PRINTERS

/** A template cut at its operands: text, operand, text, … */
export function cut(template: string): { readonly text: string; readonly operand?: Operand }[] {
  return template
    .split(/(?=\{\w+\})|(?<=\{\w+\})/)
    .map((piece) => (piece.startsWith('{') ? { text: '', operand: piece.slice(1, -1) as Operand } : { text: piece }))
}

function compile(spec: InsnSpec, dialect: Dialect): (string | Print)[] {
  const pieces = cut(templatesOf(spec, dialect)[0]!)
  const opcode = dialect === 'kernel' ? [`(${spec.opcode.toString(16).padStart(2, '0')}) `] : []
  return [...opcode, ...pieces.map(({ text, operand }) => (operand ? PRINTERS[operand] : text))]
}

type Pieces = readonly (string | Print)[]
const compiled: Record<Dialect, Map<InsnSpec, Pieces>> = {
  llvm: new Map(),
  kernel: new Map(),
  ubpf: new Map(),
  gcc: new Map(),
}

/** Each form is compiled when it is first printed. */
function piecesOf(spec: InsnSpec, dialect: Dialect): Pieces {
  const known = compiled[dialect].get(spec)
  if (known) return known
  if (!ISA.includes(spec)) throw new RangeError(`the form ${spec.name} is not of the ISA table`)
  const pieces = compile(spec, dialect)
  compiled[dialect].set(spec, pieces)
  return pieces
}

export interface FormatOptions extends Partial<Place> {
  /** Default `kernel`: as the verifier's log writes it, opcode in front: `(b7) r0 = 0`. */
  readonly dialect?: Dialect
}

const NOWHERE: Place = { slot: 0 }

/** One instruction as one line of text, without its slot number. */
export function formatInsn(insn: Insn, options: FormatOptions = {}): string {
  const { dialect = 'kernel' } = options
  // The kernel writes distances, never labels.
  return write(insn, dialect, dialect === 'kernel' ? NOWHERE : { ...options, slot: options.slot ?? 0 })
}

function write(insn: Insn, dialect: Dialect, place: Place): string {
  let line = ''
  for (const piece of piecesOf(insn.spec, dialect)) line += typeof piece === 'string' ? piece : piece(insn, place)
  return line
}

export interface ListingOptions {
  /** Default `kernel`. */
  readonly dialect?: Dialect
  /** The `origin` of instructions as comment lines before them. Default false. */
  readonly origins?: boolean
  /** Names of functions (or other places) by slot. In the `kernel` dialect only these get a line of their own. */
  readonly names?: ReadonlyMap<number, string>
  /** Labels for jump targets. Default true; the `kernel` dialect writes slot numbers instead. */
  readonly labels?: boolean
  /** Names of helpers where the dialect writes numbers. Default false. */
  readonly helperNames?: boolean
  /** Put before the labels that are made up, to tell programs of one text apart. */
  readonly labelPrefix?: string
}

/** A program as text, one instruction a line, each line ended by a newline. The listing reads back as the same program. */
export function disassemble(program: readonly Insn[], options: ListingOptions = {}): string {
  const { dialect = 'kernel', origins = false, helperNames = false } = options
  const slots = slotTable(program)
  const kernel = dialect === 'kernel'
  const labels = kernel || options.labels === false ? (options.names ?? new Map()) : label(program, slots, options)
  let text = ''
  let origin: Origin | undefined
  for (let i = 0; i < program.length; i++) {
    const insn = program[i]!
    const slot = slots[i]!
    const name = labels.get(slot)
    if (name !== undefined) text += `${name}:\n`
    if (origins && insn.origin && insn.origin.text !== origin?.text) text += comment(insn.origin)
    origin = insn.origin
    const line = write(insn, dialect, kernel ? NOWHERE : { slot, labels, helperNames })
    text += kernel ? `${`${slot}`.padStart(4)}: ${line}\n` : `    ${line}\n`
  }
  const end = labels.get(slots[program.length]!)
  return end === undefined ? text : `${text}${end}:\n`
}

/** Rule text comes from users: it stays on its line. */
function comment({ rule, text }: Origin): string {
  const shown = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
  return `    ; ${rule === undefined ? '' : `rule ${rule}: `}${shown}\n`
}

/** The slot that an instruction at `slot` names: a jump's target, the start of a local function; nothing for other instructions. */
export function targetSlot({ spec, off, imm }: Insn, slot: number): number | undefined {
  if (spec.kind === 'jump' || spec.kind === 'may_goto' || spec.name === 'ja') return slot + 1 + off
  // The kernel counts a function pointer from the first half of LD_IMM64 plus one, like a call.
  if (spec.name === 'ja32' || spec.call === 'local' || spec.imm64 === 'func') return slot + 1 + imm
  return undefined
}

/** Names for all targets of jumps and local calls that are starts of instructions: those given, else `L<slot>` and `F<slot>`. */
function label(program: readonly Insn[], slots: Uint32Array, options: ListingOptions): Map<number, string> {
  const { names: given = new Map(), labelPrefix = '' } = options
  const starts = new Set(slots)
  const names = new Map<number, string>()
  for (let i = 0; i < program.length; i++) {
    const slot = targetSlot(program[i]!, slots[i]!)
    if (slot === undefined || !starts.has(slot)) continue
    if (program[i]!.spec.kind === 'call' || program[i]!.spec.kind === 'ldimm64')
      names.set(slot, `${labelPrefix}F${slot}`)
    else if (!names.has(slot)) names.set(slot, `${labelPrefix}L${slot}`)
  }
  for (const [slot, name] of given) names.set(slot, name)
  return new Map([...names].sort(([a], [b]) => a - b))
}
