// What the kernel holds for options of IPv4 before nft looks for one of them (__ip_options_compile, without a packet's route): an option that
// breaks these rules hides them all. Of a type that may stand there once, the one.

const [END, NOP, RR, TIMESTAMP, LSRR, CIPSO, SSRR, RA] = [0, 1, 7, 68, 131, 134, 137, 148] as const

/** Places of the route and alert options of a header, from its start; undefined if the kernel takes its options for wrong. */
export function ipv4OptionsHold(header: Uint8Array): ReadonlyMap<number, number> | undefined {
  const found = new Map<number, number>()
  for (let at = 20; at < header.length; ) {
    const type = header[at]!
    if (type === END) break
    if (type === NOP) {
      at++
      continue
    }
    const length = header[at + 1] ?? 0
    if (length < 2 || at + length > header.length || !holds(header.subarray(at, at + length), found)) return undefined
    const place = type === TIMESTAMP || type === RR || type === LSRR || type === SSRR
    if (place || (type === RA && header[at + 2] === 0 && header[at + 3] === 0)) found.set(type, at)
    at += length
  }
  return found
}

/** One option, given those before it. */
function holds(option: Uint8Array, before: ReadonlyMap<number, number>): boolean {
  const [type = 0, length = 0, pointer = 0, flags = 0] = option
  switch (type) {
    case LSRR:
    case SSRR:
      return !before.has(LSRR) && !before.has(SSRR) && length >= 7 && pointer === 4 && ((length - 3) & 3) === 0
    case RR:
      return !before.has(RR) && length >= 3 && pointer >= 4 && (pointer > length || pointer + 3 <= length)
    case TIMESTAMP: {
      if (before.has(TIMESTAMP) || length < 4 || pointer < 5) return false
      const kind = flags & 0xf
      // Full: the overflow counter must have room for one more, but for prespecified addresses.
      if (pointer > length) return kind === 3 || flags >> 4 !== 15
      return pointer + (kind === 1 || kind === 3 ? 7 : 3) <= length
    }
    case RA:
      return length >= 4
    default:
      return type !== CIPSO
  }
}
