// What can be said of a program before any value is known: subprograms, reserved fields, jump targets, reachability, the
// points where states are compared, loops (strongly connected components) and live registers.

import {
  type FunctionDef,
  type FunctionProto,
  helperById,
  kfuncById,
  LIMITS,
  type MapDef,
  type ProgTypeName,
} from '@netsieve/asm'
import type { Settings } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import { Flow, findLoops } from './flow.ts'
import { liveRegisters } from './live-registers.ts'
import type { Log } from './log.ts'
import { jumpTarget, type Prog } from './prog.ts'

export const TAIL_CALL = 12
/** Helpers that call a function of the program before they return. */
export const CALLBACK_HELPERS: ReadonlySet<number> = new Set([164, 180, 181, 209])

export interface Subprog {
  readonly start: number
  readonly end: number
  hasTailCall: boolean
  hasLdAbs: boolean
  changesPacket: boolean
  readonly name: string | undefined
  readonly proto: FunctionProto | undefined
}

export interface Structure {
  readonly subprogs: readonly Subprog[]
  /** Which subprogram each slot belongs to. */
  readonly subprogOf: Uint16Array
  /** Slots where states are compared; where the way here must be recorded; where a state is kept in any case. */
  readonly prunePoint: Uint8Array
  readonly jumpPoint: Uint8Array
  readonly checkpoint: Uint8Array
  readonly flow: Flow
  /** Number of the loop a slot is in, 0 for none. */
  readonly loop: Uint32Array
  /** Registers that are read before they are written from a slot on: a bit each. */
  readonly live: Uint16Array
}

/**
 * Checks the structure in the kernel's order of checks.
 * @throws Rejection or Unsupported
 */
export function analyse(
  prog: Prog,
  { maps, functions, type, unprivileged }: Pick<Settings, 'maps' | 'functions' | 'type' | 'unprivileged'>,
  log: Log,
): Structure {
  if (unprivileged) checkNoFunctions(prog)
  const subprogs = findSubprogs(prog, functions ?? [])
  if (log.shows2)
    subprogs.forEach(({ start }, i) => {
      log.line(`func#${i} @${start}`)
    })
  checkJumps(prog, subprogs)
  if (!functions) checkUntyped(subprogs)
  checkForms(prog, maps, type)
  const subprogOf = new Uint16Array(prog.length)
  subprogs.forEach((sub, i) => {
    subprogOf.fill(i, sub.start, sub.end)
  })
  const flow = new Flow(prog)
  if (unprivileged) checkNoLoops(flow)
  const points = checkFlow(prog, subprogs, subprogOf)
  return { subprogs, subprogOf, ...points, flow, loop: findLoops(flow), live: liveRegisters(flow) }
}

function isLocalCall(prog: Prog, slot: number): boolean {
  return prog.opcode[slot] === 0x85 && prog.src[slot] === 1
}

export function isFuncAddress(prog: Prog, slot: number): boolean {
  return prog.opcode[slot] === 0x18 && prog.src[slot] === 4 && !prog.secondHalf[slot]
}

function checkNoFunctions(prog: Prog): void {
  for (let slot = 0; slot < prog.length; slot++) {
    if ((prog.opcode[slot] === 0x85 && (prog.src[slot] === 1 || prog.src[slot] === 2)) || isFuncAddress(prog, slot))
      throw new Rejection('loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN')
  }
}

function findSubprogs(prog: Prog, functions: readonly FunctionDef[]): Subprog[] {
  const described = new Map(functions.map((each) => [each.slot, each]))
  const starts = new Set([0])
  for (let slot = 0; slot < prog.length; slot++) {
    if (prog.opcode[slot] === 0x85 && prog.src[slot] === 2 && !kfuncById(prog.imm[slot]!))
      throw new Unsupported(
        `kernel function #${prog.imm[slot]} at instruction ${slot}: such functions are known by name, as objects and assembly have them`,
      )
    if (!isLocalCall(prog, slot) && !isFuncAddress(prog, slot)) continue
    const target = slot + 1 + prog.imm[slot]!
    if (target < 0 || target >= prog.length) throw new Rejection('call to invalid destination')
    starts.add(target)
    if (starts.size > LIMITS.functions) throw new Rejection('too many subprograms')
  }
  const sorted = [...starts].sort((a, b) => a - b)
  return sorted.map((start, i) => ({
    start,
    end: sorted[i + 1] ?? prog.length,
    hasTailCall: false,
    hasLdAbs: false,
    changesPacket: false,
    name: described.get(start)?.name,
    proto: start === 0 ? undefined : described.get(start)?.proto,
  }))
}

