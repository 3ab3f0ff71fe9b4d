// Registers, slots and states as the kernel's log prints them.

import type { Num } from './domain/num.ts'
import { isKnown } from './domain/num.ts'
import { isUnknown } from './domain/tnum.ts'
import { toSigned, toUnsigned } from './domain/wide.ts'
import { isPacketPointer, type Reg, typeName } from './reg.ts'
import { byteType, type Frame, isDynptr, type Slot, SPILL, type State, slotLetters } from './state.ts'

/** Signed numbers outside 16 bits print as hexadecimal. */
function signedText(h: number, l: number): string {
  if ((h === 0 && l >= 0 && l <= 0x7fff) || (h === -1 && l < 0 && l >= -0x8000)) return String(l)
  return `0x${toUnsigned(h, l).toString(16)}`
}

function unsignedText(h: number, l: number): string {
  return h === 0 && l >>> 0 <= 0xffff ? String(l >>> 0) : `0x${toUnsigned(h, l).toString(16)}`
}

export function hex64(h: number, l: number): string {
  return `0x${toUnsigned(h, l).toString(16)}`
}

/** `(value; mask)` of the known bits; a constant by itself. */
export function bitsText(n: Readonly<Num>): string {
  if (isKnown(n)) return n.bits.vh === 0 && n.bits.vl === 0 ? '0' : hex64(n.bits.vh, n.bits.vl)
  return `(${hex64(n.bits.vh, n.bits.vl)}; ${hex64(n.bits.mh, n.bits.ml)})`
}

/** The ranges that are not the widest, equal ones named together. */
function rangeParts(n: Readonly<Num>): string[] {
  const s32 = (name: string, value: number, widest: number): [string, number, number, boolean] => {
    const small = value >= -0x8000 && value <= 0x7fff
    return [name, small ? value >> 31 : 0, value, value === widest]
  }
  const rows: [string, number, number, boolean][] = [
    ['smin', n.sminH, n.sminL, n.sminH === -0x80000000 && n.sminL === 0],
    ['smax', n.smaxH, n.smaxL, n.smaxH === 0x7fffffff && n.smaxL === -1],
    ['umin', n.uminH, n.uminL, n.uminH === 0 && n.uminL === 0],
    ['umax', n.umaxH, n.umaxL, n.umaxH === -1 && n.umaxL === -1],
    s32('smin32', n.s32min, -0x80000000),
    s32('smax32', n.s32max, 0x7fffffff),
    ['umin32', 0, n.u32min, n.u32min === 0],
    ['umax32', 0, n.u32max, n.u32max === -1],
  ]
  const parts: string[] = []
  const named = new Set<number>()
  rows.forEach(([name, h, l, widest], i) => {
    if (widest || named.has(i)) return
    let names = name
    rows.forEach(([other, oh, ol, oWidest], j) => {
      // A negative number and a huge one have the same bits, not the same value.
      const signs = name.startsWith('s') !== other.startsWith('s') && h < 0
      // Ends of one side only.
      const sides = name.includes('min') !== other.includes('min')
      if (j <= i || oWidest || named.has(j) || oh !== h || ol !== l || signs || sides) return
      names += `=${other}`
      named.add(j)
    })
    parts.push(`${names}=${name.startsWith('s') ? signedText(h, l) : unsignedText(h, l)}`)
  })
  return parts
}

/** A pointer register with a range past the packet's end prints it as an unsigned 64-bit number would be. */
function rangeText(range: number): string {
  return range < 0 ? `0x${(0x100000000 + range).toString(16)}`.replace('0x', '0xffffffff') : unsignedText(0, range)
}

/** One register's content; `frame` is the frame that is printed. */
function regText(reg: Reg, frame: number, allPrecise: boolean): string {
  const { num } = reg
  const precise = reg.type === 'scalar' && (reg.precise || allPrecise) ? 'P' : ''
  if (reg.type === 'scalar' && isKnown(num)) {
    return precise + signedText(num.bits.vh, num.bits.vl)
  }
  let text = precise + typeName(reg)
  if (reg.type === 'fp') {
    if (reg.frame !== frame) text += `[${reg.frame}]`
    if (isKnown(num)) return text + signedText((num.bits.vl + reg.off) >> 31, (num.bits.vl + reg.off) | 0)
  }
  const parts: string[] = []
  if (reg.id) parts.push(`id=${reg.id}${reg.delta ? (reg.off < 0 ? reg.off : `+${reg.off}`) : ''}`)
  if (reg.refId) parts.push(`ref_obj_id=${reg.refId}`)
  if (reg.map) {
    if (reg.map.name) parts.push(`map=${reg.map.name}`)
    parts.push(`ks=${unsignedText(0, reg.map.keySize)}`, `vs=${unsignedText(0, reg.map.valueSize)}`)
  }
  if (reg.type !== 'scalar' && reg.off) parts.push(`off=${signedText(reg.off >> 31, reg.off)}`)
  if (isPacketPointer(reg)) parts.push(`r=${rangeText(reg.range)}`)
  if (reg.type === 'mem' || reg.type === 'ringbuf_mem') parts.push(`sz=${unsignedText(0, reg.memSize)}`)
  if (isKnown(num)) {
    if (num.bits.vl || num.bits.vh) parts.push(`imm=${signedText(num.bits.vh, num.bits.vl)}`)
  } else {
    parts.push(...rangeParts(num))
    if (!isUnknown(num.bits)) parts.push(`var_off=${bitsText(num)}`)
  }
  return `${text}(${parts.join(',')})`
}

function slotText(slot: Slot, spi: number, frame: number, allPrecise: boolean): string {
  const name = ` fp${-8 * (spi + 1)}=`
  if (isDynptr(slot)) return `${name}dynptr_skb(id=${slot.reg.id},dynptr_id=${slot.reg.id})`
  const letters = slotLetters(slot)
  if (byteType(slot, 7) !== SPILL) return name + letters
  return name + letters.slice(0, letters.indexOf('r')) + regText(slot.reg, frame, allPrecise)
}

/** What to print of a frame: everything, or the registers and slots named by bits. */
export interface Shown {
  readonly regs: number
  readonly slots: ReadonlySet<number> | undefined
}

/** A frame's registers and slots, each with a blank before it. */
export function frameText(state: State, frame: Frame, shown: Shown | undefined): string {
  let text = frame.number ? ` frame${frame.number}:` : ''
  frame.regs.forEach((reg, i) => {
    if (reg.type === 'uninit' || (shown && !(shown.regs & (1 << i)))) return
    text += ` R${i}=${regText(reg, frame.number, state.allPrecise)}`
  })
  frame.stack.forEach((slot, spi) => {
    // Of a dynamic pointer's two slots the lower stands for both.
    if (slot.types === 0 || (isDynptr(slot) && slot.reg.type !== 'dynptr') || (shown && !shown.slots?.has(spi))) return
    text += slotText(slot, spi, frame.number, state.allPrecise)
  })
  // A lock is taken last: nothing can be acquired while it is held.
  const ids = [...state.held, ...(state.lock ? [state.lock] : [])].map(({ id }) => id)
  if (ids.length > 0) text += ` refs=${ids.join(',')}`
  if (frame.callback) text += ' cb'
  return text
}

/** A signed 64-bit number in decimal. */
export function decimal(h: number, l: number): string {
  return toSigned(h, l).toString()
}
