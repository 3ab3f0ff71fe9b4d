// Dynamic pointers (struct bpf_dynptr): sixteen bytes of stack that kernel functions fill, and that nothing else may touch.
// Only pointers to the packet are modelled, made once in a place; what else programs do with them is not judged.

import type { Kfunc } from '@netsieve/asm'
import { isKnown } from './domain/num.ts'
import type { Env } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import { proveReadable } from './prove.ts'
import { change, isNull, Reg } from './reg.ts'
import { frameOf, reserve } from './stack.ts'
import { DYNPTR, EMPTY_SLOT, type Frame, isDynptr } from './state.ts'

const SAME_TYPE = 'cannot access ptr member next with moff 0 in struct (anon) with off 0 size 1'
const WHOLE = DYNPTR * 0x11111111

/** The upper of the two slots that a stack pointer points to the lower of; undefined for anything else. */
function upperSlot(reg: Reg): number | undefined {
  if (reg.type !== 'fp' || !isKnown(reg.num)) return undefined
  const off = reg.off + reg.num.bits.vl
  return off % 8 === 0 && off <= -16 && off >= -512 ? -off / 8 - 2 : undefined
}

function holdsDynptr(frame: Frame, upper: number): boolean {
  const [high, low] = [frame.stack[upper], frame.stack[upper + 1]]
  return high !== undefined && low !== undefined && isDynptr(high) && low.reg.type === 'dynptr'
}

/** An argument that must be a dynamic pointer; `index` counts from 0. */
export function proveDynptr(env: Env, regno: number, index: number): void {
  const reg = env.reg(regno)
  const upper = upperSlot(reg)
  if (upper === undefined || !holdsDynptr(frameOf(env, reg), upper)) {
    const place = upper === undefined ? `cannot pass in dynptr at an offset=${reg.off + reg.num.bits.vl}\n` : ''
    throw new Rejection(`${place}Expected an initialized dynptr as arg #${index}`)
  }
  for (const spi of [upper, upper + 1]) {
    env.log.touchSlot(spi)
    env.liveStack.read(reg.frame, spi)
  }
}

/** The arguments of a kernel function, and what it does to memory. What is not as it takes it is not judged: its messages are its own. */
export function callKernelFunction(env: Env, name: string, { args, types }: Kfunc): void {
  if (!types.includes(env.settings.type)) throw new Rejection(`calling kernel function ${name} is not allowed`)
  if (!env.settings.gplCompatible) throw new Rejection('cannot call kernel function from non-GPL compatible program')
  const fail = (regno: number): never => {
    throw new Unsupported(`R${regno} of ${name}`)
  }
  for (const [index, kind] of args.entries()) {
    const regno = index + 1
    proveReadable(env, regno)
    const reg = env.reg(regno)
    switch (kind) {
      case 'skb': {
        const wanted = env.settings.type === 'netfilter' ? 'trusted_ptr_sk_buff' : 'ctx'
        if (reg.type !== wanted || reg.off !== 0 || !isNull(change(reg, { type: 'scalar' }))) fail(regno)
        // Linux 6.18 says so on its way to finding that the types are the same.
        if (wanted !== 'ctx' && env.log.shows) env.log.line(SAME_TYPE)
        break
      }
      case 'anything':
        if (!isNull(reg)) fail(regno)
        break
      case 'dynptr':
        proveDynptr(env, regno, index)
        break
      default:
        makeDynptr(env, reg, () => fail(regno))
    }
  }
}

function makeDynptr(env: Env, reg: Reg, fail: () => never): void {
  const upper = upperSlot(reg) ?? fail()
  const frame = frameOf(env, reg)
  reserve(env, frame, -8 * (upper + 2))
  const before = [upper, upper + 1].map((spi) => frame.stack[spi] ?? EMPTY_SLOT)
  if (before.some(isDynptr)) fail()
  for (const spi of [upper, upper + 1]) {
    env.log.touchSlot(spi)
    // Both are written whole; the flow of liveness has one store an instruction.
    env.liveStack.wrote(frame.number, undefined)
  }
  frame.stack[upper] = { types: WHOLE, reg: EMPTY_SLOT.reg }
  frame.stack[upper + 1] = { types: WHOLE, reg: change(new Reg('dynptr'), { id: env.newId() }) }
}
