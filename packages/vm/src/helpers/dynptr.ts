// Dynamic pointers to the packet (struct bpf_dynptr, 16 opaque bytes of the program's): the kernel functions that make and ask them,
// and the helper that reads through them. In this machine the bytes are the buffer's pointer and the length.

import { KFUNCS, type KfuncName } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { ERRNO } from '../maps/map.ts'
import { REGION } from '../memory.ts'
import { flagsArg, type HelperFunction, uarg } from './helper.ts'

const SIZE = 16

/** bpf_dynptr_from_skb(skb, flags, ptr): `ptr` is of the whole packet, or null where flags are given. */
function fromSkb(engine: Engine): number | undefined {
  const { regs, mem } = engine
  if (regs[3] !== REGION.skb && !(regs[3] === REGION.ctx && regs[2] === engine.ctxAt)) {
    engine.fail({ kind: 'helper-argument', reason: 'r1 is no socket buffer' })
    return undefined
  }
  const at = engine.memArg(3, SIZE, true)
  if (at === undefined) return undefined
  mem.bytes.fill(0, at, at + SIZE)
  if (flagsArg(engine, 2) !== 0) return ERRNO.EINVAL
  mem.view.setInt32(at, engine.ctxAt, true)
  mem.view.setInt32(at + 4, REGION.skb, true)
  mem.view.setInt32(at + 8, engine.end - engine.data, true)
  return 0
}

/** The packet's length behind r`n`; `null` for a null pointer, undefined after a fault. */
function lengthOf(engine: Engine, n: number): number | 'null' | undefined {
  const at = engine.memArg(n, SIZE, false)
  if (at === undefined) return undefined
  const { view } = engine.mem
  const region = view.getInt32(at + 4, true)
  if (region === 0 && view.getInt32(at, true) === 0) return 'null'
  if (region === REGION.skb && view.getInt32(at, true) === engine.ctxAt) return view.getUint32(at + 8, true)
  engine.fail({ kind: 'helper-argument', reason: `r${n} is no dynamic pointer` })
  return undefined
}

/** bpf_dynptr_read(dst, len, src, offset, flags) */
function read(engine: Engine): number | undefined {
  const length = uarg(engine, 2)
  const to = engine.memArg(1, length, true)
  const size = lengthOf(engine, 3)
  if (to === undefined || size === undefined) return undefined
  if (size === 'null' || flagsArg(engine, 5) !== 0) return ERRNO.EINVAL
  const offset = uarg(engine, 4)
  if (offset + length > size) return ERRNO.E2BIG
  engine.mem.bytes.copyWithin(to, engine.data + offset, engine.data + offset + length)
  return 0
}

function size(engine: Engine): number | undefined {
  const length = lengthOf(engine, 1)
  return length === 'null' ? ERRNO.EINVAL : length
}

export const DYNPTR_HELPERS = { dynptr_read: read } as const satisfies Record<string, HelperFunction>

const FUNCTIONS: Readonly<Record<KfuncName, HelperFunction>> = { bpf_dynptr_from_skb: fromSkb, bpf_dynptr_size: size }

/** Kernel functions by the number that a call has before a kernel gives it another (asm's KFUNCS). */
export const KERNEL_FUNCTIONS: ReadonlyMap<number, HelperFunction> = new Map(
  (Object.entries(FUNCTIONS) as [KfuncName, HelperFunction][]).map(([name, run]) => [KFUNCS[name].id, run]),
)
