// Programs from sections of code, as libbpf makes them: each function of a program section is a program; the functions that
// it calls or points to are copied behind it, and calls, function pointers and references to maps get their numbers.

import type { Diagnostics, Span } from '@netsieve/diag'
import Long from 'long'
import { type Insn, insn, slotTable } from './insn.ts'
import { type FunctionDef, type FunctionProto, type Program, typeOfSection } from './object.ts'
import { targetSlot } from './text/print.ts'

/** What an instruction refers to: a map, a place in a map's value, a function of the kernel's, or a place in a code section. */
export type Target =
  | { readonly kind: 'map'; readonly map: number }
  | { readonly kind: 'data'; readonly map: number; readonly offset: number }
  | { readonly kind: 'kernel'; readonly id: number }
  | { readonly kind: 'code'; readonly section: number; readonly slot: number }

export interface CodeSection {
  readonly name: string
  readonly insns: readonly Insn[]
  /** Starts of functions by slot, in order. If none is at slot 0, the section's start is one. `local`: no program by itself. */
  readonly functions: readonly (FunctionDef & { readonly local?: boolean })[]
  /** References by index of the instruction. */
  readonly refs: ReadonlyMap<number, Target>
}

/** Functions a program may have in all: what the kernel allows (BPF_MAX_SUBPROGS). */
const MOST_FUNCTIONS = 256

/** Instructions of all programs together: many programs that call one big function must not eat memory. */
const MOST_INSNS = 8_000_000

/** The slots of one function in its section: [start, end). */
interface Piece {
  readonly section: number
  readonly name: string
  readonly start: number
  readonly end: number
  readonly local: boolean
  readonly proto: FunctionProto | undefined
}

interface Section extends CodeSection {
  readonly slots: Uint32Array
  readonly pieces: readonly Piece[]
  readonly pieceAt: ReadonlyMap<number, Piece>
}

function divide(code: CodeSection, section: number): Section {
  const slots = slotTable(code.insns)
  const end = slots[code.insns.length]!
  const starts = code.functions.filter(({ slot }) => slot < end)
  if (starts[0]?.slot !== 0 && end > 0) starts.unshift({ name: code.name, slot: 0 })
  const pieces = starts.map(({ name, slot, local = false, proto }, i) => ({ section, name, start: slot, end: starts[i + 1]?.slot ?? end, local, proto })) // biome-ignore format: one act
  return { ...code, slots, pieces, pieceAt: new Map(pieces.map((piece) => [piece.start, piece])) }
}

/**
 * Links all programs of an object. Functions of `.text` are programs only if there is no other code.
 * `where` names an instruction's place in messages.
 */
export function link(
  code: readonly CodeSection[],
  diagnostics: Diagnostics,
  where: (section: number, insn: number) => Span | undefined = () => undefined,
): Program[] {
  const sections = code.map(divide)
  const main = sections.filter(({ name, pieces }) => name !== '.text' && pieces.some(({ local }) => !local))
  const programs: Program[] = []
  let total = 0
  for (const { name, pieces } of main.length > 0 ? main : sections) {
    for (const piece of pieces) {
      if (piece.local) continue
      if (total > MOST_INSNS) {
        diagnostics.error('asm/link', `the programs have more than ${MOST_INSNS} instructions together`)
        return programs
      }
      const linked = linkProgram(sections, piece, diagnostics, where)
      total += linked?.insns.length ?? 0
      const type = typeOfSection(name)
      if (linked) programs.push({ name: piece.name, section: name, ...(type && { type }), ...linked })
    }
  }
  return programs
}

function linkProgram(
  sections: readonly Section[],
  main: Piece,
  diagnostics: Diagnostics,
  where: (section: number, insn: number) => Span | undefined,
): Pick<Program, 'insns' | 'functions'> | undefined {
  const placed = new Map<Piece, number>([[main, 0]])
  let size = main.end - main.start
  let failed = false
  const fail = (message: string, section: number, index: number): undefined => {
    failed = true
    diagnostics.error('asm/link', message, where(section, index))
  }
  const insns: Insn[] = []
  const fixes: { index: number; at: number; to: Piece; within: number }[] = []
  // The map grows while it is walked: functions found are visited in turn.
  for (const [piece, base] of placed) {
    const { insns: from, slots, refs } = sections[piece.section]!
    for (let i = firstAt(slots, piece.start); i < from.length && slots[i]! < piece.end; i++) {
      const one = from[i]!
      const ref = refs.get(i)
      const at = base + slots[i]! - piece.start
      insns.push(ref && ref.kind !== 'code' ? referring(one, ref) : one)
      if (ref?.kind === 'kernel') continue
      const local = targetSlot(one, slots[i]!)
      // A distance that leaves the section is left as it is: the verifier says what is wrong with it.
      if (ref?.kind !== 'code' && (local === undefined || local < 0 || local >= slots.at(-1)!)) continue
      const to = ref?.kind === 'code' ? ref : { section: piece.section, slot: local! }
      if (to.section === piece.section && to.slot >= piece.start && to.slot < piece.end) {
        if (ref) fixes.push({ index: insns.length - 1, at, to: piece, within: to.slot - piece.start })
        continue
      }
      if (one.spec.kind !== 'call' && one.spec.kind !== 'ldimm64') {
        fail(`a jump leaves its function ${piece.name}`, piece.section, i)
        continue
      }
      const callee = sections[to.section]?.pieceAt.get(to.slot)
      if (!callee) {
        fail(
          `slot ${to.slot} of section ${sections[to.section]?.name} is not the start of a function`,
          piece.section,
          i,
        )
        continue
      }
      if (!placed.has(callee)) {
        if (placed.size >= MOST_FUNCTIONS) return fail(`more than ${MOST_FUNCTIONS} functions`, piece.section, i)
        placed.set(callee, size)
        size += callee.end - callee.start
      }
      fixes.push({ index: insns.length - 1, at, to: callee, within: 0 })
    }
  }
  for (const { index, at, to, within } of fixes)
    insns[index] = withDistance(insns[index]!, placed.get(to)! + within - at - 1)
  const functions = [...placed].map(([{ name, proto }, slot]) => ({ name, slot, ...(proto && { proto }) }))
  return failed ? undefined : { insns, functions }
}

/** Binary search for the instruction that starts at or after a slot. */
function firstAt(slots: Uint32Array, slot: number): number {
  let low = 0
  let high = slots.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (slots[middle]! < slot) low = middle + 1
    else high = middle
  }
  return low
}

function withDistance(one: Insn, distance: number): Insn {
  if (one.spec.kind === 'ldimm64') return form('lddw_func', one, Long.fromBits(distance, 0))
  if (one.spec.kind === 'call') return { ...one, imm: distance }
  return one.spec.name === 'ja32' ? { ...one, imm: distance } : { ...one, off: distance }
}

function referring(one: Insn, ref: Exclude<Target, { kind: 'code' }>): Insn {
  if (ref.kind === 'kernel') return insn('call_kfunc', { imm: ref.id, origin: one.origin })
  if (ref.kind === 'map') return form('lddw_map_index', one, Long.fromBits(ref.map, 0))
  return form('lddw_map_index_value', one, Long.fromBits(ref.map, ref.offset))
}

const form = (name: string, { dst, origin }: Insn, imm64: Long): Insn => insn(name, { dst, imm64, origin })