/** Every jump stays in its subprogram, and none falls through its end. */
function checkJumps(prog: Prog, subprogs: readonly Subprog[]): void {
  let current = 0
  for (let slot = 0; slot < prog.length; slot++) {
    const sub = subprogs[current]!
    const opcode = prog.opcode[slot]!
    const cls = opcode & 7
    if (opcode === 0x85 && prog.src[slot] === 0 && prog.imm[slot] === TAIL_CALL) sub.hasTailCall = true
    if (cls === 0 && ((opcode & 0xe0) === 0x20 || (opcode & 0xe0) === 0x40)) sub.hasLdAbs = true
    const op = opcode & 0xf0
    if ((cls === 5 || cls === 6) && op !== 0x90 && op !== 0x80) {
      const target = jumpTarget(prog, slot)
      if (target < sub.start || target >= sub.end)
        throw new Rejection(`jump out of range from insn ${slot} to ${target}`)
    }
    if (slot === sub.end - 1) {
      if (opcode !== 0x95 && opcode !== 0x05 && opcode !== 0x06) throw new Rejection('last insn is not an exit or jmp')
      current++
    }
  }
}

/** What only functions may do whose type is known to give a number. */
function checkUntyped(subprogs: readonly Subprog[]): void {
  for (const sub of subprogs.slice(1)) {
    if (sub.hasLdAbs) throw new Rejection('LD_ABS is not allowed in subprogs without BTF')
    if (sub.hasTailCall) throw new Rejection('tail_call is not allowed in subprogs without BTF')
  }
}

/** Opcodes and what LD_IMM64 refers to. The other reserved fields are looked at when an instruction is reached. */
function checkForms(prog: Prog, maps: readonly MapDef[], type: ProgTypeName): void {
  for (let slot = 0; slot < prog.length; slot++) {
    const opcode = prog.opcode[slot]!
    const mode = opcode & 0xe0
    if ((opcode & 7) === 1 && ((mode !== 0x60 && mode !== 0x80) || prog.imm[slot] !== 0))
      throw new Rejection('BPF_LDX uses reserved fields')
    if (opcode === 0x18) {
      checkImm64(prog, slot, maps, type)
      slot++
    } else if (!isKernelOpcode(opcode)) throw new Rejection(`unknown opcode ${opcode.toString(16).padStart(2, '0')}`)
  }
}

/** What the kernel's interpreter table knows: forms that only differ in fields are all in. */
function isKernelOpcode(opcode: number): boolean {
  const cls = opcode & 7
  const op = opcode & 0xf0
  if (cls === 4 || cls === 7)
    return op <= 0xd0 && !(op === 0x80 && opcode & 8) && !(cls === 7 && op === 0xd0 && opcode & 8)
  if (cls === 5) return op === 0 ? opcode === 0x05 : op === 0x80 ? opcode === 0x85 : op === 0x90 ? opcode === 0x95 : op === 0xe0 ? opcode === 0xe5 : op < 0xe0 // biome-ignore format: the odd ones
  if (cls === 6) return op === 0 ? opcode === 0x06 : op !== 0x80 && op !== 0x90 && op <= 0xd0
  const mode = opcode & 0xe0
  if (cls === 0) return ((mode === 0x20 || mode === 0x40) && (opcode & 0x18) !== 0x18) || opcode === 0x18
  if (cls === 1) return mode === 0x60 || (mode === 0x80 && (opcode & 0x18) !== 0x18)
  if (cls === 2) return mode === 0x60
  return mode === 0x60 || mode === 0xc0
}

function checkImm64(prog: Prog, slot: number, maps: readonly MapDef[], type: ProgTypeName): void {
  const next = slot + 1
  const halfBad =
    next >= prog.length ||
    prog.opcode[next] !== 0 ||
    prog.dst[next] !== 0 ||
    prog.src[next] !== 0 ||
    prog.off[next] !== 0
  if (halfBad) throw new Rejection('invalid bpf_ld_imm64 insn')
  const kind = prog.src[slot]!
  if (kind === 0 || kind === 4) return
  if (kind === 3) throw new Unsupported('kernel variables by BTF id')
  const high = prog.imm[next]!
  if (kind > 6 || ((kind === 1 || kind === 5) && high !== 0)) throw new Rejection('unrecognized bpf_ld_imm64 insn')
  const map = maps[prog.imm[slot]!]
  if (!map) throw new Rejection(`fd ${prog.imm[slot]} is not pointing to valid bpf_map`)
  if (map.spinLockAt !== undefined && type === 'socket_filter')
    throw new Rejection('socket filter progs cannot use bpf_spin_lock yet')
  if (kind === 1 || kind === 5) return
  if (high >>> 0 >= 1 << 29) throw new Rejection(`direct value offset of ${high >>> 0} is not allowed`)
  if (map.type !== 'array') throw new Rejection(`no direct value access support for this map type`)
  if (map.maxEntries !== 1 || high >>> 0 >= map.valueSize)
    throw new Rejection(`invalid access to map value pointer, value_size=${map.valueSize} off=${high >>> 0}`)
}

