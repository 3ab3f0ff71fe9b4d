// Where a value at fault came from: the way to the fault walked back along one register, through copies, the stack and calls; and for
// packet pointers every comparison on the way with the packet's end.

import { formatInsn, helperById, type Insn, slotTable } from '@netsieve/asm'
import type { Verdict } from './verify.ts'

/** One instruction on the way to the fault. */
export interface Cause {
  readonly insn: number
  readonly slot: number
  /** The instruction as the kernel writes it. */
  readonly text: string
  /** What it did: `loaded r2`, `compared r2`. */
  readonly what: string
  /** The rule or source line it was made for, where known. */
  readonly origin?: string
}

export function cause(program: readonly Insn[], index: number, slot: number, what: string): Cause {
  const insn = program[index]!
  const origin = insn.origin?.text
  return { insn: index, slot, text: formatInsn(insn), what, ...(origin && { origin }) }
}

/** The instructions of the way, and what each did: an index into `way` for each. */
interface Story {
  readonly way: readonly Insn[]
  readonly slots: readonly number[]
  readonly told: Map<number, string>
}

const MAX_CAUSES = 12

/** Oldest first. Empty where the message names neither a register nor the place an object was acquired at. */
export function causes(program: readonly Insn[], { message = '', details = [], path = [] }: Verdict): Cause[] {
  const acquired = /alloc_insn=(\d+)/.exec(message)
  if (acquired) return acquiredAt(program, Number(acquired[1]))
  const named = /\bR(\d+)\b/.exec(message) ?? /^R(\d+) /.exec(details[1] ?? '')
  if (!named || path.length === 0) return []
  const slots = slotTable(program)
  const indexOf = new Map(program.map((_, i) => [slots[i]!, i]))
  const steps = path.filter((slot) => indexOf.has(slot))
  const story: Story = { way: steps.map((slot) => program[indexOf.get(slot)!]!), slots: steps, told: new Map() }
  const start = walkBack(story, Number(named[1]))
  const ofPacket = details.some((line) => /outside of the packet|invalid access to packet/.test(line))
  if (start >= 0) walkOn(story, start, ofPacket, /invalid mem access 'scalar'|!read_ok/.test(message))
  const found = [...story.told].sort(([a], [b]) => a - b)
  const kept = found.length > MAX_CAUSES ? [found[0]!, ...found.slice(1 - MAX_CAUSES)] : found
  return kept.map(([i, what]) => cause(program, indexOf.get(steps[i]!)!, steps[i]!, what))
}

function acquiredAt(program: readonly Insn[], slot: number): Cause[] {
  const index = slotTable(program).subarray(0, program.length).indexOf(slot)
  return index < 0 ? [] : [cause(program, index, slot, 'acquired here')]
}

/** Follows a register back. @returns where its value was made; -1 if that is not on the way */
function walkBack({ way, told }: Story, named: number): number {
  let reg = named
  /** Followed through the stack: the offset it was loaded from. */
  let stackOff: number | undefined
  /** Within functions that have returned already: their registers are others. */
  let inside = 0
  for (let i = way.length - 2; i >= 0; i--) {
    const insn = way[i]!
    const { spec } = insn
    if (spec.kind === 'exit') {
      if (inside === 0 && reg === 0 && stackOff === undefined) told.set(i, 'returned r0')
      else inside++
      continue
    }
    if (inside > 0) {
      if (spec.call === 'local') inside--
      continue
    }
    if (stackOff !== undefined) {
      if (spec.kind !== 'store' || insn.dst !== 10 || insn.off !== stackOff) continue
      told.set(i, spec.source === 'reg' ? `spilled r${insn.src}` : 'stored')
      if (spec.source !== 'reg') return i
      reg = insn.src
      stackOff = undefined
      continue
    }
    const role = roleOf(insn, reg)
    if (!role) continue
    told.set(i, `${role.what} r${reg}`)
    if (role.ends) return i
    if (role.next !== undefined) reg = role.next
    stackOff = role.stackOff
  }
  return -1
}

interface Role {
  readonly what: string
  /** The register's story starts here. */
  readonly ends?: boolean
  /** The register it was copied from. */
  readonly next?: number
  /** The place in the stack it was loaded from. */
  readonly stackOff?: number
}

