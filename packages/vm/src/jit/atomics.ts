// What an atomic does at an address. RFC 9669 §5.3.

import type { InsnSpec } from '@netsieve/asm'
import type { FunctionEmitter } from './emitter.ts'
import { W } from './writer.ts'

type Operation = 'add' | 'or' | 'and' | 'xor'
const WIDE = { add: W.i64_add, or: W.i64_or, and: W.i64_and, xor: W.i64_xor } as const satisfies Record<
  Operation,
  number
>

/** Runs the operation of register s on the memory that the temporary points to. 32-bit ones compute on 64 and keep the low half. */
export function emitOperation(fn: FunctionEmitter, spec: InsnSpec, s: number): void {
  const { body } = fn
  const [at, old] = [fn.temp(), fn.wide()]
  const store = spec.size === 8 ? W.i64_store : W.i64_store32
  body
    .get(at)
    .mem(spec.size === 8 ? W.i64_load : W.i64_load32_u, 0)
    .set(old)
  body.get(at)
  switch (spec.atomic) {
    case 'cmpxchg':
      fn.value(s)
      body.get(old).get(old)
      fn.value(0)
      if (spec.size === 4) body.op(W.i32_wrap_i64, W.i64_extend_i32_u)
      body.op(W.i64_eq, W.select)
      break
    case 'xchg':
      fn.value(s)
      break
    default:
      body.get(old)
      fn.value(s)
      body.op(WIDE[spec.atomic as Operation])
  }
  body.mem(store, 0)
  if (!spec.fetch) return
  body.get(old)
  fn.setRegister(spec.atomic === 'cmpxchg' ? 0 : s)
}
