// What reads and writes do to the stack: registers spilled whole or in part, plain bytes, zeros.

import { known, widthOf } from './domain/num.ts'
import { approx } from './domain/wide.ts'
import type { Env } from './env.ts'
import { Unsupported } from './errors.ts'
import { markPrecise, markSlotsPrecise } from './precision.ts'
import { change, isNull, isPointer, type Reg, scalar, UNINIT, UNKNOWN_SCALAR, ZERO_SCALAR } from './reg.ts'
import { noteStackStore } from './speculate.ts'
import {
  byteType,
  EMPTY_SLOT,
  type Frame,
  growStack,
  hasSpill,
  INVALID,
  isDynptr,
  MISC,
  readBytes,
  type Slot,
  SPILL,
  withByte,
  ZEROED,
} from './state.ts'
import { linkBeforeCopy } from './step-alu.ts'

/** The frame a stack pointer points into. */
export function frameOf(env: Env, reg: Reg): Frame {
  return env.state.frames[reg.frame]!
}

export function slotAt(frame: Frame, spi: number): Slot {
  const slot = frame.stack[spi] ?? EMPTY_SLOT
  if (isDynptr(slot)) throw new Unsupported('stack accesses where a dynptr is')
  return slot
}

/** Makes room for an access from `off` bytes below the frame's top upwards. */
export function reserve(env: Env, frame: Frame, off: number): void {
  growStack(frame, -off)
  env.useStack(frame.subprog, frame.stack.length * 8)
}

/** How many bytes of a slot belong to the register spilled there. */
export function spillSize(slot: Slot): number {
  let size = 1
  while (size < 8 && byteType(slot, 7 - size) === SPILL) size++
  return size
}

/** A narrow read of a spilled register that leaves a number: from its low end. */
function isLowPart(off: number, size: number, spill: number): boolean {
  return off % 8 === 0 && size <= spill
}

/** The register that a load of `size` bytes at a fixed offset gives, before narrowing to that size. */
export function loadStack(env: Env, frame: Frame, off: number, size: number): Reg {
  const firstByte = -off - 1
  const spi = firstByte >> 3
  const slot = slotAt(frame, spi)
  env.log.touchSlot(spi)
  env.liveStack.read(frame.number, spi)
  if (!hasSpill(slot)) return readBytes(frame, firstByte, size)
  const spill = spillSize(slot)
  if (size === 8 && spill === 8) {
    env.recordStep({ frame: frame.number, spi })
    return slot.reg
  }
  if (isLowPart(off, size, spill)) {
    env.recordStep({ frame: frame.number, spi })
    return widthOf(slot.reg.num) > size * 8 ? change(slot.reg, { id: 0, delta: 0 }) : slot.reg
  }
  let spilled = 0
  let zeros = 0
  for (let i = 0; i < size; i++) {
    const type = byteType(slot, (firstByte - i) & 7)
    if (type === SPILL) spilled++
    if (type === ZEROED) zeros++
  }
  if (spilled === size && isNull(slot.reg)) {
    env.recordStep({ frame: frame.number, spi })
    return ZERO_SCALAR
  }
  return zeros === size ? ZERO_SCALAR : UNKNOWN_SCALAR
}

/** A store at a fixed, aligned offset: of a register, or of an immediate where `value` is undefined. */
export function storeStack(
  env: Env,
  frame: Frame,
  off: number,
  size: number,
  value: number | undefined,
  imm: number | undefined,
): void {
  const firstByte = -off - 1
  const spi = firstByte >> 3
  env.log.touchSlot(spi)
  const old = slotAt(frame, spi)
  env.liveStack.wrote(frame.number, size === 8 ? spi : undefined)
  const reg = value === undefined ? undefined : env.reg(value)
  noteStackStore(env, old, firstByte, size, reg)
  // Without CAP_BPF numbers are not followed through the stack.
  const follows = !env.settings.unprivileged && off % 8 === 0
  if (reg && follows && reg.type === 'scalar') {
    const fits = widthOf(reg.num) <= size * 8
    if (fits) linkBeforeCopy(env, value!)
    const kept = env.reg(value!)
    frame.stack[spi] = spillInto(old, fits ? kept : change(kept, { id: 0, delta: 0 }), size)
    env.recordStep({ frame: frame.number, spi })
  } else if (!reg && imm !== undefined && follows) {
    frame.stack[spi] = spillInto(old, scalar(known(imm >> 31, imm)), size)
    env.recordStep({ frame: frame.number, spi })
  } else if (reg && isPointer(reg)) {
    frame.stack[spi] = spillInto(old, reg, 8)
    env.recordStep({ frame: frame.number, spi })
  } else {
    const zero = reg ? isNull(reg) : imm === 0
    if (zero && value !== undefined) markPrecise(env, value)
    frame.stack[spi] = writeBytes(old, firstByte & 7, size, zero ? ZEROED : MISC)
  }
}

