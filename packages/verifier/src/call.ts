// Calls of helpers: who may call them, what they take, and what is left after them.

import { helperById, helperName, kfuncById, kfuncName, MAP_FLAGS } from '@netsieve/asm'
import { type Call, proveArg } from './args.ts'
import { everyReg } from './branch.ts'
import { draft, isKnown, sync, UNKNOWN } from './domain/num.ts'
import { uapprox } from './domain/wide.ts'
import { callKernelFunction } from './dynptr.ts'
import { type Env, helperMay } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import { acquire, giveBack, proveNothingHeld } from './held.ts'
import { mapFits, mapFlags, proveMapFits } from './maps.ts'
import { markPrecise } from './precision.ts'
import { proveKeepsPointer } from './prove.ts'
import { change, isNull, isPacketPointer, Reg, scalar, UNINIT, UNKNOWN_SCALAR } from './reg.ts'
import { frameOf, storeStack } from './stack.ts'
import { TAIL_CALL } from './structure.ts'
import { callCallback } from './subprog.ts'

const LOOKUP = 1
const SPIN_LOCK = 93
const SPIN_UNLOCK = 94
const FOR_EACH = 164
const LOOP = 181
const GET_LOCAL_STORAGE = 81
const SMP_PROCESSOR_ID = 8
/** Read a string: the result is its length or an error. */
const STRING_READERS: ReadonlySet<number> = new Set([45, 114, 115])
const ACQUIRES: ReadonlySet<number> = new Set([84, 85, 99, 131])
/** The result is the argument by another name: still the same acquired object. */
const CASTS: ReadonlySet<number> = new Set([95, 96])
const MAX_ERRNO = 4095

export function stepHelper(env: Env, slot: number): void {
  const id = env.prog.imm[slot]!
  const call = begin(env, id)
  call.helper.args.forEach((_, index) => {
    proveArg(env, call, index)
  })
  proveMapUse(env, call)
  writeRaw(env, call)
  if (call.released) giveUp(env, call)
  special(env, call, slot)
  clobber(env)
  env.setReg(0, result(env, call, slot))
  refineResult(env, call)
  proveMapFits(id, call.map)
  if (call.helper.changesPacket) forgetPacket(env)
}

/** A kernel function of asm's table; `structure` has refused all others. */
export function stepKernelFunction(env: Env, slot: number): void {
  const id = env.prog.imm[slot]!
  callKernelFunction(env, kfuncName(id)!, kfuncById(id)!)
  clobber(env)
  env.setReg(0, UNKNOWN_SCALAR)
}

/** Calls leave nothing in r0 to r5. */
function clobber(env: Env): void {
  for (let r = 0; r <= 5; r++) {
    env.log.touchReg(r)
    env.setReg(r, UNINIT)
  }
}

/** The helper exists and this program may call it. */
function begin(env: Env, id: number): Call {
  const helper = helperById(id)
  const name = helperName(id)
  // Id 0 has a name in the kernel, but nobody may call it.
  if (id === 0) throw new Rejection('program of this type cannot use helper bpf_unspec#0')
  if (!helper) throw new Rejection(`invalid func unknown#${id}`)
  if (!helperMay(helper, env.settings)) throw new Rejection(`program of this type cannot use helper bpf_${name}#${id}`)
  if (helper.gpl && !env.settings.gplCompatible)
    throw new Rejection('cannot call GPL-restricted function from non-GPL compatible program')
  if (helper.sleeps) throw new Rejection('helper call might sleep in a non-sleepable prog')
  if (helper.unmodelled) throw new Unsupported(`bpf_${name}: ${helper.unmodelled}`)
  return { id, helper, refId: 0, released: false, memSize: 0, maxSize: 0, constKey: undefined, subprog: 0 }
}

const MAP_WRITERS: ReadonlySet<number> = new Set([2, 3, 87, 88])

function proveMapUse(env: Env, call: Call): void {
  const { map, id } = call
  if (map && MAP_WRITERS.has(id) && mapFlags(map) & MAP_FLAGS.rdonly_prog)
    throw new Rejection('write into map forbidden')
  if (id !== TAIL_CALL || !map) return
  if (map.type !== 'prog_array') throw new Rejection('expected prog array map for tail call')
  const { num } = env.reg(3)
  if (env.reg(3).type === 'scalar' && isKnown(num) && uapprox(num.bits.vh, num.bits.vl) < map.maxEntries)
    markPrecise(env, 3)
}

/** The helper fills memory that needed no initialising: plain bytes from now on. */
function writeRaw(env: Env, call: Call): void {
  if (!call.raw) return
  const reg = env.reg(call.raw.reg)
  if (reg.type !== 'fp') return
  const frame = frameOf(env, reg)
  for (let i = 0; i < call.raw.size; i++) {
    const off = reg.off + reg.num.bits.vl + i
    proveKeepsPointer(env, frame, off, 1)
    storeStack(env, frame, off, 1, undefined, undefined)
  }
}

function giveUp(env: Env, call: Call): void {
  if (call.refId) return giveBack(env, call.refId)
}