/** Walks the flow from the start: every slot is reached, none in the middle of an LD_IMM64. */
function checkFlow(
  prog: Prog,
  subprogs: readonly Subprog[],
  subprogOf: Uint16Array,
): Pick<Structure, 'prunePoint' | 'jumpPoint' | 'checkpoint'> {
  const prunePoint = new Uint8Array(prog.length)
  const jumpPoint = new Uint8Array(prog.length)
  const checkpoint = new Uint8Array(prog.length)
  const seen = new Uint8Array(prog.length)
  const stack = [0]
  const joint = (slot: number) => {
    if (slot >= prog.length) return
    prunePoint[slot] = 1
    jumpPoint[slot] = 1
  }
  seen[0] = 1
  const visit = (from: number, slot: number) => {
    if (slot >= prog.length) throw new Rejection(`jump out of range from insn ${from} to ${slot}`)
    if (seen[slot]) return
    seen[slot] = 1
    stack.push(slot)
  }
  while (stack.length > 0) {
    const slot = stack.pop()!
    const opcode = prog.opcode[slot]!
    const op = opcode & 0xf0
    const isJump = (opcode & 7) === 5 || (opcode & 7) === 6
    if (isFuncAddress(prog, slot)) {
      joint(slot + 2)
      const callee = slot + 1 + prog.imm[slot]!
      prunePoint[slot] = 1
      joint(callee)
      visit(slot, callee)
      visit(slot, slot + 2)
    } else if (!isJump) visit(slot, slot + (opcode === 0x18 ? 2 : 1))
    else if (op === 0x90) continue
    else if (op === 0x80) {
      joint(slot + 1)
      const sub = subprogs[subprogOf[slot]!]!
      if (isLocalCall(prog, slot)) {
        const callee = slot + 1 + prog.imm[slot]!
        prunePoint[slot] = 1
        joint(callee)
        visit(slot, callee)
      } else {
        if (CALLBACK_HELPERS.has(prog.imm[slot]!)) {
          joint(slot)
          checkpoint[slot] = 1
        }
        if (helperById(prog.imm[slot]!)?.changesPacket) sub.changesPacket = true
      }
      visit(slot, slot + 1)
    } else {
      const target = jumpTarget(prog, slot)
      const plain = op === 0
      joint(target)
      if (plain) joint(slot + 1 + (opcode === 0x06 ? prog.imm[slot]! : prog.off[slot]!))
      else {
        prunePoint[slot] = 1
        if (op === 0xe0) checkpoint[slot] = 1
        visit(slot, slot + 1)
      }
      visit(slot, target)
    }
  }
  spreadPacketChanges(prog, subprogs, subprogOf)
  for (let slot = 0; slot < prog.length; slot++) {
    if (!seen[slot]) throw new Rejection(`unreachable insn ${slot}`)
    if (prog.opcode[slot] !== 0x18) continue
    if (seen[slot + 1]) throw new Rejection(`jump into the middle of ldimm64 insn ${slot}`)
    slot++
  }
  return { prunePoint, jumpPoint, checkpoint }
}

/** Depth first, as the kernel goes: a jump to an instruction that the way here came through is a back edge. */
function checkNoLoops({ prog, next, other }: Flow): void {
  const onWay = new Uint8Array(prog.length)
  const seen = new Uint8Array(prog.length)
  /** How many edges of a slot have been followed. */
  const followed = new Uint8Array(prog.length)
  const way: number[] = []
  const enter = (slot: number) => {
    seen[slot] = onWay[slot] = 1
    way.push(slot)
  }
  enter(0)
  while (way.length > 0) {
    const slot = way.at(-1)!
    if (followed[slot] === 2) {
      onWay[slot] = 0
      way.pop()
      continue
    }
    const to = followed[slot]!++ === 0 ? next[slot]! : other[slot]!
    if (to < 0) continue
    if (onWay[to]) throw new Rejection(`back-edge from insn ${slot} to ${to}`)
    if (!seen[to]) enter(to)
  }
}

/** A subprogram that calls one which changes the packet changes it too. */
function spreadPacketChanges(prog: Prog, subprogs: readonly Subprog[], subprogOf: Uint16Array): void {
  for (let changed = true; changed; ) {
    changed = false
    for (let slot = 0; slot < prog.length; slot++) {
      if (!isLocalCall(prog, slot)) continue
      const caller = subprogs[subprogOf[slot]!]!
      const callee = subprogs[subprogOf[slot + 1 + prog.imm[slot]!]!]!
      if (callee.changesPacket && !caller.changesPacket) {
        caller.changesPacket = true
        changed = true
      }
    }
  }
}
