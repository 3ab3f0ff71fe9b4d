// Classic BPF as text: what `tcpdump -d`, `-dd` and `-ddd` print, and the language of bpf_asm; all four are read.

import { at, Diagnostics, type Outcome, type Source, type Span } from '@netsieve/diag'
import { misfit } from '../text/operands.ts'
import { type Token, tokenize } from '../text/tokens.ts'
import { CBPF, CBPF_LONGEST, type CbpfInsn, type CbpfMode, type CbpfSpec, cbpfSpec, jumpTarget } from './table.ts'

/** `d`, `dd` and `ddd` as tcpdump prints them; `asm` as bpf_asm reads it, with labels. */
export type CbpfDialect = 'd' | 'dd' | 'ddd' | 'asm'

const hex = (k: number): string => `#0x${k.toString(16)}`
/** Which operations write their constant in hexadecimal. */
const HEX = new Set(['ld', 'ldx', 'jeq', 'jgt', 'jge', 'jset', 'and', 'or', 'xor'])

/** How each mode writes its operand. */
const OPERAND: Readonly<Record<CbpfMode, (k: number, mnemonic: string) => string>> = {
  imm: (k) => hex(k),
  k: (k, mnemonic) => (HEX.has(mnemonic) ? hex(k) : `#${k}`),
  abs: (k) => `[${extensionAt(k) ?? k}]`,
  ind: (k) => `[x + ${k}]`,
  mem: (k) => `M[${k}]`,
  len: () => '#pktlen',
  msh: (k) => `4*([${k}]&0xf)`,
  x: () => 'x',
  a: () => '',
  none: () => '',
}

/** tcpdump has names of its own for two of them. */
const TCPDUMP_NAMES: Readonly<Record<string, string>> = { vlan_avail: 'vlanp', rand: 'random' }

/** What tcpdump -d calls a load from beside the packet. */
function extensionAt(k: number): string | undefined {
  const found = Object.entries(EXTENSIONS).find(([, offset]) => AD_OFF + offset === k)?.[0]
  return found === undefined ? undefined : (TCPDUMP_NAMES[found] ?? found)
}

