// Functions of the program: calls, returns, and callbacks that a helper makes any number of times.

import { LIMITS, type MapDef } from '@netsieve/asm'
import { draft, sameNum, UNKNOWN } from './domain/num.ts'
import { toSigned } from './domain/wide.ts'
import type { Env } from './env.ts'
import { Rejection } from './errors.ts'
import { markPrecise } from './precision.ts'
import { frameText } from './print.ts'
import { Ids } from './prune.ts'
import { change, isPointer, Reg, type Reg as RegValue, scalar, typeName, UNINIT, UNKNOWN_SCALAR } from './reg.ts'
import { type Callback, Frame, hasSpill, type State } from './state.ts'

export function newFrame(caller: Frame | undefined, subprog: number, callSite: number, callback?: Callback): Frame {
  const number = caller ? caller.number + 1 : 0
  const chain = caller ? `${caller.chain},${callSite}` : `${subprog}`
  const frame = new Frame(number, subprog, callSite, chain, callback)
  frame.regs[10] = change(new Reg('fp'), { frame: number })
  return frame
}

/** Enters a function of the program. Returns its first slot. */
export function enter(env: Env, slot: number): number {
  const { structure, prog, state } = env
  const target = slot + 1 + prog.imm[slot]!
  const subprog = structure.subprogOf[target]!
  const caller = env.frame
  if (state.frames.length >= LIMITS.frames)
    throw new Rejection(`the call stack of ${state.frames.length + 1} frames is too deep`, true)
  const callee = newFrame(caller, subprog, slot)
  for (let r = 1; r <= 5; r++) callee.regs[r] = caller.regs[r]!
  state.frames.push(callee)
  for (let r = 0; r <= 5; r++) caller.regs[r] = UNINIT
  if (env.log.shows) {
    env.log.line('caller:')
    env.log.line(frameText(state, caller, undefined))
    env.log.line('callee:')
    env.log.line(frameText(state, callee, undefined))
    env.log.touchAll()
  }
  return target
}

/** Leaves a function of the program, or a callback back to its helper's call. Returns the next slot. */
export function leave(env: Env): number {
  const { state } = env
  const callee = state.frames[state.frames.length - 1]!
  const caller = state.frames[state.frames.length - 2]!
  const r0 = callee.regs[0]!
  if (r0.type === 'fp') throw new Rejection('cannot return stack pointer to the caller')
  if (callee.callback) {
    if (r0.type !== 'scalar') throw new Rejection('R0 not a scalar value')
    markPrecise(env, 0)
    proveRange(env.reg(0), callee.callback.range, 'At callback return', 'R0')
  } else caller.regs[0] = r0
  const next = callee.callback ? callee.callSite : callee.callSite + 1
  if (env.log.shows) {
    env.log.line('returning from callee:')
    env.log.line(frameText(state, callee, undefined))
    env.log.line(`to caller at ${next}:`)
    env.log.line(frameText(state, caller, undefined))
  }
  state.frames.pop()
  if (callee.callback) {
    const earlier = earlierVisit(env, state, next)
    if (earlier) widen(env, earlier, state)
  }
  return next
}

/** A number that must be within a range; `when` and `name` begin the message. */
export function proveRange(reg: RegValue, range: readonly [number, number], when: string, name: string): void {
  const { num } = reg
  const smin = toSigned(num.sminH, num.sminL)
  const smax = toSigned(num.smaxH, num.smaxL)
  if (smin >= BigInt(range[0]) && smax <= BigInt(range[1])) return
  let text = `${when} the register ${name} has`
  const unbounded = num.sminH === -0x80000000 && num.sminL === 0 && num.smaxH === 0x7fffffff && num.smaxL === -1
  if (num.sminH !== -0x80000000 || num.sminL !== 0) text += ` smin=${smin}`
  if (num.smaxH !== 0x7fffffff || num.smaxL !== -1) text += ` smax=${smax}`
  if (unbounded) text += ' unknown scalar value'
  throw new Rejection(`${text} should have been in [${range[0]}, ${range[1]}]`)
}