function special(env: Env, call: Call, slot: number): void {
  switch (call.id) {
    case TAIL_CALL:
      return proveNothingHeld(env, 'tail_call')
    case GET_LOCAL_STORAGE:
      if (!isNull(env.reg(2))) throw new Rejection("get_local_storage() doesn't support non-zero flags")
      return
    case SPIN_LOCK:
    case SPIN_UNLOCK:
      return stepLock(env, call.id === SPIN_LOCK)
    case FOR_EACH:
      if (!mapFits(FOR_EACH, call.map)) throw new Rejection('callback function not allowed for map', true)
      return callCallback(env, slot, call.subprog, 'map_elem', call.map)
    case LOOP:
      return stepLoop(env, call, slot)
    default:
  }
}

function stepLoop(env: Env, call: Call, slot: number): void {
  // Linux 6.18 trips over itself here, and refuses the program with these words.
  if (env.reg(1).type !== 'scalar') throw new Rejection('verifier bug: backtracking misuse', true)
  markPrecise(env, 1)
  const { num } = env.reg(1)
  if (env.frame.callbackDepth < uapprox(num.umaxH, num.umaxL))
    return callCallback(env, slot, call.subprog, 'loop', undefined)
  env.frame.callbackDepth = 0
  if (env.log.shows2) env.log.line(`frame${env.state.frames.length - 1} bpf_loop iteration limit reached`)
}

function stepLock(env: Env, locks: boolean): void {
  const reg = env.reg(1)
  const name = locks ? 'lock' : 'unlock'
  const { num, map } = reg
  if (!isKnown(num))
    throw new Rejection(`R1 doesn't have constant offset. bpf_spin_lock has to be at the constant offset`)
  if (map?.spinLockAt === undefined)
    throw new Rejection(`map '${map?.name ?? ''}' has to have BTF in order to use bpf_spin_lock`)
  const at = reg.off + num.bits.vl
  if (at !== map.spinLockAt)
    throw new Rejection(`off ${at} doesn't point to 'struct bpf_spin_lock' that is at ${map.spinLockAt}`)
  const { state } = env
  if (locks) {
    state.lock = { id: reg.id, map: map.name }
    return
  }
  if (!state.lock) throw new Rejection(`bpf_spin_${name} without taking a lock`)
  if (state.lock.id !== reg.id || state.lock.map !== map.name) throw new Rejection(`bpf_spin_${name} of different lock`)
  state.lock = undefined
}

/** What r0 holds after the call. */
function result(env: Env, call: Call, slot: number): Reg {
  const { ret } = call.helper
  if (ret === 'integer') return UNKNOWN_SCALAR
  if (ret === 'void') return UNINIT
  const reg = pointerResult(env, call)
  if (reg.nullable) reg.id = env.newId()
  if (CASTS.has(call.id)) reg.refId = call.refId
  else if (ACQUIRES.has(call.id) || (call.id === LOOKUP && isSockMap(call))) {
    const id = acquire(env, slot)
    reg.id = id
    reg.refId = id
  }
  return reg
}

function isSockMap(call: Call): boolean {
  return call.map?.type === 'sockmap' || call.map?.type === 'sockhash'
}

function pointerResult(env: Env, call: Call): Reg {
  switch (call.helper.ret) {
    case 'mapValue':
    case 'mapValueOrNull': {
      const reg = new Reg('map_value')
      if (!call.map) throw new Unsupported('values of no map')
      reg.map = call.map
      const elides =
        call.id === LOOKUP && call.constKey !== undefined && call.constKey >= 0 && call.constKey < call.map.maxEntries
      reg.nullable = call.helper.ret === 'mapValueOrNull' && !elides
      if (!reg.nullable && call.map.spinLockAt !== undefined) reg.id = env.newId()
      return reg
    }
    case 'sockOrNull':
      return change(new Reg('sock'), { nullable: true })
    case 'sockCommonOrNull':
      return change(new Reg('sock_common'), { nullable: true })
    case 'tcpSockOrNull':
      return change(new Reg('tcp_sock'), { nullable: true })
    case 'allocMemOrNull':
      return change(new Reg('ringbuf_mem'), { nullable: true, memSize: call.memSize })
    default:
      throw new Error(`no pointer result: ${call.helper.ret}`)
  }
}

/** Results that are known to be in a range. */
function refineResult(env: Env, call: Call): void {
  const num = draft(UNKNOWN)
  if (call.id === SMP_PROCESSOR_ID) {
    num.umaxH = num.sminH = num.smaxH = num.sminL = 0
    num.umaxL = num.u32max = num.smaxL = num.s32max = env.settings.cpus - 1
    num.s32min = 0
  } else if (STRING_READERS.has(call.id)) {
    num.smaxH = 0
    num.smaxL = num.s32max = call.maxSize
    num.sminH = -1
    num.sminL = num.s32min = -MAX_ERRNO
  } else return
  env.setReg(0, scalar(sync(num)))
}

/** The packet may have moved: pointers into it are void. */
export function forgetPacket(env: Env): void {
  const gone = env.settings.strict ? UNINIT : UNKNOWN_SCALAR
  everyReg(env.state, (reg) => (isPacketPointer(reg) || reg.type === 'pkt_end' ? gone : undefined))
}
