// Control flow: jumps as structured scopes, or a dispatcher where loops are entered in their middle; and the budget that ends
// loops that go on too long.

import { FAIL, IMPORT, STATUS } from './abi.ts'
import { emitCondition } from './alu.ts'
import { pushMember } from './chains.ts'
import type { FunctionEmitter } from './emitter.ts'
import type { Scope } from './scopes.ts'
import { I32, W } from './writer.ts'

/** A loop with this target is the dispatcher's. */
const DISPATCHER = -1

/** All blocks in their scopes; control never comes to the end. */
export function emitScopes(fn: FunctionEmitter, emitBlock: (b: number) => void): void {
  const { scopes } = fn.cfg
  if (scopes) emitStructured(fn, scopes, emitBlock)
  else emitDispatcher(fn, emitBlock)
}

function emitStructured(fn: FunctionEmitter, scopes: readonly Scope[], emitBlock: (b: number) => void): void {
  const { body, labels } = fn
  const open: { to: number }[] = []
  let next = 0
  fn.cfg.blocks.forEach((_block, b) => {
    while (open.length > 0 && open[open.length - 1]!.to === b) {
      body.op(W.end)
      open.pop()
      labels.pop()
    }
    for (; next < scopes.length && scopes[next]!.from === b; next++) {
      const { kind, to } = scopes[next]!
      body.op(kind === 'loop' ? W.loop : W.block, 0x40)
      open.push({ to })
      labels.push(kind, kind === 'loop' ? b : to)
    }
    emitBlock(b)
    const after = fn.cfg.next[b]!
    if (after >= 0 && after !== b + 1) emitBranch(fn, after <= b ? 'loop' : 'block', after)
  })
  for (; open.length > 0; open.pop()) {
    body.op(W.end)
    labels.pop()
  }
  body.op(W.unreachable)
}

/** A loop around a switch on the number of the next block: for jumps into the middle of loops. */
function emitDispatcher(fn: FunctionEmitter, emitBlock: (b: number) => void): void {
  const { body, cfg, labels } = fn
  const count = cfg.blocks.length
  const next = body.local(I32)
  fn.dispatch = next
  body.i32(fn.entryBlock).set(next).op(W.loop, 0x40)
  labels.push('loop', DISPATCHER)
  // The innermost ends before the first block.
  for (let b = count - 1; b >= 0; b--) {
    body.op(W.block, 0x40)
    labels.push('block', b)
  }
  const last = count - 1
  body.get(next).op(W.br_table).u32(last)
  for (let b = 0; b < count; b++) body.u32(b)
  for (let b = 0; b < count; b++) {
    body.op(W.end)
    labels.pop()
    emitBlock(b)
    if (cfg.next[b]! >= 0) emitBranch(fn, 'block', cfg.next[b]!)
  }
  body.op(W.end, W.unreachable)
  labels.pop()
}

/** An unconditional branch to a block: to the loop that begins with it, or past the scope that ends before it. */
function emitBranch(fn: FunctionEmitter, kind: Scope['kind'], to: number): void {
  const { body, dispatch } = fn
  if (dispatch !== undefined) body.i32(to).set(dispatch)
  body.op(W.br).u32(dispatch === undefined ? fn.depthOf(kind, to) : fn.depthOf('loop', DISPATCHER))
}

/** The jump at a code position, which ends block `b`. */
export function emitJump(fn: FunctionEmitter, pc: number, b: number): void {
  const { body, code, cfg } = fn
  const op = code[pc]!
  const to = cfg.at.get(code[pc + 3]! >> 2)!
  const back = code[pc + 3]! <= pc
  const kind = to <= b ? 'loop' : 'block'
  const always = op === 0x05
  fn.countJump()
  if (op === 0xe5) emitMayGoto(fn)
  else if (!always && !emitChain(fn, b)) emitCondition(fn, pc)
  if (!back && fn.dispatch === undefined) {
    body.op(always ? W.br : W.br_if).u32(fn.depthOf(kind, to))
    return
  }
  if (!always) fn.openIf()
  if (back) emitBudgetCheck(fn, pc)
  emitBranch(fn, kind, to)
  if (!always) fn.closeIf()
}

/** Pushes whether any test of a chain is met; false, and nothing, where none begins. */
function emitChain(fn: FunctionEmitter, b: number): boolean {
  const chain = fn.chains.get(b)
  if (!chain) return false
  pushMember(fn, fn.fused.get(fn.cfg.blocks[b]!.to - 2) ?? chain.table, chain)
  for (const block of chain.rest) fn.tested.add(block)
  return true
}

/** Pushes whether a may_goto is taken: once the counter has run down. */
function emitMayGoto(fn: FunctionEmitter): void {
  const { body } = fn
  const left = fn.temp()
  body.i32(STATUS.mayGoto).i32(STATUS.mayGoto).mem(W.i32_load, 0).tee(left)
  body.i32(1).op(W.i32_sub).mem(W.i32_store, 0)
  body.get(left).i32(0).op(W.i32_le_s)
}

/** Fails if more instructions than allowed were executed. */
export function emitBudgetCheck(fn: FunctionEmitter, pc: number): void {
  if (!fn.pushOverBudget()) return
  fn.openIf()
  fn.leaveWord(pc)
  fn.body.i32(FAIL.budget).call(IMPORT.fail).op(W.drop)
  fn.around.fault(fn)
  fn.closeIf()
}
