// Conditional jumps: which ways are possible, and what each way says of the registers compared.

import type { JumpOp } from '@netsieve/asm'
import { addRaw } from './domain/arith.ts'
import { decide, FLIPPED, learn, OPPOSITE, violation, violationText } from './domain/compare.ts'
import { draft, isKnownIn, isZero, known, type Num, sync, unbound32, unbound64, zeroExtend } from './domain/num.ts'
import { uapprox } from './domain/wide.ts'
import type { Env } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import { release } from './held.ts'
import { markPrecise } from './precision.ts'
import { jumpTarget } from './prog.ts'
import { proveReadable } from './prove.ts'
import {
  AT_PKT_END,
  BEYOND_PKT_END,
  change,
  isKernelStruct,
  isNotNull,
  isPacketPointer,
  isPointer,
  type Reg,
  withNum,
  ZERO_SCALAR,
} from './reg.ts'
import { mispredict } from './speculate.ts'
import { hasSpill, type LinkedReg, type State } from './state.ts'

/** Takes the one possible way, or goes on and puts the jump off. Returns the next slot. */
export function stepJump(env: Env, slot: number): number {
  const { prog } = env
  const spec = prog.spec[slot]!
  const op = spec.jump!
  const width = spec.width as 32 | 64
  const dst = prog.dst[slot]!
  const byReg = spec.source === 'reg'
  proveReadable(env, dst)
  if (byReg ? prog.imm[slot] !== 0 : prog.src[slot] !== 0) throw new Rejection('BPF_JMP/JMP32 uses reserved fields')
  const src = prog.src[slot]!
  if (byReg) {
    proveReadable(env, src)
    const bothPacket = isAnyPacket(env.reg(dst)) && isAnyPacket(env.reg(src))
    if (env.settings.strict && !bothPacket && isPointer(env.reg(src)))
      throw new Rejection(`R${src} pointer comparison prohibited`)
  }
  const left = env.reg(dst)
  const right = byReg ? env.reg(src) : env.immediate(slot)
  const taken = foresee(op, width, left, right)
  const target = jumpTarget(prog, slot)
  if (taken !== undefined) {
    if (!isPointer(left)) markPrecise(env, dst)
    if (byReg && !isPointer(right)) markPrecise(env, src)
    mispredict(env, slot, taken ? slot + 1 : target, byReg ? [dst, src] : [dst])
    env.log.state(env.state, slot)
    return taken ? target : slot + 1
  }
  fork(env, slot, op, width, dst, byReg ? src : undefined)
  env.log.state(env.state, slot)
  return slot + 1
}

function isAnyPacket(reg: Reg): boolean {
  return isPacketPointer(reg) || reg.type === 'pkt_end'
}

/** Whether a comparison is decided before it is made. */
function foresee(op: JumpOp, width: 32 | 64, left: Reg, right: Reg): boolean | undefined {
  if (isAnyPacket(left) && isAnyPacket(right) && width === 64) return foreseePacket(op, left, right)
  if (!isPointer(left) && !isPointer(right)) return decide(op, width, left.num, right.num)
  if (isKernelStruct(left.type) || isKernelStruct(right.type)) throw new Unsupported('comparisons of kernel structs')
  const swap = !(right.type === 'scalar' && isKnownIn(right.num, width))
  const [pointer, constant] = swap ? [right, left] : [left, right]
  if (constant.type !== 'scalar' || !isKnownIn(constant.num, width) || !isPointer(pointer) || !isNotNull(pointer))
    return undefined
  const { vh, vl } = constant.num.bits
  if (vl !== 0 || (width === 64 && vh !== 0)) return undefined
  return op === 'jeq' ? false : op === 'jne' ? true : undefined
}

function foreseePacket(op: JumpOp, left: Reg, right: Reg): boolean | undefined {
  const swap = right.type !== 'pkt_end'
  const [pkt, end] = swap ? [right, left] : [left, right]
  const test = swap ? FLIPPED[op] : op
  if (end.type !== 'pkt_end' || pkt.range >= 0) return undefined
  if ((test === 'jle' || test === 'jgt') && pkt.range === BEYOND_PKT_END) return test === 'jgt'
  if (test === 'jlt' || test === 'jge') return test === 'jge'
  return undefined
}

