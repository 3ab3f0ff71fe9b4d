// Which bucket of a table the bits of a word lead to: those under the mask, moved down to the lowest of them, modulo the number of buckets.
// Source: net/sched/cls_u32.c (u32_hash_fold) of Linux 6.18; buckets that tc and the kernel chose are recorded in test/rules/u32.

/** Bits below the lowest of a mask. */
export function lowestBit(mask: number): number {
  return mask === 0 ? 0 : 31 - Math.clz32(mask & -mask)
}

export function bucketOf(value: number, mask: number, divisor: number): number {
  return (((value & mask) >>> lowestBit(mask)) & (divisor - 1)) >>> 0
}