function roleOf(insn: Insn, reg: number): Role | undefined {
  const { spec, dst, src } = insn
  switch (spec.kind) {
    case 'alu':
    case 'movsx':
    case 'end':
      if (dst !== reg) return undefined
      if (spec.kind === 'movsx' || (spec.alu === 'mov' && spec.source === 'reg')) return { what: 'copied', next: src }
      return spec.alu === 'mov' ? { what: 'set', ends: true } : { what: 'changed' }
    case 'load':
      if (dst !== reg) return undefined
      return src === 10 ? { what: 'reloaded', stackOff: insn.off } : { what: 'loaded', ends: true }
    case 'ldimm64':
      return dst === reg ? { what: 'loaded', ends: true } : undefined
    case 'ldpkt':
      return reg <= 5 ? { what: reg === 0 ? 'loaded' : 'lost', ends: true } : undefined
    case 'call':
      if (spec.call === 'local') return reg >= 1 && reg <= 5 ? { what: 'passed' } : undefined
      return reg <= 5 ? { what: reg === 0 ? 'returned' : 'lost', ends: true } : undefined
    case 'jump':
      return dst === reg || (spec.source === 'reg' && src === reg) ? { what: 'compared' } : undefined
    case 'atomic':
      return spec.fetch && src === reg ? { what: 'loaded', ends: true } : undefined
    default:
      return undefined
  }
}

/** bpf_sk_release, bpf_ringbuf_submit and bpf_ringbuf_discard. */
const RELEASES: ReadonlySet<number> = new Set([86, 132, 133])

/** Registers that hold the pointer made at the start, and how many bytes on each is; undefined where that varies. */
type Alike = Map<number, number | undefined>

/** From where the value was made to the fault: what was compared with the packet's end, and what made pointers into the packet void. */
function walkOn({ way, slots, told }: Story, start: number, ofPacket: boolean, voided: boolean): void {
  let alike: Alike = new Map([[way[start]!.dst, 0]])
  const callers: Alike[] = []
  let compared = false
  for (let i = start + 1; i < way.length - 1; i++) {
    const insn = way[i]!
    const { spec, dst, src } = insn
    if (spec.kind === 'call') {
      if (spec.call === 'local') {
        callers.push(new Map(alike))
        alike = new Map([...alike].filter(([reg]) => reg >= 1 && reg <= 5))
        continue
      }
      if (voided && alike.has(1) && RELEASES.has(insn.imm)) told.set(i, 'released here: its pointers are void')
      for (let reg = 0; reg <= 5; reg++) alike.delete(reg)
      if (voided && alike.size > 0 && helperById(insn.imm)?.changesPacket)
        told.set(i, 'the packet may move here: pointers into it are void')
    } else if (spec.kind === 'exit') alike = callers.pop() ?? alike
    else if (spec.kind === 'jump') {
      if (!ofPacket || spec.source !== 'reg' || alike.has(dst) === alike.has(src)) continue
      const [reg, other] = alike.has(dst) ? [dst, src] : [src, dst]
      const on = alike.get(reg)
      const taken = slots[i + 1] !== slots[i]! + spec.slots
      told.set(i, `r${reg} is ${on ?? 'some'} bytes on, compared with r${other}: ${taken ? 'jumped' : 'went on'}`)
      compared = true
    } else moveAlike(alike, insn)
  }
  if (ofPacket && !compared) told.set(start, `${told.get(start)}, and never compared with data_end on this way`)
}

function moveAlike(alike: Alike, { spec, dst, src, imm }: Insn): void {
  if (spec.kind === 'alu' && spec.alu === 'mov' && spec.source === 'reg' && alike.has(src))
    alike.set(dst, alike.get(src))
  else if (spec.kind === 'alu' && (spec.alu === 'add' || spec.alu === 'sub')) {
    const sum = spec.source === 'reg' && alike.has(src) ? src : dst
    if (!alike.has(sum)) return
    const on = alike.get(sum)
    const step = spec.alu === 'add' ? imm : -imm
    alike.set(dst, spec.source === 'imm' && on !== undefined ? on + step : undefined)
  } else if (spec.kind === 'alu' || spec.kind === 'load' || spec.kind === 'ldimm64' || spec.kind === 'movsx')
    alike.delete(dst)
}
