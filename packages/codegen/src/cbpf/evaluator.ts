// The code of one test: its left side into A, its right side into X or the instruction. What A and X hold already is used again.

import { CBPF_WORDS, type CbpfInsn } from '@netsieve/asm'
import { type BinOp, type Term, type TestNode, termKey, WALKED } from '@netsieve/ir'
import { IPPROTO } from '@netsieve/packet'
import { Beyond } from './plain.ts'

/** What the registers hold, as term keys; nothing if that is not known. And the keys that are in the words kept for them. */
export interface Registers {
  readonly a: string | undefined
  readonly x: string | undefined
  readonly memory: ReadonlySet<string>
}

export const UNKNOWN: Registers = { a: undefined, x: undefined, memory: new Set() }

/** What both hold alike. */
export function common(one: Registers, other: Registers): Registers {
  return {
    a: one.a === other.a ? one.a : undefined,
    x: one.x === other.x ? one.x : undefined,
    memory: new Set([...one.memory].filter((key) => other.memory.has(key))),
  }
}

/** Terms that have a word of memory for the whole program, by key. */
export type Kept = ReadonlyMap<string, number>

/** Words of memory for terms that are used again; the others are for arithmetic. */
const KEPT_WORDS = 12

/** Which terms are worth a word: those used again and again that take most instructions to compute. */
export function worthKeeping(nodes: readonly TestNode[]): Kept {
  const seen = new Map<string, { uses: number; readonly cost: number }>()
  const visit = (term: Term): number => {
    if (term.kind !== 'bin' && term.kind !== 'mask' && term.kind !== 'load') return 1
    const key = keyOf(term)
    const known = seen.get(key)
    if (known) {
      known.uses++
      return 1
    }
    const inner =
      term.kind === 'bin' ? visit(term.left) + visit(term.right) : term.kind === 'mask' ? visit(term.term) : term.index ? visit(term.index) : 0 // biome-ignore format: one choice
    seen.set(key, { uses: 1, cost: msh(term) === undefined ? inner + 1 : 1 })
    return inner + 1
  }
  for (const { left, operand } of nodes) {
    visit(left)
    if (typeof operand !== 'bigint') visit(operand)
  }
  const worth = [...seen]
    .map(([key, { uses, cost }]) => ({ key, gain: (uses - 1) * (cost - 1) - 1 }))
    .filter(({ gain }) => gain > 0)
    .sort((one, other) => other.gain - one.gain)
    .slice(0, KEPT_WORDS)
  return new Map(worth.map(({ key }, i) => [key, CBPF_WORDS - 1 - i]))
}

/** A test's instructions, the last of them a conditional jump whose targets are not filled in. */
export interface Block {
  readonly insns: readonly CbpfInsn[]
  /** The jump is taken where the test does not hold. */
  readonly swapped: boolean
  readonly after: Registers
}

const ALU: Record<BinOp, number> = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  mod: 0x90,
  xor: 0xa0, // biome-ignore format: one family
}
const JUMP = { eq: 0x15, gt: 0x25, ge: 0x35, set: 0x45 } as const
const X_SOURCE = 0x08
const LOAD = { 4: 0x20, 2: 0x28, 1: 0x30 } as const
const INDEXED = { 4: 0x40, 2: 0x48, 1: 0x50 } as const
const OP = { ldImm: 0x00, ldLen: 0x80, ldMem: 0x60, ldxImm: 0x01, ldxLen: 0x81, ldxMem: 0x61, ldxMsh: 0xb1, st: 0x02, tax: 0x07, txa: 0x87 } // biome-ignore format: one family
const JA = 0x05
const NETWORK_HEADER = 14

/** The key of `4 * (packet[k] & 15)`, which has an instruction of its own. */
const mshKey = (k: number) => `msh[${k}]`

/** The place of the byte, if the term is four times its low half. */
function msh(term: Term): number | undefined {
  if (term.kind !== 'bin' || term.right.kind !== 'const') return undefined
  if (!(term.op === 'lsh' && term.right.value === 2n) && !(term.op === 'mul' && term.right.value === 4n))
    return undefined
  const nibble = term.left
  if (nibble.kind !== 'mask' || nibble.mask !== 0xfn || nibble.term.kind !== 'load') return undefined
  const { base, bytes, offset, index } = nibble.term
  return base === 'link' && bytes === 1 && !index ? offset : undefined
}

