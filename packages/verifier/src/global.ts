// Global functions: each is verified by itself, for all arguments that its BTF type allows. A call only checks what it passes,
// and knows nothing of what comes back.

import type { FunctionProto, ParamDef } from '@netsieve/asm'
import { MEM_TYPES, proveBuffer } from './args.ts'
import { forgetPacket } from './call.ts'
import { UNKNOWN } from './domain/num.ts'
import type { Env } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import { proveFixedPointer } from './prove.ts'
import { change, isNull, Reg, UNINIT, UNKNOWN_SCALAR } from './reg.ts'
import { State } from './state.ts'
import type { Subprog } from './structure.ts'
import { newFrame } from './subprog.ts'

const MAX_ARGS = 5

/** A call of a global function. Returns the next slot. */
export function callGlobal(env: Env, slot: number, index: number): number {
  const sub = env.structure.subprogs[index]!
  const { name, proto } = functionOf(sub)
  if (env.state.lock)
    throw new Rejection('global function calls are not allowed while holding a lock,\nuse static function instead')
  try {
    proveProto(name, proto)
    proto.params.forEach((param, i) => {
      proveParam(env, param, i)
    })
  } catch (error) {
    if (!(error instanceof Rejection)) throw error
    throw new Rejection(`${error.message}\nCaller passes invalid args into func#${index} ('${name}')`)
  }
  if (env.log.shows) env.log.line(`Func#${index} ('${name}') is global and assumed valid.`)
  if (sub.changesPacket) forgetPacket(env)
  env.globals.add(index)
  for (let r = 0; r <= 5; r++) {
    env.log.touchReg(r)
    env.setReg(r, UNINIT)
  }
  env.setReg(0, UNKNOWN_SCALAR)
  return slot + 1
}

function functionOf(sub: Subprog): { readonly name: string; readonly proto: FunctionProto } {
  const { name = '', proto } = sub
  if (!proto) throw new Error(`the function at ${sub.start} has no type`)
  return { name, proto }
}

function proveProto(name: string, { params, returns }: FunctionProto): void {
  if (params.length > MAX_ARGS)
    throw new Rejection(`Global function ${name}() with ${params.length} > ${MAX_ARGS} args. Buggy compiler.`)
  if (returns !== 'scalar')
    throw new Rejection(`Global function ${name}() doesn't return scalar. Only those are supported.`)
  const other = params.find(({ kind }) => kind === 'other')
  if (other?.kind === 'other') throw new Unsupported(`global function ${name}: ${other.what}`)
}

function proveParam(env: Env, param: ParamDef, index: number): void {
  const regno = index + 1
  const reg = env.reg(regno)
  env.log.touchReg(regno)
  if (param.kind === 'scalar') {
    if (reg.type !== 'scalar') throw new Rejection(`R${regno} is not a scalar`)
    return
  }
  const anyOffset = !reg.nullable && (MEM_TYPES.includes(reg.type) || reg.type === 'scalar')
  if (!anyOffset) proveFixedPointer(regno, reg.type === 'uninit' ? change(reg, { num: UNKNOWN }) : reg)
  if (param.kind === 'ctx') {
    if (reg.type !== 'ctx') throw new Rejection(`arg#${index} expects pointer to ctx`)
  } else if (param.kind === 'mem') {
    proveMemory(env, regno, param.size)
    if (!param.nullable && reg.nullable) throw new Rejection(`arg#${index} is expected to be non-NULL`)
  }
}

/** Memory of a known size, to be read and written; a pointer that may be null is taken for what it points to. */
function proveMemory(env: Env, regno: number, size: number): void {
  const reg = env.reg(regno)
  if (isNull(reg)) return
  if (reg.nullable) env.setReg(regno, change(reg, { nullable: false }))
  proveBuffer(env, regno, size, 'read', true, undefined)
  proveBuffer(env, regno, size, 'write', true, undefined)
  env.setReg(regno, reg)
}

/** The state in which a global function begins: any arguments of its type. */
export function globalEntry(env: Env, index: number): State {
  const sub = env.structure.subprogs[index]!
  const { proto } = functionOf(sub)
  const frame = newFrame(undefined, index, -1)
  proto.params.forEach((param, i) => {
    frame.regs[i + 1] = entryReg(env, param)
  })
  const state = new State()
  state.frames = [frame]
  state.firstSlot = sub.start
  return state
}

function entryReg(env: Env, param: ParamDef): Reg {
  switch (param.kind) {
    case 'ctx':
      return new Reg('ctx')
    case 'mem': {
      const reg = change(new Reg('mem'), { memSize: param.size, nullable: param.nullable })
      return param.nullable ? change(reg, { id: env.newId() }) : reg
    }
    default:
      return UNKNOWN_SCALAR
  }
}
