// The Internet checksum's arithmetic (RFC 1071) as the kernel does it: 32-bit sums with end-around carry.
// Sums are unsigned numbers below 2^32; words are summed as they lie in memory, low byte first.

export function addSum(a: number, b: number): number {
  const sum = a + b
  return sum >= 4294967296 ? sum - 4294967295 : sum
}

/** The sum of some bytes, an odd last one padded with 0, on top of `seed`. */
export function sumBytes(bytes: Uint8Array, at: number, length: number, seed: number): number {
  let sum = seed
  const even = at + (length & ~1)
  for (let i = at; i < even; i += 2) sum += bytes[i]! | (bytes[i + 1]! << 8)
  if (length & 1) sum += bytes[even]!
  // At most 2^32 + 2^48: folded once or twice.
  while (sum >= 4294967296) sum = (sum % 4294967296) + Math.floor(sum / 4294967296)
  return sum
}

/** A 32-bit sum as 16 bits. */
export function fold16(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16)
  folded = (folded & 0xffff) + (folded >>> 16)
  return folded
}

/** The checksum field after 32 bits under it changed. */
export function replace4(field: number, from: number, to: number): number {
  const without = addSum((~field & 0xffff) + 0xffff0000, ~from >>> 0)
  return ~fold16(addSum(without, to)) & 0xffff
}

/** The checksum field after 16 bits under it changed. */
export function replace2(field: number, from: number, to: number): number {
  const add = (a: number, b: number): number => {
    const sum = a + b
    return (sum & 0xffff) + (sum >>> 16)
  }
  return ~add(add(~field & 0xffff, ~from & 0xffff), to) & 0xffff
}

/** The checksum field after something under it changed by a difference of sums. */
export function replaceByDiff(field: number, diff: number): number {
  return ~fold16(addSum(diff, (~field & 0xffff) + 0xffff0000)) & 0xffff
}