function fork(env: Env, slot: number, op: JumpOp, width: 32 | 64, dst: number, src: number | undefined): void {
  const { prog } = env
  const here = env.state
  const linkedSrc = src === undefined ? [] : linkedTo(env, here, env.reg(src))
  const linkedDst = linkedTo(env, here, env.reg(dst))
  const linked = [...linkedSrc, ...linkedDst.filter((l) => !linkedSrc.some((o) => same(l, o)))]
  if (linked.length > 1) env.recordStep(undefined, linked)
  const there = env.putOff(jumpTarget(prog, slot), slot)
  const left = env.reg(dst)
  const right = src === undefined ? env.immediate(slot) : env.reg(src)
  if (left.type === 'scalar' && right.type === 'scalar') {
    const no = learn(OPPOSITE[op], width, left.num, right.num, dst === src)
    const yes = learn(op, width, left.num, right.num, dst === src)
    giveUpIfWrong(env, yes[0], 'true_reg1')
    giveUpIfWrong(env, yes[1], 'true_reg2')
    giveUpIfWrong(env, no[0], 'false_reg1')
    giveUpIfWrong(env, no[1], 'false_reg2')
    put(here, dst, no[0])
    put(there, dst, yes[0])
    if (src !== undefined) {
      put(here, src, no[1])
      put(there, src, yes[1])
    }
  }
  for (const state of [here, there]) {
    if (src !== undefined) spread(state, state.frame.regs[src]!, linked)
    spread(state, state.frame.regs[dst]!, linked)
  }
  learnNotNull(env, op, width, dst, src, here, there)
  const isNullCheck = width === 64 && src === undefined && prog.imm[slot] === 0 && (op === 'jeq' || op === 'jne')
  if (isNullCheck && left.nullable) {
    settleNull(here, dst, op === 'jne')
    settleNull(there, dst, op === 'jeq')
  } else if (!matchPacket(op, width, dst, src, here, there) && env.settings.strict && isPointer(env.reg(dst)))
    throw new Rejection(`R${dst} pointer comparison prohibited`)
}

function put(state: State, regno: number, num: Num): void {
  const { regs } = state.frame
  regs[regno] = withNum(regs[regno]!, num)
}

/** Ranges that contradict each other are given up: the branch is dead, though it was not foreseen. */
export function giveUpIfWrong(env: Env, num: Num, where: string): void {
  const wrong = violation(num)
  if (!wrong) return
  env.log.line(`verifier bug: REG INVARIANTS VIOLATION (${where}): ${wrong} ${violationText(num)}`)
  unbound64(num)
  unbound32(num)
}

function same(a: LinkedReg, b: LinkedReg): boolean {
  return a.frame === b.frame && a.index === b.index && a.spill === b.spill
}

const MAX_LINKED = 6

/** Every live register and every slot that holds the same number as `reg`, or one a constant apart. */
function linkedTo(env: Env, state: State, reg: Reg): LinkedReg[] {
  if (reg.type !== 'scalar' || reg.id === 0) return []
  const linked: LinkedReg[] = []
  for (let frame = state.frames.length - 1; frame >= 0; frame--) {
    const { regs, stack } = state.frames[frame]!
    const live = env.structure.live[state.frames[frame + 1]?.callSite ?? env.slot]!
    for (let index = 0; index < 10; index++) {
      if (!(live & (1 << index))) continue
      if (regs[index]!.type === 'scalar' && regs[index]!.id === reg.id) linked.push({ frame, index, spill: false })
    }
    stack.forEach((slot, index) => {
      if (hasSpill(slot) && slot.reg.type === 'scalar' && slot.reg.id === reg.id)
        linked.push({ frame, index, spill: true })
    })
  }
  return linked.slice(0, MAX_LINKED)
}

/** Gives what was learnt of one register to those linked to it. */
function spread(state: State, from: Reg, linked: readonly LinkedReg[]): void {
  if (from.type !== 'scalar' || from.id === 0) return
  for (const { frame, index, spill } of linked) {
    const f = state.frames[frame]!
    const reg = spill ? f.stack[index]!.reg : f.regs[index]!
    if (reg === from || reg.type !== 'scalar' || reg.id !== from.id) continue
    const moved = follow(reg, from)
    if (spill) f.stack[index] = { types: f.stack[index]!.types, reg: moved }
    else f.regs[index] = moved
  }
}

/** `reg` where `from` is known anew; sums of different widths say nothing of each other. */
function follow(reg: Reg, from: Reg): Reg {
  if (reg.delta !== 0 && from.delta !== 0 && reg.delta !== from.delta) return reg
  if (reg.off === from.off || (reg.delta === 0 && from.delta === 0)) return from
  const num = draft(from.num)
  const distance = reg.off - from.off
  addRaw(num, known(distance < 0 ? -1 : 0, distance | 0))
  if (reg.delta === 32 || from.delta === 32) zeroExtend(num)
  return change(from, { num: sync(num), off: reg.off, delta: reg.delta })
}