const keyOf = (term: Term): string => {
  const k = msh(term)
  return k === undefined ? termKey(term) : mshKey(k)
}

/** @throws Beyond if sixteen words of memory are not enough. */
export function testBlock(node: TestNode, before: Registers, kept: Kept): Block {
  const code = new Emitted(before, kept)
  const { left, operand, test } = node
  if (typeof operand === 'bigint') {
    const bits = test === 'eq' && left.kind === 'mask' ? left : undefined
    const single = bits && operand === bits.mask && (bits.mask & (bits.mask - 1n)) === 0n
    // `A & mask == 0` and, of one bit, `A & mask == mask`: jset leaves A as it is.
    if (bits && (operand === 0n || single) && code.registers.a !== keyOf(left)) {
      code.toA(bits.term)
      return code.block(JUMP.set, bits.mask, operand === 0n)
    }
    code.toA(left)
    return code.block(JUMP[test], operand, false)
  }
  code.both(left, operand)
  return code.block(JUMP[test] | X_SOURCE, 0n, false)
}

class Emitted {
  private readonly insns: CbpfInsn[] = []
  private a: string | undefined
  private x: string | undefined
  private words = 0
  private readonly memory: Set<string>
  private readonly kept: Kept

  constructor(before: Registers, kept: Kept) {
    this.a = before.a
    this.x = before.x
    this.memory = new Set(before.memory)
    this.kept = kept
  }

  get registers(): Registers {
    return { a: this.a, x: this.x, memory: this.memory }
  }

  block(jump: number, k: bigint, swapped: boolean): Block {
    this.put(jump, Number(k))
    return { insns: this.insns, swapped, after: this.registers }
  }

  private put(code: number, k = 0): void {
    this.insns.push(this.made(code, k))
  }

  toA(term: Term): void {
    const key = keyOf(term)
    if (this.a === key) return
    const word = this.kept.get(key)
    if (this.x === key) this.put(OP.txa)
    else if (word !== undefined && this.memory.has(key)) this.put(OP.ldMem, word)
    else {
      this.compute(term)
      if (word !== undefined) {
        this.put(OP.st, word)
        this.memory.add(key)
      }
    }
    this.a = key
  }

  private compute(term: Term): void {
    switch (term.kind) {
      case 'const':
        return this.put(OP.ldImm, Number(term.value))
      case 'length':
        return this.put(OP.ldLen)
      case 'field':
      case 'raw':
      case 'find':
        throw new Beyond(`the term ${term.kind}`)
      case 'mask':
        this.toA(term.term)
        return this.put(ALU.and | 0x04, Number(term.mask))
      case 'load':
        return this.load(term)
      case 'bin':
        return this.binary(term)
      case 'walk':
        return this.walk(term)
    }
  }

  /**
   * A loop, as libpcap's own programs have: A is the number of the header at X, counted from the network header. It has the one jump
   * backwards that classic BPF cannot say but by an offset that wraps, which no kernel takes.
   */
  private walk({ family, net, until }: Extract<Term, { kind: 'walk' }>): void {
    const ip6 = family === 'ipv6'
    const extensions = ip6 ? WALKED : []
    this.put(LOAD[1], net + (ip6 ? 6 : 9))
    if (ip6) this.put(OP.ldxImm, 40)
    else this.put(OP.ldxMsh, net)
    const again = this.insns.length
    const onward = this.words
    if (onward >= CBPF_WORDS - this.kept.size) throw new Beyond('arithmetic that needs more than 16 words of memory')
    const fetch = [this.made(INDEXED[1], net), this.made(OP.st, onward), this.made(INDEXED[1], net + 1)]
    const go = (from: number) => [this.made(OP.tax), this.made(OP.ldMem, onward), this.made(JA, again - from)]
    const extension = [
      ...fetch,
      this.made(ALU.add | 0x04, 1),
      this.made(ALU.lsh | 0x04, 3),
      this.made(ALU.add | 0x04 | X_SOURCE),
    ]
    const ah = [...fetch, this.made(ALU.add | 0x04, 2), this.made(ALU.lsh | 0x04, 2)]
    const tests = 1 + extensions.length + 1
    const bodies = { extension: again + tests, ah: again + tests + (ip6 ? extension.length + 3 : 0) }
    const end = bodies.ah + ah.length + 3
    const test = (k: number, yes: number, no?: number) => {
      const at = this.insns.length
      this.insns.push({ code: JUMP.eq, jt: yes - at - 1, jf: no === undefined ? 0 : no - at - 1, k: k >>> 0 })
    }
    test(until, end)
    for (const header of extensions) test(header, bodies.extension)
    test(IPPROTO.ah, bodies.ah, end)
    if (ip6) this.insns.push(...extension, ...go(bodies.ah))
    this.insns.push(...ah, ...go(end))
    this.x = undefined
  }

