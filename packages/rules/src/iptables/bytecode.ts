// The match bpf: a classic BPF program over the packet from its network header on (iptables-extensions(8), net/netfilter/xt_bpf.c of Linux 6.18).
// The program is followed along all of its ways, with what its registers hold as terms: what comes out is the predicate that it is.

import type { Diagnostics } from '@netsieve/diag'
import {
  and,
  cmp,
  FALSE,
  field,
  inRanges,
  load,
  masked,
  not,
  or,
  type Pred,
  type Term,
  type Test,
  TRUE,
} from '@netsieve/ir'
import type { Word } from '../shared/index.ts'

interface Insn {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

/** XT_BPF_MAX_NUM_INSTR. */
const MOST_INSNS = 64
/** Tests in a predicate at most: ways that part and meet again are written out. */
const MOST_TESTS = 2000
/** Numbers and operations in a term at most: one that is put together from itself is written out too. */
const MOST_PARTS = 200
/** Farther bytes lie in no packet that programs can reach; from here on numbers name what is beside the packet. */
const FARTHEST = 0xf000

const CLASS = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jump: 5, ret: 6, misc: 7 } as const
const ALU = { 0: 'add', 16: 'sub', 32: 'mul', 48: 'div', 64: 'or', 80: 'and', 96: 'lsh', 112: 'rsh', 144: 'mod', 160: 'xor' } as const // biome-ignore format: one row
const JUMPS = { 16: '==', 32: '>', 48: '>=', 64: 'set' } as const
const SIZES = { 0: 4, 8: 2, 16: 1 } as const
const [IMM, ABS, IND, MEM, LEN, MSH] = [0x00, 0x20, 0x40, 0x60, 0x80, 0xa0]
const WORDS = 16

/** What the registers and words hold on a way; a word that nothing was put into cannot be read. */
interface State {
  readonly a: Term
  readonly x: Term
  readonly words: readonly (Term | undefined)[]
}

/** `N,CODE JT JF K,…`: whether the program returns another number than 0. Undefined after an error. */
export function readBytecode(word: Word, diagnostics: Diagnostics): Pred | 'unsupported' | undefined {
  const wrong = (message: string): undefined => {
    diagnostics.error('iptables/match', message, word.span, { expected: ["a number of instructions and each of them: '1,6 0 0 65535'"] }) // biome-ignore format: one message
    return undefined
  }
  const [count = '', ...parts] = word.text.replace(/,$/, '').split(',')
  const found = parts.map((part) => /^ *(\d+) +(\d+) +(\d+) +(\d+) *$/.exec(part))
  const fault = found.findIndex((each) => !each)
  if (!/^ *\d+ *$/.test(count) || parts.length === 0) return wrong('this is no program')
  if (fault >= 0) return wrong(`\`${parts[fault]}\` is no instruction`)
  const insns = found.map((each): Insn => {
    const [code, jt, jf, k] = each!.slice(1).map(Number) as [number, number, number, number]
    return { code, jt, jf, k }
  })
  if (insns.some(({ code, jt, jf, k }) => code > 0xffff || jt > 255 || jf > 255 || k > 0xffff_ffff))
    return wrong('a number of an instruction is too large')
  if (Number(count) !== insns.length) return wrong(`these are ${insns.length} instructions, not ${count.trim()}`)
  if (insns.length > MOST_INSNS) return wrong(`more than ${MOST_INSNS} instructions`)
  try {
    return new Follower(insns).whole()
  } catch (fault) {
    if (fault instanceof Refused) return wrong(`the kernel refuses the program: ${fault.message}`)
    if (fault instanceof Beyond) return 'unsupported'
    throw fault
  }
}

/** The kernel takes no such program. */
class Refused extends Error {}
/** A program that is none of ours. */
class Beyond extends Error {}

const constant = (value: number): Term => ({ kind: 'const', value: BigInt(value) })
const bin = (op: (typeof ALU)[keyof typeof ALU], left: Term, right: Term): Term => ({ kind: 'bin', op, left, right })

class Follower {
  private readonly insns: readonly Insn[]
  private readonly known = new Map<string, { readonly pred: Pred; readonly tests: number }>()

