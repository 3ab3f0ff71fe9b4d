// The blocks of one function of a program, in the program's order if that will do, and the nested scopes that stand for its jumps in WebAssembly:
// a `block` that ends where forward jumps go, a `loop` that starts where backward jumps go.

import { OP } from '../decode.ts'
import { orderOf } from './order.ts'
import { Rising } from './rising.ts'
import { type Edge, nest, type Scope } from './scopes.ts'

export interface Block {
  /** First instruction (as an index into the code rows) and the one after the last. */
  readonly from: number
  readonly to: number
}

export interface Cfg {
  readonly blocks: readonly Block[]
  /** By block: the one that it goes on in where it does not jump, -1 if flow ends with it. */
  readonly next: Int32Array
  /** By instruction that starts a block: the block's number. */
  readonly at: ReadonlyMap<number, number>
  /** Scopes in the order they open; undefined where jumps enter loops from outside: then only a dispatcher will do. */
  readonly scopes: readonly Scope[] | undefined
  /** By block: 1 if it is not only come to from the one before it. */
  readonly joins: Uint8Array
}

export function isJump(op: number): boolean {
  return (
    op === 0x05 || op === 0xe5 || ((op & 7) >= 5 && (op & 7) <= 6 && op < 0x100 && (op & 0x08) !== 0 && op !== 0x8d)
  )
}

export function endsFlow(op: number): boolean {
  return op === 0x05 || op === 0x95 || op === OP.invalid || op === OP.badJump
}

/** Instructions that follow each other: the first, and the one after the last. */
type Stretch = Block

interface Reached {
  /** All that can be reached without calls; rising, and apart from each other. */
  readonly stretches: readonly Stretch[]
  /** The instructions that are jumped to, or come after a jump. */
  readonly leaders: Uint8Array
}

/** What can be reached from an instruction without calls; undefined where that is more than `most` instructions. */
function reachedFrom(code: Int32Array, entry: number, most = Number.POSITIVE_INFINITY): Reached | undefined {
  const count = code.length / 4
  const reached = new Uint8Array(count)
  const leaders = new Uint8Array(count)
  leaders[entry] = 1
  const stretches: Stretch[] = []
  const work = [entry]
  let left = most
  for (let from = work.pop(); from !== undefined; from = work.pop()) {
    let i = from
    for (let on = true; on && !reached[i]; i++) {
      if (--left < 0) return undefined
      reached[i] = 1
      const op = code[i * 4]!
      if (isJump(op)) {
        const to = code[i * 4 + 3]! >> 2
        leaders[to] = 1
        if (!reached[to]) work.push(to)
        if (i + 1 < count) leaders[i + 1] = 1
      }
      on = !endsFlow(op)
    }
    if (i > from) stretches.push({ from, to: i })
  }
  return { stretches: stretches.sort((a, b) => a.from - b.from), leaders }
}

/** The number of instructions that can be reached from one without calls; undefined if that is more than `most`. */
export function lengthFrom(code: Int32Array, entry: number, most: number): number | undefined {
  return reachedFrom(code, entry, most)?.stretches.reduce((sum, { from, to }) => sum + to - from, 0)
}

/** The function that starts at an instruction: what can be reached from it without calls. */
export function buildCfg(code: Int32Array, entry: number): Cfg {
  const { stretches, leaders } = reachedFrom(code, entry)!
  const blocks: Block[] = []
  for (const { from, to } of stretches) {
    let start = from
    for (let i = from + 1; i <= to; i++) {
      if (i < to && leaders[i] === 0 && !endsFlow(code[(i - 1) * 4]!)) continue
      blocks.push({ from: start, to: i })
      start = i
    }
  }
  const inPlace = inOrder(code, blocks, entry)
  if (inPlace.scopes) return inPlace
  const order = orderOf(successorsOf(code, inPlace), inPlace.at.get(entry)!)
  if (!order) return inPlace
  return inOrder(
    code,
    order.map((b) => blocks[b]!),
    entry,
  )
}

function inOrder(code: Int32Array, blocks: readonly Block[], entry: number): Cfg {
  const at = new Map(blocks.map(({ from }, b) => [from, b]))
  const next = Int32Array.from(blocks, ({ to }) => (endsFlow(code[(to - 1) * 4]!) ? -1 : at.get(to)!))
  const edges = edgesOf(code, blocks, at, next)
  // The function must start with its entry.
  const scopes = blocks[0]!.from === entry ? nest(edges, blocks.length) : undefined
  const joins = new Uint8Array(blocks.length)
  for (const { to } of edges) joins[to] = 1
  return { blocks, next, at, scopes, joins }
}

