// The blocks of one function of a program, in the program's order if that will do, and the nested scopes that stand for its jumps in WebAssembly:
// a `block` that ends where forward jumps go, a `loop` that starts where backward jumps go.

import { OP } from '../decode.ts'
import { orderOf } from './order.ts'

export interface Block {
  /** First instruction (as an index into the code rows) and the one after the last. */
  readonly from: number
  readonly to: number
}

export interface Scope {
  readonly kind: 'block' | 'loop'
  /** Block numbers: it opens before `from` and closes before `to`. */
  from: number
  to: number
}

export interface Cfg {
  readonly blocks: readonly Block[]
  /** By block: the one that it goes on in where it does not jump, -1 if flow ends with it. */
  readonly next: Int32Array
  /** By instruction: the number of the block that it starts, -1 for others. */
  readonly at: Int32Array
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

/** The function that starts at an instruction: what can be reached from it without calls. */
export function buildCfg(code: Int32Array, entry: number): Cfg {
  const count = code.length / 4
  const reached = new Uint8Array(count)
  const leader = new Uint8Array(count)
  leader[entry] = 1
  const work = [entry]
  while (work.length > 0) {
    let i = work.pop()!
    while (!reached[i]) {
      reached[i] = 1
      const op = code[i * 4]!
      if (isJump(op)) {
        const to = code[i * 4 + 3]! >> 2
        leader[to] = 1
        work.push(to)
        if (i + 1 < count) leader[i + 1] = 1
      }
      if (endsFlow(op)) break
      i++
    }
  }
  const blocks: Block[] = []
  const at = new Int32Array(count).fill(-1)
  for (let i = 0; i < count; i++) {
    if (!reached[i]) continue
    const from = i
    at[from] = blocks.length
    while (i + 1 < count && reached[i + 1] && !leader[i + 1] && !endsFlow(code[i * 4]!)) i++
    blocks.push({ from, to: i + 1 })
  }
  const inPlace = inOrder(code, blocks, at, entry)
  if (inPlace.scopes) return inPlace
  const order = orderOf(successorsOf(code, inPlace), at[entry]!)
  if (!order) return inPlace
  const ordered = order.map((b) => blocks[b]!)
  for (const [b, { from }] of ordered.entries()) at[from] = b
  return inOrder(code, ordered, at, entry)
}

function inOrder(code: Int32Array, blocks: readonly Block[], at: Int32Array, entry: number): Cfg {
  const next = Int32Array.from(blocks, ({ to }) => (endsFlow(code[(to - 1) * 4]!) ? -1 : at[to]!))
  const edges = edgesOf(code, blocks, at, next)
  // The function must start with its entry.
  const scopes = blocks[0]!.from === entry ? nest(edges) : undefined
  const joins = new Uint8Array(blocks.length)
  for (const { to } of edges) joins[to] = 1
  return { blocks, next, at, scopes, joins }
}

interface Edge {
  readonly from: number
  readonly to: number
}

/** Ways from block to block, but for those that just go on. */
function edgesOf(code: Int32Array, blocks: readonly Block[], at: Int32Array, next: Int32Array): Edge[] {
  const edges: Edge[] = []
  blocks.forEach((block, from) => {
    const last = block.to - 1
    if (isJump(code[last * 4]!)) edges.push({ from, to: at[code[last * 4 + 3]! >> 2]! })
    if (next[from]! >= 0 && next[from] !== from + 1) edges.push({ from, to: next[from]! })
  })
  return edges
}

function successorsOf(code: Int32Array, { blocks, next, at }: Cfg): number[][] {
  return blocks.map(({ to }, b) => {
    const last = (to - 1) * 4
    const jump = isJump(code[last]!) ? [at[code[last + 3]! >> 2]!] : []
    return next[b]! < 0 || next[b] === jump[0] ? jump : [next[b]!, ...jump]
  })
}

function nest(edges: readonly Edge[]): Scope[] | undefined {
  const loops = nestLoops(edges)
  const forward = new Map<number, number>()
  for (const { from, to } of edges) if (to > from) forward.set(to, Math.min(forward.get(to) ?? from, from))
  // By rising end; `open` are the outermost scopes so far, apart from each other, by rising start.
  const blocks: Scope[] = []
  const open: Scope[] = []
  for (const [to, source] of [...forward].sort((a, b) => a[0] - b[0])) {
    let from = startOutside(source, to, loops)
    while (open.length > 0 && open[open.length - 1]!.to > from) {
      from = startOutside(Math.min(from, open.pop()!.from), to, loops)
    }
    const scope: Scope = { kind: 'block', from, to }
    open.push(scope)
    blocks.push(scope)
  }
  // A jump into a loop's middle from before it.
  if (blocks.some((b) => loops.some((l) => b.from < l.from && b.to > l.from && b.to < l.to))) return undefined
  return [...blocks, ...loops].sort((a, b) => a.from - b.from || b.to - a.to || (a.kind === 'block' ? -1 : 1))
}

/** A block that ends after a loop it starts in must start before that loop. */
function startOutside(source: number, to: number, loops: readonly Scope[]): number {
  let from = source
  for (const loop of loops) if (loop.from < from && from < loop.to && loop.to < to) from = loop.from
  return from
}

/** One loop for each place that is jumped back to; where two overlap, the outer one's end moves. */
function nestLoops(edges: readonly Edge[]): Scope[] {
  const ends = new Map<number, number>()
  for (const { from, to } of edges) if (to <= from) ends.set(to, Math.max(ends.get(to) ?? 0, from + 1))
  const loops = [...ends].map(([from, to]): Scope => ({ kind: 'loop', from, to })).sort((a, b) => a.from - b.from)
  for (let i = loops.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < loops.length && loops[k]!.from < loops[i]!.to; k++) {
      if (loops[k]!.to > loops[i]!.to) loops[i]!.to = loops[k]!.to
    }
  }
  return loops
}

/** Registers (as bits) that may still be read after each block. */
export function liveAfter(code: Int32Array, { blocks, next, at }: Cfg): Int32Array {
  const live = new Int32Array(blocks.length)
  const before = new Int32Array(blocks.length)
  for (let again = true; again; ) {
    again = false
    for (let b = blocks.length - 1; b >= 0; b--) {
      const { from, to } = blocks[b]!
      const last = code[(to - 1) * 4]!
      let bits = 0
      if (isJump(last)) bits |= before[at[code[(to - 1) * 4 + 3]! >> 2]!]!
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