  constructor(insns: readonly Insn[]) {
    this.insns = insns
    const last = insns.at(-1)!
    if ((last.code & 7) !== CLASS.ret) throw new Refused('it does not end with a return')
    for (const [pc, { code, jt, jf, k }] of insns.entries()) {
      if ((code & 7) !== CLASS.jump) continue
      const targets = code === 0x05 ? [pc + 1 + k] : [pc + 1 + jt, pc + 1 + jf]
      if (targets.some((target) => target >= insns.length)) throw new Refused('a jump leads out of it')
    }
  }

  whole(): Pred {
    const words = Array<undefined>(WORDS).fill(undefined)
    return this.from(0, { a: constant(0), x: constant(0), words }).pred
  }

  /** What the program says from an instruction on. */
  private from(pc: number, state: State): { readonly pred: Pred; readonly tests: number } {
    if (partsOf(state.a) > MOST_PARTS || partsOf(state.x) > MOST_PARTS) throw new Beyond()
    const key = `${pc} ${JSON.stringify(state, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}` // biome-ignore format: one key
    const before = this.known.get(key)
    if (before) return before
    const found = this.step(pc, state)
    if (found.tests > MOST_TESTS) throw new Beyond()
    this.known.set(key, found)
    return found
  }

  private step(pc: number, state: State): { readonly pred: Pred; readonly tests: number } {
    const insn = this.insns[pc]!
    const { code, jt, jf, k } = insn
    const { a, x } = state
    switch (code & 7) {
      case CLASS.ret: {
        if (code === 0x06) return { pred: k === 0 ? FALSE : TRUE, tests: 0 }
        if (code === 0x16) return { pred: not(compared(a, '==', constant(0))), tests: 1 }
        break
      }
      case CLASS.jump: {
        if (code === 0x05) return this.from(pc + 1 + k, state)
        const test = JUMPS[(code & 0xf0) as keyof typeof JUMPS]
        if (!test || (code & 0xff08) > 8) break
        const right = code & 8 ? x : constant(k)
        const holds = test === 'set' ? not(compared(both(a, right), '==', constant(0))) : compared(a, test, right)
        if (holds.kind === 'const') return this.from(pc + 1 + (holds.value ? jt : jf), state)
        const [yes, no] = [this.from(pc + 1 + jt, state), this.from(pc + 1 + jf, state)]
        return { pred: either(holds, yes.pred, no.pred), tests: yes.tests + no.tests + 1 }
      }
      case CLASS.ld:
      case CLASS.ldx:
        return this.loaded(pc, insn, state)
      case CLASS.st:
      case CLASS.stx: {
        if (code > 3 || k >= WORDS) break
        const words = state.words.map((word, i) => (i === k ? (code === 2 ? a : x) : word))
        return this.from(pc + 1, { ...state, words })
      }
      case CLASS.alu: {
        if (code === 0x84) return this.from(pc + 1, { ...state, a: folded('sub', constant(0), a) })
        const op = ALU[(code & 0xf0) as keyof typeof ALU]
        if (!op || (code & 0xff00) !== 0) break
        const shift = op === 'lsh' || op === 'rsh'
        const divides = op === 'div' || op === 'mod'
        if (code & 8) {
          // The machine looks at five bits of a shift, the IR at all.
          if (shift) throw new Beyond()
          const next = this.from(pc + 1, { ...state, a: folded(op, a, x) })
          // A division by 0 returns 0.
          return divides ? { pred: and(not(compared(x, '==', constant(0))), next.pred), tests: next.tests + 1 } : next
        }
        if ((divides && k === 0) || (shift && k > 31)) break
        return this.from(pc + 1, { ...state, a: folded(op, a, constant(k)) })
      }
      default:
        if (code === 0x07) return this.from(pc + 1, { ...state, x: a })
        if (code === 0x87) return this.from(pc + 1, { ...state, a: x })
    }
    throw new Refused(`there is no instruction ${code} ${jt} ${jf} ${k}`)
  }