/** Ways from block to block, but for those that just go on. */
function edgesOf(code: Int32Array, blocks: readonly Block[], at: Cfg['at'], next: Int32Array): Edge[] {
  const edges: Edge[] = []
  blocks.forEach((block, from) => {
    const last = block.to - 1
    if (isJump(code[last * 4]!)) edges.push({ from, to: at.get(code[last * 4 + 3]! >> 2)! })
    if (next[from]! >= 0 && next[from] !== from + 1) edges.push({ from, to: next[from]! })
  })
  return edges
}

function successorsOf(code: Int32Array, { blocks, next, at }: Cfg): number[][] {
  return blocks.map(({ to }, b) => {
    const last = (to - 1) * 4
    const jump = isJump(code[last]!) ? [at.get(code[last + 3]! >> 2)!] : []
    return next[b]! < 0 || next[b] === jump[0] ? jump : [next[b]!, ...jump]
  })
}

/**
 * Follows what is known through a function until nothing changes.
 * @param visit goes through a block; what it gives takes that to a block behind it, and says whether that changed what is known there
 */
export function forward(
  code: Int32Array,
  { blocks, next, at }: Cfg,
  entryBlock: number,
  visit: (b: number) => (to: number) => boolean,
): void {
  const waiting = new Uint8Array(blocks.length)
  const work = new Rising()
  const wake = (b: number): void => {
    if (waiting[b] === 0) work.add(b)
    waiting[b] = 1
  }
  wake(entryBlock)
  for (let b = work.take(); b !== undefined; b = work.take()) {
    waiting[b] = 0
    const flow = visit(b)
    const last = (blocks[b]!.to - 1) * 4
    const jump = isJump(code[last]!) ? at.get(code[last + 3]! >> 2)! : -1
    if (jump >= 0 && flow(jump)) wake(jump)
    if (next[b]! >= 0 && flow(next[b]!)) wake(next[b]!)
  }
}

/** Times that a function is gone through to find what is read: after that, all registers count as read. */
const MOST_ROUNDS = 64

/** Registers (as bits) that may still be read after each block. */
export function liveAfter(code: Int32Array, { blocks, next, at }: Cfg): Int32Array {
  const live = new Int32Array(blocks.length)
  const before = new Int32Array(blocks.length)
  let rounds = 0
  for (let again = true; again; ) {
    again = false
    if (++rounds > MOST_ROUNDS) return live.fill(ALL)
    for (let b = blocks.length - 1; b >= 0; b--) {
      const { from, to } = blocks[b]!
      const last = code[(to - 1) * 4]!
      let bits = 0
      if (isJump(last)) bits |= before[at.get(code[(to - 1) * 4 + 3]! >> 2)!]!
      if (next[b]! >= 0) bits |= before[next[b]!]!
      live[b] = bits
      for (let i = to - 1; i >= from; i--) bits = (bits & ~writes(code, i)) | reads(code, i)
      if (bits !== before[b]) again = true
      before[b] = bits
    }
  }
  return live
}

/** By opcode: 1 for what writes its register without reading it. */
const OVERWRITES = new Uint8Array(512)
for (const op of [0xbf, 0xbc, 0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91, OP.ldimm64]) OVERWRITES[op] = 1
for (let op: number = OP.movsx8_64; op <= OP.movsx16_32; op++) OVERWRITES[op] = 1
const ALL = 0x7ff

/** The register that an instruction surely writes without reading it. */
function writes(code: Int32Array, i: number): number {
  return OVERWRITES[code[i * 4]!] === 1 ? 1 << (code[i * 4 + 1]! >> 1) : 0
}

/** Registers that an instruction may read: calls and other rare ones, all. */
function reads(code: Int32Array, i: number): number {
  const op = code[i * 4]!
  const [d, s] = [code[i * 4 + 1]! >> 1, code[i * 4 + 2]! >> 1]
  const source = s < 11 ? 1 << s : 0
  if (op === 0x95) return 1
  if (op === 0x05) return 0
  if (op === OP.ldimm64) return 0
  if (writes(code, i) !== 0) return source
  const plain =
    isJump(op) || ((op & 7) === 7 && op < 0x100) || ((op & 7) === 4 && op < 0x100) || (op >= OP.le16 && op <= OP.be64)
  return plain || op === 0x63 || op === 0x6b || op === 0x73 || op === 0x7b ? source | (1 << d) : ALL
}
