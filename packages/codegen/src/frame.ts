// The stack of a function, without the slots that it does not use: all frames of a chain of calls share 512 bytes.

import { type Insn, insn } from '@netsieve/asm'
import { R } from './emitter.ts'
import { SLOT } from './path.ts'

const UNIT = 8
/** Bytes of what is asked for by its address and not written before: what a helper writes, a dynamic pointer. */
const BY_ADDRESS: Readonly<Record<number, number>> = { [SLOT.bytes]: 40, [SLOT.dynptr]: 16 }

/**
 * Numbers that rules put aside for a moment. They are 0 at the start of a function: else ways that came by such a rule would look different from
 * those that did not, and a verifier would follow both.
 */
const isScratch = (unit: number): boolean => {
  const at = unit * UNIT
  return at === SLOT.index || (at <= SLOT.spill && at > SLOT.saved)
}

/** The same instructions with every slot of eight bytes that is used as near to the top of the frame as may be, in their order. */
export function compacted(insns: readonly Insn[]): { readonly insns: readonly Insn[]; readonly stack: number } {
  const used = new Set<number>()
  /** Instructions that name an offset, by their numbers. */
  const naming: number[] = []
  for (let i = 0; i < insns.length; i++) {
    const at = offsetIn(insns[i]!, insns[i - 1])
    if (at === undefined) continue
    naming.push(i)
    const units = insns[i]!.spec.kind === 'alu' ? (BY_ADDRESS[at] ?? UNIT) / UNIT : 1
    for (let k = 0; k < units; k++) used.add(Math.floor(at / UNIT) + k)
  }
  const sorted = [...used].sort((a, b) => b - a)
  const placeOf = new Map(sorted.map((unit, i) => [unit, -1 - i]))
  const out = insns.slice()
  for (const i of naming) {
    const one = insns[i]!
    const at = offsetIn(one, insns[i - 1])!
    const unit = Math.floor(at / UNIT)
    const to = placeOf.get(unit)! * UNIT + (at - unit * UNIT)
    out[i] = one.spec.kind === 'alu' ? { ...one, imm: to } : { ...one, off: to }
  }
  const zeroed = sorted
    .filter(isScratch)
    .map((unit) => insn('stdw', { dst: R.FP, off: placeOf.get(unit)! * UNIT, origin: insns[0]?.origin }))
  return { insns: [...zeroed, ...out], stack: sorted.length * UNIT }
}

/** The frame offset that an instruction names: of a load or store, or added to a copy of the frame pointer just before. */
function offsetIn({ spec, dst, src, off, imm }: Insn, before: Insn | undefined): number | undefined {
  switch (spec.kind) {
    case 'load':
      return src === R.FP ? off : undefined
    case 'store':
    case 'atomic':
      return dst === R.FP ? off : undefined
    case 'alu':
      return spec.name === 'add_imm' && before?.spec.name === 'mov_reg' && before.src === R.FP && before.dst === dst ? imm : undefined // biome-ignore format: one choice
    default:
      return undefined
  }
}
