// Text as trace_printk and snprintf make it: a small printf on 64-bit values.

export interface Word {
  readonly lo: number
  readonly hi: number
}

/** Bytes as text up to the first 0. */
export function readString(bytes: Uint8Array, at: number, length: number): string {
  let text = ''
  for (let i = at; i < at + length && bytes[i] !== 0; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

/** Conversions: %d %i %u %x %X %c %p %%, with l, ll, a width and 0. Undefined for what they are not, or too few values. */
export function format(template: string, values: readonly Word[]): string | undefined {
  let next = 0
  let bad = false
  const text = template.replace(
    /%(0?)(\d*)(l{0,2})([a-zA-Z%])/g,
    (_all, zero: string, width: string, longs: string, kind: string) => {
      if (kind === '%') return '%'
      const value = values[next++]
      if (!value) {
        bad = true
        return ''
      }
      const shown = show(value, longs !== '', kind)
      if (shown === undefined) bad = true
      return (shown ?? '').padStart(Number(width || 0), zero ? '0' : ' ')
    },
  )
  return bad ? undefined : text
}

function show(value: Word, long: boolean, kind: string): string | undefined {
  const unsigned =
    ((BigInt(value.hi >>> 0) << 32n) | BigInt(value.lo >>> 0)) & (long || kind === 'p' ? ~0n : 0xffffffffn)
  switch (kind) {
    case 'd':
    case 'i':
      return BigInt.asIntN(long ? 64 : 32, unsigned).toString()
    case 'u':
      return unsigned.toString()
    case 'x':
      return unsigned.toString(16)
    case 'X':
      return unsigned.toString(16).toUpperCase()
    case 'p':
      return unsigned.toString(16).padStart(16, '0')
    case 'c':
      return String.fromCharCode(value.lo & 0xff)
    default:
      return undefined
  }
}

const ERRNO_EINVAL = -22
const ERRNO_ERANGE = -34

/** A number at the start of some bytes, as strtol and strtoul of the kernel read it: value and bytes taken, or an errno. */
export function parseNumber(text: string, flags: number, signed: boolean): { value: bigint; length: number } | number {
  let base = flags & 0x1f
  if (flags >>> 5 !== 0 || ![0, 8, 10, 16].includes(base)) return ERRNO_EINVAL
  let at = /^[\s]*/.exec(text)![0].length
  const negative = text[at] === '-'
  if (negative) at++
  if (negative && !signed) return ERRNO_EINVAL
  const prefix = /^0x[0-9a-f]/i.test(text.slice(at))
  if (base === 0) base = prefix ? 16 : text[at] === '0' ? 8 : 10
  if (base === 16 && /^0x/i.test(text.slice(at))) at += 2
  let value = 0n
  const first = at
  for (; at < text.length; at++) {
    const digit = Number.parseInt(text[at]!, 16)
    if (!(digit < base)) break
    value = value * BigInt(base) + BigInt(digit)
  }
  if (at === first) return ERRNO_EINVAL
  const limit = !signed ? 1n << 64n : negative ? (1n << 63n) + 1n : 1n << 63n
  if (value >= limit) return ERRNO_ERANGE
  return { value: negative ? -value : value, length: at }
}
