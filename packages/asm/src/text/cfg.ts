// The control flow of a program as a graph to draw: basic blocks, edges for jumps and falling through, dashed ones for calls.

import { type Insn, slotTable } from '../insn.ts'
import { formatInsn, type ListingOptions, targetSlot } from './print.ts'

export interface Block {
  /** First slot. */
  readonly slot: number
  /** Indices of its instructions: [from, to). */
  readonly from: number
  readonly to: number
  readonly edges: readonly Edge[]
}

export interface Edge {
  /** The slot where the block starts that it leads to. */
  readonly slot: number
  readonly kind: 'next' | 'taken' | 'call'
}

/** The basic blocks of a program in order. Edges that leave the program are left out. */
export function blocks(program: readonly Insn[]): readonly Block[] {
  const slots = slotTable(program)
  const starts = new Set(slots)
  const heads = new Set([0])
  for (let i = 0; i < program.length; i++) {
    const target = targetSlot(program[i]!, slots[i]!)
    if (target !== undefined && starts.has(target)) heads.add(target)
    if (endsBlock(program[i]!)) heads.add(slots[i + 1]!)
  }
  const found: Block[] = []
  for (let from = 0; from < program.length; ) {
    let to = from + 1
    while (to < program.length && !heads.has(slots[to]!)) to++
    const inside = (slot: number) => starts.has(slot) && slot < slots[program.length]!
    const edges = edgesOf(program, slots, from, to).filter(({ slot }) => inside(slot))
    found.push({ slot: slots[from]!, from, to, edges })
    from = to
  }
  return found
}

const endsBlock = ({ spec }: Insn): boolean => spec.kind === 'jump' || spec.kind === 'goto' || spec.kind === 'may_goto' || spec.kind === 'exit' // biome-ignore format: one question

function edgesOf(program: readonly Insn[], slots: Uint32Array, from: number, to: number): Edge[] {
  const edges: Edge[] = []
  for (let i = from; i < to; i++) {
    const { kind } = program[i]!.spec
    const target = targetSlot(program[i]!, slots[i]!)
    if (target !== undefined)
      edges.push({ slot: target, kind: kind === 'call' || kind === 'ldimm64' ? 'call' : 'taken' })
  }
  const { kind } = program[to - 1]!.spec
  if (kind !== 'goto' && kind !== 'exit') edges.push({ slot: slots[to]!, kind: 'next' })
  return edges
}

export interface CfgOptions extends Pick<ListingOptions, 'dialect' | 'origins'> {
  /** Default `dot` (Graphviz). */
  readonly format?: 'dot' | 'mermaid'
}

/** The graph as text of Graphviz or Mermaid. Instructions are written with distances, since edges show where they lead. */
export function drawCfg(
  program: readonly Insn[],
  { format = 'dot', dialect = 'kernel', origins = false }: CfgOptions = {},
): string {
  const slots = slotTable(program)
  const lines = (block: Block): string[] => {
    let last: string | undefined
    return program.slice(block.from, block.to).flatMap((insn, i) => {
      const text = insn.origin?.text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
      const head = origins && text !== undefined && text !== last ? [`; ${text}`] : []
      last = text
      return [...head, `${slots[block.from + i]}: ${formatInsn(insn, { dialect })}`]
    })
  }
  return format === 'dot' ? dot(blocks(program), lines) : mermaid(blocks(program), lines)
}

type Lines = (block: Block) => readonly string[]

function dot(list: readonly Block[], lines: Lines): string {
  const quote = (text: string) => text.replace(/[\\"]/g, '\\$&')
  const style = { next: '', taken: ' [label="taken"]', call: ' [style=dashed, label="call"]' }
  const nodes = list.map((block) => `  b${block.slot} [label="${lines(block).map((line) => `${quote(line)}\\l`).join('')}"]\n`) // biome-ignore format: a pipeline
  const edges = list.flatMap((block) =>
    block.edges.map(({ slot, kind }) => `  b${block.slot} -> b${slot}${style[kind]}\n`),
  )
  return `digraph program {\n  node [shape=box, fontname=monospace]\n${nodes.join('')}${edges.join('')}}\n`
}

function mermaid(list: readonly Block[], lines: Lines): string {
  // Mermaid takes HTML in labels, and reads # as an entity.
  const quote = (text: string) => text.replace(/[#&<>"]/g, (c) => `#${c.charCodeAt(0)};`)
  const arrow = { next: '-->', taken: '-->|taken|', call: '-.->|call|' }
  const nodes = list.map((block) => `  b${block.slot}["${lines(block).map(quote).join('<br/>')}"]\n`)
  const edges = list.flatMap((block) =>
    block.edges.map(({ slot, kind }) => `  b${block.slot} ${arrow[kind]} b${slot}\n`),
  )
  return `flowchart TD\n${nodes.join('')}${edges.join('')}`
}