/** Two pointers compared equal, one of them known not to be null: neither is the other. */
function learnNotNull(
  env: Env,
  op: JumpOp,
  width: 32 | 64,
  dst: number,
  src: number | undefined,
  here: State,
  there: State,
): void {
  if (src === undefined || width === 32) return
  const [left, right] = [env.reg(dst), env.reg(src)]
  if (!isPointer(left) || !isPointer(right) || left.nullable === right.nullable) return
  const equal = op === 'jeq' ? there : op === 'jne' ? here : undefined
  if (!equal) return
  const regno = left.nullable ? dst : src
  equal.frame.regs[regno] = notNull(equal.frame.regs[regno]!)
}

/** A pointer that turned out not to be null. */
function notNull(reg: Reg): Reg {
  const { map } = reg
  if (reg.type === 'map_value' && map) {
    if (map.type === 'array_of_maps' || map.type === 'hash_of_maps') {
      const inner = change(reg, { type: 'map_ptr', nullable: false })
      inner.map = map.inner
      return inner
    }
    if (map.type === 'xskmap') return withoutMap(change(reg, { type: 'xdp_sock', nullable: false }))
    if (map.type === 'sockmap' || map.type === 'sockhash')
      return withoutMap(change(reg, { type: 'sock', nullable: false }))
  }
  return change(reg, { nullable: false })
}

function withoutMap(reg: Reg): Reg {
  reg.map = undefined
  return reg
}

/** Every pointer with the id of `regno` is null, or none is. */
export function settleNull(state: State, regno: number, isNull: boolean): void {
  const { id, refId } = state.frame.regs[regno]!
  if (isNull && refId !== 0 && refId === id) release(state, id)
  everyReg(state, (reg) => {
    if (!reg.nullable || reg.id !== id) return undefined
    if (isNull) return ZERO_SCALAR
    const settled = notNull(reg)
    return settled.map?.spinLockAt === undefined ? change(settled, { id: 0 }) : settled
  })
}

/** Replaces registers and spilled registers of all frames by what `next` gives; undefined keeps one. */
export function everyReg(state: State, next: (reg: Reg) => Reg | undefined): void {
  for (const frame of state.frames) {
    for (let i = 0; i < 11; i++) {
      const reg = next(frame.regs[i]!)
      if (reg) frame.regs[i] = reg
    }
    for (let spi = 0; spi < frame.stack.length; spi++) {
      const slot = frame.stack[spi]!
      if (!hasSpill(slot)) continue
      const reg = next(slot.reg)
      if (reg) frame.stack[spi] = { types: slot.types, reg }
    }
  }
}

const MAX_PACKET = 0xffff

/** All packet pointers of one base have at least this range. */
function giveRange(state: State, pointer: Reg, open: boolean): void {
  const { off, num } = pointer
  const umax = uapprox(num.umaxH, num.umaxL)
  if (off < 0 || (off === 0 && open) || umax > MAX_PACKET || umax + off > MAX_PACKET) return
  const range = open ? off + 1 : off
  everyReg(state, (reg) =>
    reg.type === pointer.type && reg.id === pointer.id && reg.range < range ? change(reg, { range }) : undefined,
  )
}

function markEnd(state: State, regno: number, beyond: boolean): void {
  const reg = state.frame.regs[regno]!
  if (reg.type === 'pkt') state.frame.regs[regno] = change(reg, { range: beyond ? BEYOND_PKT_END : AT_PKT_END })
}

function isPacketStart(reg: Reg): boolean {
  return reg.type === 'pkt' && reg.id === 0 && reg.off === 0 && isZero(reg.num)
}

/** Comparisons of a packet pointer with the packet's end, or of metadata with its start. Whether it was one. */
function matchPacket(
  op: JumpOp,
  width: 32 | 64,
  dst: number,
  src: number | undefined,
  here: State,
  there: State,
): boolean {
  if (src === undefined || width === 32) return false
  const [left, right] = [here.frame.regs[dst]!, here.frame.regs[src]!]
  const below = (a: Reg, b: Reg) =>
    (a.type === 'pkt' && b.type === 'pkt_end') || (a.type === 'pkt_meta' && isPacketStart(b))
  const plain = below(left, right)
  if (!plain && !below(right, left)) return false
  // Written as `pointer test end`.
  const test = plain ? op : FLIPPED[op]
  const pointer = plain ? left : right
  const regno = plain ? dst : src
  const [yes, no] = [there, here]
  switch (test) {
    case 'jgt': // fall through: pointer <= end
      giveRange(no, pointer, false)
      markEnd(yes, regno, true)
      return true
    case 'jge': // fall through: pointer < end
      giveRange(no, pointer, true)
      markEnd(yes, regno, false)
      return true
    case 'jlt':
      giveRange(yes, pointer, true)
      markEnd(no, regno, false)
      return true
    case 'jle':
      giveRange(yes, pointer, false)
      markEnd(no, regno, true)
      return true
    default:
      return false
  }
}