function spillInto(old: Slot, reg: Reg, size: number): Slot {
  let types = old.types
  for (let byte = 7; byte >= 0; byte--) {
    if (byte >= 8 - size) types = withByte(types, byte, SPILL)
    else types = withByte(types, byte, scrapped((types >>> (byte * 4)) & 0xf))
  }
  return { types, reg }
}

/** What is left of a byte whose slot got another register: known zeros and unwritten bytes stay what they are. */
function scrapped(type: number): number {
  return type === ZEROED || type === INVALID ? type : MISC
}

/** Plain bytes over part of a slot; a register that was spilled there is gone. */
function writeBytes(old: Slot, firstByte: number, size: number, type: number): Slot {
  let types = scrub(old)
  for (let i = 0; i < size; i++) types = withByte(types, (firstByte - i) & 7, type)
  return { types, reg: UNINIT }
}

/** The bytes of a spilled register as plain bytes. */
function scrub(slot: Slot): number {
  let types = slot.types
  if (!hasSpill(slot)) return types
  for (let byte = 0; byte < 8; byte++) if (byteType(slot, byte) !== INVALID) types = withByte(types, byte, MISC)
  return types
}

/** A store somewhere in a range of offsets: whatever is there may be what it was or what is stored. */
export function storeStackRange(
  env: Env,
  frame: Frame,
  min: number,
  max: number,
  value: number | undefined,
  imm: number | undefined,
): void {
  const zero = value === undefined ? imm === 0 : isNull(env.reg(value))
  env.liveStack.wrote(frame.number, undefined)
  for (let off = min; off < max; off++) {
    const at = -off - 1
    const spi = at >> 3
    env.log.touchSlot(spi)
    const slot = slotAt(frame, spi)
    const type = byteType(slot, at & 7)
    if (hasSpill(slot) && slot.reg.type === 'scalar' && type === SPILL && zero && isNull(slot.reg)) continue
    const stays = zero && type === ZEROED
    frame.stack[spi] = { types: withByte(scrub(slot), at & 7, stays ? ZEROED : MISC), reg: UNINIT }
  }
  if (zero && value !== undefined) markPrecise(env, value)
}

/** A load from somewhere in a range of offsets. */
export function loadStackRange(env: Env, frame: Frame, min: number, max: number): Reg {
  let zero = true
  for (let off = min; off < max; off++) {
    const at = -off - 1
    env.liveStack.read(frame.number, at >> 3)
    if (zero) env.log.touchSlot(at >> 3)
    if (byteType(slotAt(frame, at >> 3), at & 7) !== ZEROED) zero = false
  }
  return zero ? ZERO_SCALAR : UNKNOWN_SCALAR
}

/** What a helper does to the stack it is given: reads keep it, writes leave plain bytes. */
export function helperTouches(env: Env, frame: Frame, min: number, max: number, writes: boolean): void {
  for (let off = min; off < max; off++) {
    const at = -off - 1
    const spi = at >> 3
    const slot = slotAt(frame, spi)
    env.liveStack.read(frame.number, spi)
    if (!writes) continue
    if (hasSpill(slot)) frame.stack[spi] = { types: scrub(slot), reg: UNINIT }
    const now = slotAt(frame, spi)
    frame.stack[spi] = { types: withByte(now.types, at & 7, MISC), reg: UNINIT }
  }
}

/** Lowest and highest offset that a stack pointer with `off` added can have, as numbers. */
export function stackSpan(reg: Reg, off: number): readonly [min: number, max: number] {
  const { num } = reg
  return [approx(num.sminH, num.sminL) + reg.off + off, approx(num.smaxH, num.smaxL) + reg.off + off]
}

/** The constant that a helper will read as a map key, if the stack says so. The slot is marked precise. */
export function constantKey(env: Env, reg: Reg, keySize: number): number | undefined {
  if (env.settings.unprivileged || reg.type !== 'fp' || reg.num.bits.mh !== 0 || reg.num.bits.ml !== 0) return undefined
  const frame = frameOf(env, reg)
  const at = -(reg.off + reg.num.bits.vl) - 1
  const slot = slotAt(frame, at >> 3)
  const run = (type: number) => {
    let count = 0
    for (let byte = at & 7; byte >= 0 && byteType(slot, byte) === type; byte--) count++
    return count
  }
  if (run(ZEROED) >= keySize) return 0
  if (!hasSpill(slot) || slot.reg.type !== 'scalar' || run(SPILL) !== keySize) return undefined
  const { bits } = slot.reg.num
  if (bits.mh !== 0 || bits.ml !== 0) return undefined
  markSlotsPrecise(env, frame.number, at >> 3)
  return approx(bits.vh, bits.vl)
}