/** A program as text, each line ended by a newline. */
export function printCbpf(program: readonly CbpfInsn[], dialect: CbpfDialect = 'd'): string {
  switch (dialect) {
    case 'd':
      return program.map((insn, i) => `${describe(insn, i)}\n`).join('')
    case 'dd':
      return program.map(({ code, jt, jf, k }) => `{ 0x${code.toString(16)}, ${jt}, ${jf}, 0x${k.toString(16).padStart(8, '0')} },\n`).join('') // biome-ignore format: one line
    case 'ddd':
      return `${program.length}\n${program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}\n`).join('')}`
    case 'asm':
      return assembly(program)
  }
}

function describe({ code, jt, jf, k }: CbpfInsn, i: number): string {
  const number = `(${`${i}`.padStart(3, '0')})`
  const spec = cbpfSpec(code)
  if (!spec) return `${number} ${'unimp'.padEnd(8)} 0x${code.toString(16)}`
  const operand = spec.op === 'ja' ? `${jumpTarget(i, k)}` : OPERAND[spec.mode](k, spec.mnemonic)
  const text = `${number} ${spec.mnemonic.padEnd(8)} `
  return spec.op === 'jump' ? `${text}${operand.padEnd(16)} jt ${i + 1 + jt}\tjf ${i + 1 + jf}` : `${text}${operand}`
}

function assembly(program: readonly CbpfInsn[]): string {
  const targets = new Set<number>()
  program.forEach(({ code, jt, jf, k }, i) => {
    const op = cbpfSpec(code)?.op
    if (op === 'ja') targets.add(jumpTarget(i, k))
    else if (op === 'jump') targets.add(i + 1 + jt).add(i + 1 + jf)
  })
  const lines = program.map(({ code, jt, jf, k }, i) => {
    const spec = cbpfSpec(code)
    const label = targets.has(i) ? `L${i}: ` : ''
    if (!spec) return `${label}; unknown code 0x${code.toString(16)}\n`
    const operand = OPERAND[spec.mode](k, spec.mnemonic)
    if (spec.op === 'ja') return `${label}jmp L${jumpTarget(i, k)}\n`
    if (spec.op === 'jump') return `${label}${spec.mnemonic} ${operand}, L${i + 1 + jt}, L${i + 1 + jf}\n`
    const shown = spec.mode === 'len' ? '#len' : spec.mode === 'a' ? 'a' : operand
    return `${label}${spec.mnemonic}${shown && ` ${shown}`}\n`
  })
  const end = targets.has(program.length) ? `L${program.length}:\n` : ''
  return lines.join('') + end
}

// --- reading ---

/** What the kernel gives beside the packet, as loads from SKF_AD_OFF. Names of bpf_asm. */
export const EXTENSIONS = {
  proto: 0,
  type: 4,
  ifidx: 8,
  nla: 12,
  nlan: 16,
  mark: 20,
  queue: 24,
  hatype: 28,
  rxhash: 32,
  cpu: 36,
  vlan_tci: 44,
  vlan_avail: 48,
  poff: 52,
  rand: 56,
  vlan_tpid: 60,
} as const
/** SKF_AD_OFF of uapi linux/filter.h, as an unsigned number. */
export const AD_OFF = 0xfffff000

/** The modes of an operand, as tokens; N stands for a number. */
const MODES: readonly (readonly [CbpfMode, string])[] = [
  ['abs', '[N]'],
  ['ind', '[x + N]'],
  ['ind', '[%x + N]'],
  ['mem', 'M[N]'],
  ['msh', '4*([N]&0xf)'],
  ['len', '#pktlen'],
  ['len', '#len'],
  ['len', 'len'],
  ['k', '#N'],
  ['x', 'x'],
  ['x', '%x'],
  ['a', 'a'],
  ['a', '%a'],
  ['none', ''],
]
/** They as tokens, once a program is read. */
let patterns: readonly { readonly mode: CbpfMode; readonly tokens: ReturnType<typeof tokenize> }[] | undefined
function patternsOfModes() {
  patterns ??= MODES.map(([mode, text]) => ({ mode, tokens: tokenize(text.replace('#', '$')) }))
  return patterns
}

interface Line {
  readonly spec: CbpfSpec
  readonly k: number
  /** Targets by label or, in tcpdump's listing, by number. */
  readonly to: readonly (string | number)[]
  readonly span: Span
  /** The tests of bpf_asm that are written the other way round: jneq, jlt, jle. */
  readonly swapped: boolean
}

/** The program of any of the four notations. */
export function parseCbpf(source: Source): Outcome<readonly CbpfInsn[]> {
  const diagnostics = new Diagnostics(100)
  const bare = source.text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
  // Here # belongs to a constant; the tokeniser would take it for a comment.
  const text = bare.replace(/#(?=[\w%-])/g, '$')
  const numbers = numeric(text)
  if (numbers) return diagnostics.outcome(numbers)
  return new Reader(source, text, diagnostics).read()
}

/** `-ddd` (a count, then four decimals a line) and `-dd` (C initialisers). */
function numeric(text: string): readonly CbpfInsn[] | undefined {
  const rows = text
    .trim()
    .split('\n')
    .slice(0, CBPF_LONGEST + 1)
    .map((line) => line.trim())
  const initialisers = rows.map((line) => /^\{\s*(\w+),\s*(\w+),\s*(\w+),\s*(\w+)\s*\},?$/.exec(line))
  const decimals = rows.slice(1).map((line) => /^(\d+) (\d+) (\d+) (\d+)$/.exec(line))
  const found = initialisers.every(Boolean) ? initialisers : /^\d+$/.test(rows[0] ?? '') && Number(rows[0]) === decimals.length && decimals.every(Boolean) ? decimals : undefined // biome-ignore format: one choice
  if (!found || found.length === 0) return undefined
  const program = found.map((fields) => {
    const [code = 0, jt = 0, jf = 0, k = 0] = fields!.slice(1).map(Number)
    return { code, jt, jf, k }
  })
  const fits = program.every(({ code, jt, jf, k }) => code <= 0xffff && jt <= 0xff && jf <= 0xff && k <= 0xffffffff)
  return fits ? program : undefined
}

const ALIASES: Readonly<Record<string, readonly [string, boolean]>> = {
  ldi: ['ld', false],
  ldxi: ['ldx', false],
  jmp: ['ja', false],
  jneq: ['jeq', true],
  jne: ['jeq', true],
  jlt: ['jge', true],
  jle: ['jgt', true],
}

class Reader {
  private readonly source: Source
  private readonly text: string
  private readonly diagnostics: Diagnostics
  private readonly lines: Line[] = []
  private readonly labels = new Map<string, number>()

  constructor(source: Source, text: string, diagnostics: Diagnostics) {
    this.source = source
    this.text = text
    this.diagnostics = diagnostics
  }

  read(): Outcome<readonly CbpfInsn[]> {
    let start = 0
    for (const raw of this.text.split('\n')) {
      this.line(start, start + raw.length)
      start += raw.length + 1
    }
    if (this.lines.length === 0 && !this.diagnostics.hasErrors) this.diagnostics.error('cbpf/empty', 'no instructions')
    return this.diagnostics.outcome(this.lines.map((line, i) => this.resolve(line, i)))
  }

  private line(start: number, end: number): void {
    const number = /^\s*\(\d+\)/.exec(this.text.slice(start, Math.min(end, start + 40)))
    let tokens = tokenize(this.text, start + (number?.[0].length ?? 0), end)
    while (tokens[0]?.kind === 'word' && tokens[1]?.text === ':') {
      this.labels.set(tokens[0].text, this.lines.length)
      tokens = tokens.slice(2)
    }
    if (tokens.length > 0) this.instruction(tokens)
  }

  private instruction(tokens: readonly Token[]): undefined {
    const span = at(this.source, tokens[0]!.start, tokens.at(-1)!.end)
    const [mnemonic, swapped] = ALIASES[tokens[0]!.text] ?? [tokens[0]!.text, false]
    const specs = CBPF.filter((spec) => spec.mnemonic === mnemonic)
    if (specs.length === 0) return this.error(`${tokens[0]!.text} is no instruction`, at(this.source, tokens[0]!.start, tokens[0]!.end)) // biome-ignore format: one act
    const { operand, to } = split(tokens.slice(1), specs[0]!)
    const found = specs[0]!.op === 'ja' ? { spec: specs[0]!, k: 0 } : choose(specs, operand)
    if (!found) return this.error(`no such operand of ${tokens[0]!.text}`, span)
    const wrong = misfit(found.k, 'imm')
    if (wrong) return this.error(wrong, span)
    this.lines.push({ ...found, to, span, swapped })
  }

  private resolve({ spec, k, to, span, swapped }: Line, i: number): CbpfInsn {
    const distances = to.map((target) => {
      const place = typeof target === 'number' ? target : this.labels.get(target)
      if (place === undefined) this.error(`${target} is not defined`, span)
      const distance = (place ?? i + 1) - i - 1
      if (distance < 0) this.error('classic BPF jumps forward only', span)
      return distance
    })
    const insn = { code: spec.code, jt: 0, jf: 0, k: k >>> 0 }
    if (spec.op === 'ja') return { ...insn, k: distances[0] ?? 0 }
    if (spec.op !== 'jump') return insn
    const [jt = 0, jf = 0] = swapped ? [distances[1] ?? 0, distances[0] ?? 0] : distances
    if (jt > 255 || jf > 255) this.error(`a jump over ${Math.max(jt, jf)} instructions; at most 255`, span)
    return { ...insn, jt, jf }
  }

  private error(message: string, span: Span): undefined {
    this.diagnostics.error('cbpf/syntax', message, span)
  }
}

/** The operand's tokens, and the targets: `jt 4 jf 7` (numbers of instructions) or labels after commas. */
function split(tokens: readonly Token[], { op }: CbpfSpec): { operand: readonly Token[]; to: (string | number)[] } {
  if (op === 'ja') {
    const [target] = tokens
    return { operand: [], to: target ? [target.kind === 'number' ? Number(target.text) : target.text] : [] }
  }
  if (op !== 'jump') return { operand: tokens, to: [] }
  const jt = tokens.findIndex(({ text }) => text === 'jt')
  if (jt >= 0) return { operand: tokens.slice(0, jt), to: [Number(tokens[jt + 1]?.text), Number(tokens[jt + 3]?.text)] }
  const comma = tokens.findIndex(({ text }) => text === ',')
  const end = comma < 0 ? tokens.length : comma
  return {
    operand: tokens.slice(0, end),
    to: tokens
      .slice(end)
      .filter(({ text }) => text !== ',')
      .map(({ text }) => text),
  }
}

/** The form whose mode the operand has, with its number. A bare extension name is a load from SKF_AD_OFF. */
function choose(specs: readonly CbpfSpec[], operand: readonly Token[]): { spec: CbpfSpec; k: number } | undefined {
  const [first] = operand
  if (first && operand.length === 1 && Object.hasOwn(EXTENSIONS, first.text)) {
    const spec = specs.find(({ op, mode }) => op === 'ld' && mode === 'abs')
    const offset = EXTENSIONS[first.text as keyof typeof EXTENSIONS]
    if (spec) return { spec, k: AD_OFF + offset }
  }
  const named = operand.length === 3 && first?.text === '[' ? extensionNamed(operand[1]!.text) : undefined
  if (named !== undefined) {
    const spec = specs.find(({ op, mode }) => op === 'ld' && mode === 'abs')
    if (spec) return { spec, k: AD_OFF + named }
  }
  for (const { mode, tokens } of patternsOfModes()) {
    const k = fit(tokens, operand)
    if (k === undefined) continue
    const spec = specs.find((each) => each.mode === mode || (mode === 'k' && each.mode === 'imm') || (mode === 'none' && each.mode === 'a')) // biome-ignore format: one question
    if (spec) return { spec, k }
  }
  return undefined
}

/** `[type]`, as tcpdump -d writes it. */
function extensionNamed(text: string): number | undefined {
  return Object.entries(EXTENSIONS).find(([name]) => text === (TCPDUMP_NAMES[name] ?? name))?.[1]
}

/** The number in an operand of a form; 0 if the form has none. */
function fit(pattern: readonly Token[], tokens: readonly Token[]): number | undefined {
  let k = 0
  let i = 0
  for (const { text } of pattern) {
    const word = tokens[i]?.text ?? ''
    if (text === 'N' || text === '$N') {
      const sign = text === 'N' ? word : word.slice(1)
      const minus = text === 'N' ? word === '-' : word === '$' && tokens[i + 1]?.text === '-'
      if (minus) i += text === 'N' ? 1 : 2
      if (text === '$N' && word[0] !== '$') return undefined
      const digits = minus ? (tokens[i]?.text ?? '') : sign
      if (!/^(\d+|0x[0-9a-f]+)$/i.test(digits)) return undefined
      k = Number(digits) * (minus ? -1 : 1)
    } else if (word !== text) return undefined
    i++
  }
  return i === tokens.length ? k : undefined
}
