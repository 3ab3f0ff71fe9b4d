// A line of tokens against all templates of a dialect at once: a trie whose edges are literal tokens and operands.

import { type Insn, insn } from '../insn.ts'
import { type InsnSpec, ISA } from '../isa.ts'
import { type Field, misfit, type Name, OPERANDS, toLong, type Value } from './operands.ts'
import { cut, type Operand } from './print.ts'
import { type Dialect, templatesOf } from './templates.ts'
import { type Token, tokenize } from './tokens.ts'

interface Node {
  readonly literals: Map<string, Node>
  readonly operands: Map<Operand, Node>
  readonly forms: InsnSpec[]
}

/** How texts are read: what llvm and the kernel write is one language. */
export type Family = 'c' | 'ubpf' | 'gcc'
export const FAMILIES: readonly Family[] = ['c', 'ubpf', 'gcc']
export const familyOf = (dialect: Dialect): Family => (dialect === 'llvm' || dialect === 'kernel' ? 'c' : dialect)

const node = (): Node => ({ literals: new Map(), operands: new Map(), forms: [] })

function grow<K>(edges: Map<K, Node>, key: K): Node {
  const next = edges.get(key) ?? node()
  edges.set(key, next)
  return next
}

function plant(root: Node, spec: InsnSpec, template: string): void {
  let at = root
  for (const { text, operand } of cut(template)) {
    if (operand) at = grow(at.operands, operand)
    else for (const token of tokenize(text)) at = grow(at.literals, token.text)
  }
  if (!at.forms.includes(spec)) at.forms.push(spec)
}

function trie(dialects: readonly Dialect[]): Node {
  const root = node()
  for (const dialect of dialects) {
    for (const spec of ISA) {
      for (const template of templatesOf(spec, dialect)) {
        plant(root, spec, template)
        // Older files of the conformance suite leave out the % of registers.
        if (dialect === 'gcc') plant(root, spec, template.replaceAll('%', ''))
      }
    }
  }
  return root
}

const MEMBERS: Readonly<Record<Family, readonly Dialect[]>> = { c: ['llvm', 'kernel'], ubpf: ['ubpf'], gcc: ['gcc'] }

const tries = new Map<Family, Node>()

/** Made when a family is first read: who only runs programs needs none. */
function trieOf(family: Family): Node {
  const known = tries.get(family)
  if (known) return known
  const root = trie(MEMBERS[family])
  tries.set(family, root)
  return root
}

/** The words and marks that instructions of a family start with. */
export const firstWords = (family: Family): readonly string[] => [...trieOf(family).literals.keys()]

/** An instruction read; `target` names what its `off` or `imm` is to become. */
export interface Matched {
  readonly insn: Insn
  readonly target?: { readonly name: string; readonly field: Field; readonly token: Token }
  /** A number that was given unsigned and that the operation takes as negative. */
  readonly extended?: Token
  /** A number of which only the low 32 bits are taken. */
  readonly cut?: Token
}

/** Why a line is no instruction: at which token (the line's end: none), and what could have stood there. */
export interface Mismatch {
  readonly at: number
  readonly expected: readonly string[]
  /** Set if the form is right and a number is too big. */
  readonly misfit?: string
}

interface Capture {
  readonly operand: Operand
  readonly value: Value
  readonly at: number
}

/** Reads `tokens[from..]` as one instruction of a family; with `opcode` only forms that have it. */
export function match(tokens: readonly Token[], from: number, family: Family, opcode?: number): Matched | Mismatch {
  const search = new Search(tokens, family, opcode)
  const found = search.walk(trieOf(family), from)
  if (found) return found
  return search.wrong ?? { at: search.furthest, expected: [...search.expected] }
}

/** One walk through the trie: goes back where a choice was wrong and keeps what was expected at the furthest token. */
class Search {
  furthest = 0
  readonly expected = new Set<string>()
  wrong: Mismatch | undefined
  private readonly captures: Capture[] = []
  private readonly tokens: readonly Token[]
  private readonly opcode: number | undefined