  private made(code: number, k = 0): CbpfInsn {
    return { code, jt: 0, jf: 0, k: k >>> 0 }
  }

  private load({ base, offset, bytes, index }: Extract<Term, { kind: 'load' }>): void {
    const size = bytes as 1 | 2 | 4
    if (base === 'transport') {
      if (index) throw new Beyond('an index behind the transport header')
      this.mshToX(NETWORK_HEADER)
      return this.put(INDEXED[size], NETWORK_HEADER + offset)
    }
    if (!index) return this.put(LOAD[size], offset)
    this.toX(index)
    this.put(INDEXED[size], offset)
  }

  private binary(term: Extract<Term, { kind: 'bin' }>): void {
    const { op, left, right } = term
    const k = msh(term)
    if (k !== undefined) {
      this.mshToX(k)
      return this.put(OP.txa)
    }
    if (right.kind === 'const') {
      this.toA(left)
      return this.put(ALU[op] | 0x04, Number(right.value))
    }
    if (op === 'sub' && left.kind === 'const' && left.value === 0n) {
      this.toA(right)
      return this.put(0x84)
    }
    this.both(left, right)
    this.put(ALU[op] | 0x04 | X_SOURCE)
  }

  /** Left into A, right into X. */
  both(left: Term, right: Term): void {
    if (this.direct(right)) {
      this.toA(left)
      // Computing the left side may have used X.
      return this.toX(right)
    }
    if (keyOf(left) === keyOf(right)) {
      this.toA(left)
      return this.moveToX(keyOf(left))
    }
    if (!this.usesX(left)) {
      this.toX(right)
      return this.toA(left)
    }
    if (this.words >= CBPF_WORDS - this.kept.size)
      throw new Beyond('arithmetic that needs more than 16 words of memory')
    this.toA(right)
    const word = this.words++
    this.put(OP.st, word)
    this.toA(left)
    this.put(OP.ldxMem, word)
    this.x = keyOf(right)
    this.words--
  }

  /** X can be loaded without A. */
  private direct(term: Term): boolean {
    if (this.memory.has(keyOf(term))) return true
    return this.x === keyOf(term) || term.kind === 'const' || term.kind === 'length' || msh(term) !== undefined
  }

  toX(term: Term): void {
    const key = keyOf(term)
    if (this.x === key) return
    const k = msh(term)
    if (k !== undefined) return this.mshToX(k)
    if (this.memory.has(key)) this.put(OP.ldxMem, this.kept.get(key)!)
    else if (term.kind === 'const') this.put(OP.ldxImm, Number(term.value))
    else if (term.kind === 'length') this.put(OP.ldxLen)
    else {
      this.toA(term)
      return this.moveToX(key)
    }
    this.x = key
  }

  private moveToX(key: string): void {
    if (this.x !== key) this.put(OP.tax)
    this.x = key
  }

  private mshToX(k: number): void {
    if (this.x !== mshKey(k)) this.put(OP.ldxMsh, k)
    this.x = mshKey(k)
  }

  /** Computing the term may change X. */
  private usesX(term: Term): boolean {
    if (this.memory.has(keyOf(term))) return false
    switch (term.kind) {
      case 'load':
        return term.base === 'transport' || term.index !== undefined
      case 'mask':
        return this.usesX(term.term)
      case 'walk':
        return true
      case 'bin':
        return (
          msh(term) !== undefined || this.usesX(term.left) || (term.right.kind !== 'const' && !this.isNegation(term))
        )
      default:
        return false
    }
  }

  private isNegation({ op, left, right }: Extract<Term, { kind: 'bin' }>): boolean {
    return op === 'sub' && left.kind === 'const' && left.value === 0n && !this.usesX(right)
  }
}