/** Puts off one more run of a callback, with the arguments the helper gives it. */
export function callCallback(
  env: Env,
  slot: number,
  subprog: number,
  kind: 'loop' | 'map_elem',
  map: MapDef | undefined,
): void {
  const start = env.structure.subprogs[subprog]!.start
  const state = env.putOff(start, slot)
  if (state.frames.length >= LIMITS.frames)
    throw new Rejection(`the call stack of ${state.frames.length + 1} frames is too deep`, true)
  const caller = state.frame
  const callee = newFrame(caller, subprog, slot, {
    callSlot: slot,
    helper: env.prog.imm[slot]!,
    range: [0, 1],
  })
  if (kind === 'loop') {
    callee.regs[1] = scalar(draft(UNKNOWN))
    callee.regs[2] = caller.regs[3]!
  } else {
    const withMap = (type: 'map_key' | 'map_value' | 'map_ptr') => {
      const reg = new Reg(type)
      reg.map = map
      return reg
    }
    callee.regs[1] = withMap('map_ptr')
    callee.regs[2] = withMap('map_key')
    callee.regs[3] = withMap('map_value')
    callee.regs[4] = caller.regs[3]!
  }
  state.frames.push(callee)
  state.callbackDepth++
  caller.callbackDepth++
  env.frame.callbackDepth = 0
  env.log.touchAll()
}

function sameCalls(a: State, b: State): boolean {
  return a.frames.length === b.frames.length && a.frames.every((frame, i) => frame.callSite === b.frames[i]!.callSite)
}

/** A state kept at `slot` on the way to `state`, not finished: the loop's last round. */
export function earlierVisit(env: Env, state: State, slot: number): State | undefined {
  return env
    .savedAt(slot, state)
    .find(({ state: old }) => old.slot === slot && old.branches > 0 && old.depth < state.depth && sameCalls(old, state))
    ?.state
}

/** Numbers that changed from one round to the next and that nothing depends on are forgotten, so that rounds converge. */
export function widen(env: Env, old: State, state: State): void {
  const ids = new Ids(env)
  // What a number is linked to counts as well; one that is a constant apart has another link.
  const link = ({ id, delta }: RegValue) => id * 4 + (delta >> 5)
  const widened = (a: RegValue, b: RegValue): RegValue | undefined => {
    if (a.type !== 'scalar' || b.type !== 'scalar' || a.precise || b.precise) return undefined
    if (a.off === b.off && sameNum(a.num, b.num) && ids.match(link(a), link(b))) return undefined
    return UNKNOWN_SCALAR
  }
  state.frames.forEach((frame, i) => {
    const before = old.frames[i]!
    frame.regs.forEach((reg, r) => {
      const wide = widened(before.regs[r]!, reg)
      if (wide) frame.regs[r] = wide
    })
    frame.stack.forEach((slot, spi) => {
      const was = before.stack[spi]
      if (!was || !hasSpill(was) || !hasSpill(slot)) return
      const wide = widened(was.reg, slot.reg)
      if (wide) frame.stack[spi] = { types: slot.types, reg: wide }
    })
  })
}

/** The main program's end: r0 is a number, in range for the program type. */
export function proveReturn(env: Env): void {
  const r0 = env.reg(0)
  env.log.touchReg(0)
  if (r0.type === 'uninit') throw new Rejection('R0 !read_ok')
  const { strict, type, attach } = env.settings
  if (strict && isPointer(r0)) throw new Rejection('R0 leaks addr as return value')
  if (env.frame.subprog !== 0) {
    if (r0.type === 'scalar') return
    throw new Rejection(`At subprogram exit the register R0 is not a scalar value (${typeName(r0)})`)
  }
  if (type !== 'cgroup_skb' && type !== 'netfilter') return
  if (r0.type !== 'scalar')
    throw new Rejection(`At program exit the register R0 is not a known value (${typeName(r0)})`)
  markPrecise(env, 0)
  proveRange(env.reg(0), type === 'cgroup_skb' && attach === 'egress' ? [0, 3] : [0, 1], 'At program exit', 'R0')
}
