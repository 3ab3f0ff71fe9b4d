// A decision graph as a program. Jumps go forward over at most 255 instructions; a way that is longer goes through a `ja`.

import type { CbpfInsn } from '@netsieve/asm'
import type { DecisionGraph, TestNode, Way } from '@netsieve/ir'
import { type Block, common, type Kept, type Registers, testBlock, UNKNOWN, worthKeeping } from './evaluator.ts'

const RET = 0x06
const JA = 0x05
/** A jump of 255, less the two `ja` that may come between. */
const FARTHEST = 253

export function layout(graph: DecisionGraph, snaplen: number): CbpfInsn[] {
  const { entry, nodes } = merged(graph)
  const plain = place(nodes, blocks(nodes, entry, new Map()), entry, snaplen)
  const kept = worthKeeping(nodes)
  if (kept.size === 0) return plain
  const other = place(nodes, blocks(nodes, entry, kept), entry, snaplen)
  return other.length < plain.length ? other : plain
}

/** Tests that are the same and go on to the same are one. */
function merged({ entry, nodes }: DecisionGraph): DecisionGraph {
  const kept: TestNode[] = []
  const byText = new Map<string, number>()
  const now: number[] = []
  const moved = (way: Way): Way => (typeof way === 'number' ? now[way]! : way)
  for (const node of nodes) {
    const [yes, no] = [moved(node.yes), moved(node.no)]
    const text = `${node.test} ${node.key} ${node.operandKey} ${yes} ${no}`
    const known = byText.get(text)
    now.push(known ?? kept.length)
    if (known !== undefined) continue
    byText.set(text, kept.length)
    kept.push({ ...node, yes, no })
  }
  return { entry: moved(entry), nodes: kept }
}

/** The code of each test, from the first on, knowing what the registers hold on every way to it. */
function blocks(nodes: readonly TestNode[], entry: Way, kept: Kept): (Block | undefined)[] {
  const before: (Registers | undefined)[] = nodes.map(() => undefined)
  if (typeof entry === 'number') before[entry] = UNKNOWN
  const out: (Block | undefined)[] = nodes.map(() => undefined)
  for (let i = nodes.length - 1; i >= 0; i--) {
    const registers = before[i]
    if (!registers) continue
    const node = nodes[i]!
    const block = testBlock(node, registers, kept)
    out[i] = block
    for (const way of [node.yes, node.no]) {
      if (typeof way === 'number') before[way] = before[way] ? common(before[way], block.after) : block.after
    }
  }
  return out
}

/** Written from the end, where distances to what comes later are known. */
function place(
  nodes: readonly TestNode[],
  code: readonly (Block | undefined)[],
  entry: Way,
  snaplen: number,
): CbpfInsn[] {
  const reversed: CbpfInsn[] = []
  /** Instructions from a place to the end of the program. */
  const ends = new Map<Way, number>()
  const used = new Set<Way>([entry, ...nodes.flatMap(({ yes, no }, i) => (code[i] ? [yes, no] : []))])
  for (const [way, k] of [['no', 0] as const, ['yes', snaplen] as const]) {
    if (!used.has(way)) continue
    reversed.push({ code: RET, jt: 0, jf: 0, k })
    ends.set(way, reversed.length)
  }
  /** Where to jump for a way: itself, or a `ja` just behind the jump. */
  const near = (way: Way): number => {
    const end = ends.get(way)!
    if (reversed.length - end <= FARTHEST) return end
    reversed.push({ code: JA, jt: 0, jf: 0, k: reversed.length - end })
    return reversed.length
  }
  for (const [i, { yes, no }] of nodes.entries()) {
    const block = code[i]
    if (!block) continue
    const [onFalse, onTrue] = block.swapped ? [near(yes), near(no)] : [near(no), near(yes)]
    const jump = block.insns.at(-1)!
    reversed.push({ ...jump, jt: reversed.length - onTrue, jf: reversed.length - onFalse })
    for (const insn of block.insns.slice(0, -1).reverse()) reversed.push(insn)
    ends.set(i, reversed.length)
  }
  return reversed.reverse()
}