  private readonly family: Family

  constructor(tokens: readonly Token[], family: Family, opcode: number | undefined) {
    this.tokens = tokens
    this.family = family
    this.opcode = opcode
  }

  walk(node: Node, at: number): Matched | undefined {
    const token = this.tokens[at]
    if (!token) {
      for (const spec of node.forms) {
        if (this.opcode !== undefined && spec.opcode !== this.opcode) continue
        const matched = this.build(spec)
        if (matched) return matched
      }
    } else {
      const next = node.literals.get(token.text)
      const found = next && this.walk(next, at + 1)
      if (found) return found
    }
    for (const [operand, next] of node.operands) {
      const read = OPERANDS[operand].read(this.tokens, at)
      if (!read || this.contradicts(operand, read.value)) continue
      this.captures.push({ operand, value: read.value, at })
      const found = this.walk(next, read.next)
      if (found) return found
      this.captures.pop()
    }
    this.fail(node, at)
    return undefined
  }

  /** `r1 = -r1`: the same operand twice is the same value. */
  private contradicts(operand: Operand, value: Value): boolean {
    return this.captures.some((capture) => capture.operand === operand && capture.value !== value)
  }

  private fail(node: Node, at: number): void {
    if (at < this.furthest) return
    if (at > this.furthest) this.expected.clear()
    this.furthest = at
    for (const text of node.literals.keys()) this.expected.add(text)
    for (const operand of node.operands.keys()) this.expected.add(OPERANDS[operand].what)
    if (node.forms.length > 0) this.expected.add('the end of the line')
  }

  private build(spec: InsnSpec): Matched | undefined {
    const fields: Partial<Record<Field, number | bigint>> = {}
    let target: Matched['target']
    let extended: Token | undefined
    let cutNumber: Token | undefined
    for (const { operand, value, at } of this.captures) {
      const { field } = OPERANDS[operand]
      if (typeof value === 'object') {
        target = { name: (value as Name).name, field, token: this.tokens[at]! }
        continue
      }
      const wrong = misfit(value, field)
      // The conformance suite's assembler cuts numbers, and one of its files relies on it.
      if (
        wrong &&
        this.family === 'gcc' &&
        field === 'imm' &&
        this.tokens[at]!.text.startsWith('0x') &&
        !misfit(value, 'imm64')
      ) {
        fields.imm = Number(BigInt.asIntN(32, BigInt(value)))
        cutNumber = this.tokens[at]
        continue
      }
      if (wrong) {
        const signed = this.tokens[at]!.text === '-' || this.tokens[at]!.text === '+'
        this.wrong ??= { at: signed ? at + 1 : at, expected: [], misfit: wrong }
        return undefined
      }
      fields[field] = value
      if (field === 'imm' && value > 0x7fffffff && /^\d+$/.test(this.tokens[at]!.text) && spec.width === 64 && spec.kind !== 'call') extended = this.tokens[at] // biome-ignore format: one question
    }
    return {
      insn: compose(spec, fields),
      ...(target && { target }),
      ...(extended && { extended }),
      ...(cutNumber && { cut: cutNumber }),
    }
  }
}

function compose(spec: InsnSpec, fields: Partial<Record<Field, number | bigint>>): Insn {
  const { dst, src, off, imm, imm64, hi } = fields
  const given = {
    ...(dst !== undefined && { dst: Number(dst) }),
    ...(src !== undefined && { src: Number(src) }),
    ...(off !== undefined && { off: Number(off) }),
    ...(imm !== undefined && { imm: Number(imm) | 0 }),
  }
  if (spec.slots === 1) return insn(spec, given)
  if (imm64 !== undefined) return insn(spec, { ...given, imm64: toLong(imm64) })
  const low = BigInt.asUintN(32, BigInt(imm ?? 0))
  return insn(spec, { ...given, imm64: toLong((BigInt.asUintN(32, BigInt(hi ?? 0)) << 32n) | low) })
}