  /** A load that is not all there returns 0: the rule does not match. */
  private loaded(pc: number, { code, k }: Insn, state: State): { readonly pred: Pred; readonly tests: number } {
    const [mode, bytes] = [code & 0xe0, SIZES[(code & 0x18) as keyof typeof SIZES]]
    const into = (code & 7) === CLASS.ld ? 'a' : 'x'
    const on = (value: Term) => this.from(pc + 1, { ...state, [into]: value })
    const asked = (term: Term, size: number, value: Term = term) => {
      const next = on(value)
      return { pred: and(inRanges(term, [{ lo: 0n, hi: (1n << BigInt(size * 8)) - 1n }]), next.pred), tests: next.tests + 1 } // biome-ignore format: one value
    }
    if (mode === IMM && bytes === 4) return on(constant(k))
    if (mode === LEN && bytes === 4) return on(field('meta.length'))
    if (mode === MEM && bytes === 4) {
      const word = state.words[k]
      if (k >= WORDS || !word) throw new Refused(`the word ${k} holds nothing`)
      return on(word)
    }
    if (bytes !== undefined && (mode === ABS || mode === IND || mode === MSH)) {
      if (k > FARTHEST) throw new Beyond()
      if (mode === MSH && into === 'x' && bytes === 1) {
        const byte = load('net', k, 1)
        return asked(byte, 1, bin('lsh', masked(byte, 0xfn), constant(2)))
      }
      const { x } = state
      const still = x.kind === 'const' && x.value + BigInt(k) <= BigInt(FARTHEST)
      if (mode !== MSH && into === 'a') {
        const term = mode === ABS ? load('net', k, bytes) : still ? load('net', k + Number(x.value), bytes) : load('net', k, bytes, x) // biome-ignore format: one choice
        return asked(term, bytes)
      }
    }
    throw new Refused(`there is no load ${code} of ${k}`)
  }
}

const PARTS = new WeakMap<Term, number>()

/** How many numbers and operations a term is made of. */
function partsOf(term: Term): number {
  const known = PARTS.get(term)
  if (known !== undefined) return known
  const inner = term.kind === 'bin' ? [term.left, term.right] : term.kind === 'mask' ? [term.term] : term.kind === 'load' && term.index ? [term.index] : [] // biome-ignore format: one choice
  const parts = inner.reduce((sum, each) => sum + partsOf(each), 1)
  PARTS.set(term, parts)
  return parts
}

/** A test of two numbers; one that is told by their widths is a constant. */
function compared(left: Term, test: Test & ('==' | '>' | '>='), right: Term): Pred {
  if (right.kind !== 'const') return { kind: 'relation', left, test, right }
  const { value } = right
  const tests = { '==': (each: bigint) => each === value, '>': (each: bigint) => each > value, '>=': (each: bigint) => each >= value } // biome-ignore format: one row
  if (left.kind === 'const') return tests[test](left.value) ? TRUE : FALSE
  const most = widest(left)
  if (value > most || (test === '>' && value === most)) return FALSE
  return test === '>=' && value === 0n ? TRUE : cmp(left, test, value)
}

/** The largest number that a term may be, as its width has it. */
function widest(term: Term): bigint {
  if (term.kind === 'load') return (1n << BigInt(term.bytes * 8)) - 1n
  return term.kind === 'mask' ? term.mask : 0xffff_ffffn
}

function both(left: Term, right: Term): Term {
  return right.kind === 'const' && left.kind === 'load' ? masked(left, right.value & widest(left)) : folded('and', left, right) // biome-ignore format: one choice
}

function folded(op: (typeof ALU)[keyof typeof ALU], left: Term, right: Term): Term {
  if (left.kind !== 'const' || right.kind !== 'const') {
    const nothing =
      right.kind === 'const' && right.value === 0n && ['add', 'sub', 'or', 'xor', 'lsh', 'rsh'].includes(op)
    return nothing ? left : bin(op, left, right)
  }
  const [a, b] = [left.value, right.value]
  const values = { add: a + b, sub: a - b, mul: a * b, div: b === 0n ? 0n : a / b, mod: b === 0n ? 0n : a % b, and: a & b, or: a | b, xor: a ^ b, lsh: a << (b & 31n), rsh: a >> (b & 31n) } // biome-ignore format: one row
  return { kind: 'const', value: BigInt.asUintN(32, values[op]) }
}

/** `holds ? yes : no`. */
function either(holds: Pred, yes: Pred, no: Pred): Pred {
  const [always, never] = [yes, no].map((pred) => (pred.kind === 'const' ? pred.value : undefined))
  if (yes === no) return yes
  if (always === true) return never === false ? holds : or(holds, no)
  if (always === false) return never === true ? not(holds) : and(not(holds), no)
  if (never === true) return or(not(holds), yes)
  if (never === false) return and(holds, yes)
  return or(and(holds, yes), and(not(holds), no))
}
