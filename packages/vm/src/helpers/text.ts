// Text as trace_printk and snprintf make it: a small printf on 64-bit values and what they point to; and numbers read from text.

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

/** What a pointer among the values leads to. */
export interface Pointed {
  /** Bytes up to the first 0, as characters; none where nothing can be read. */
  readonly text: (pointer: Word) => string
  /** So many bytes; undefined where they cannot be read. */
  readonly bytes: (pointer: Word, length: number) => Uint8Array | undefined
}

export interface Formatted {
  /** The first characters, as many as were asked for. */
  readonly text: string
  /** How many there were to be. */
  readonly length: number
}

interface Field {
  readonly width: number
  readonly side: 'left' | 'right' | 'zeros'
}

/** A field is at most so wide (FIELD_WIDTH_MAX), whatever is asked for. */
const WIDEST = 0x7fffff
/** Of a pointer's letters those that say nothing are passed over. */
const CONVERSION =
  /%(?:(%)|([0 +-]*)([1-9]\d*)?(?:(p(?:ks|us|[iI][46]|[KxsSB]|(?![A-Za-z0-9])))[A-Za-z0-9]*|(l{0,2}[a-oq-zA-Z])))/y
/** Whether a character is printable in Latin-1, or white space. */
function isText(char: string): boolean {
  return /[\t-\r -~]/.test(char) || char > '\x9f'
}

/**
 * Text from a template and values, as the kernel's bpf_trace_printk and bpf_snprintf make it: %d %i %u %x %X with l and ll, %c, %s, %p with
 * K, x, s, S, B, ks, I4, i4, I6, i6, each with a width and the flags 0, -, + and space. Plain pointers show as they are, where the kernel hides them.
 * Undefined for anything else, or too few values. At most `limit` characters are made.
 */
export function format(
  template: string,
  values: readonly Word[],
  pointed: Pointed,
  limit: number,
): Formatted | undefined {
  if (!Array.from(template).every(isText)) return undefined
  let next = 0
  let text = ''
  let length = 0
  const add = (piece: string, fill = 0, side: Field['side'] = 'right'): void => {
    length += piece.length + fill
    if (text.length >= limit) return
    // More than can be seen is only counted.
    const pad = (side === 'zeros' ? '0' : ' ').repeat(Math.min(fill, limit))
    const sign = side === 'zeros' && /^[-+ ]/.test(piece) ? 1 : 0
    text += side === 'right' ? piece + pad : piece.slice(0, sign) + pad + piece.slice(sign)
    text = text.slice(0, limit)
  }
  for (let at = 0; at < template.length; ) {
    const sign = template.indexOf('%', at)
    const end = sign < 0 ? template.length : sign
    add(template.slice(at, end))
    if (sign < 0) break
    CONVERSION.lastIndex = sign
    const found = CONVERSION.exec(template)
    if (!found) return undefined
    at = CONVERSION.lastIndex
    if (found[1]) {
      add('%')
      continue
    }
    const value = values[next++]
    const [flags, kind] = [found[2]!, found[4] ?? found[5]!]
    const shown = value && show(value, flags, kind, pointed)
    if (shown === undefined) return undefined
    const { width, side } = fieldOf(flags, kind, found[3])
    add(shown, Math.max(width - shown.length, 0), side)
  }
  return { text, length }
}

/** How wide the field of a value is, and on which side of it or where within it is filled up. */
function fieldOf(flags: string, kind: string, digits: string | undefined): Field {
  // Addresses take no width, and pointers without one are as long as they can be.
  if (/^p[iI]/.test(kind)) return { width: 0, side: 'right' }
  const pointer = /^p[Kx]?$/.test(kind)
  if (pointer && digits === undefined) return { width: 16, side: 'zeros' }
  const zeros = flags.includes('0') && (pointer || /[diuxX]$/.test(kind))
  const side = flags.includes('-') ? 'right' : zeros ? 'zeros' : 'left'
  return { width: Math.min(Number(digits ?? 0), WIDEST), side }
}

/** A value as `kind` (`d`, `lx`, `pI4` …) says, without the width. */
function show(value: Word, flags: string, kind: string, pointed: Pointed): string | undefined {
  if (kind === 'c') return String.fromCharCode(value.lo & 0xff)
  if (kind === 's' || kind === 'pks') return pointed.text(value)
  if (kind === 'pus') return ''
  if (kind.startsWith('p')) return pointer(value, kind, pointed)
  const bits = kind.startsWith('l') ? 64 : 32
  const unsigned = BigInt.asUintN(bits, unsigned64(value))
  switch (kind.at(-1)) {
    case 'u':
      return unsigned.toString()
    case 'x':
      return unsigned.toString(16)
    case 'X':
      return unsigned.toString(16).toUpperCase()
    case 'd':
    case 'i': {
      const plus = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
      const signed = BigInt.asIntN(bits, unsigned)
      return `${signed < 0n ? '' : plus}${signed}`
    }
    default:
      return undefined
  }
}

function unsigned64({ lo, hi }: Word): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
}

function pointer(value: Word, kind: string, pointed: Pointed): string | undefined {
  const [, how, size] = /^p(.?)(.?)/.exec(kind)!
  switch (how) {
    case '':
    case 'K':
    case 'x':
      return unsigned64(value).toString(16)
    case 's':
    case 'S':
    case 'B':
      return `0x${unsigned64(value).toString(16)}`
    case 'i':
    case 'I': {
      const length = size === '4' ? 4 : 16
      return address(pointed.bytes(value, length) ?? new Uint8Array(length), how === 'I')
    }
    default:
      return undefined
  }
}

/** An address with its separators, or without: then numbers of IPv4 have leading zeros. */
function address(bytes: Uint8Array, separators: boolean): string {
  if (bytes.length === 4) return Array.from(bytes, (n) => String(n).padStart(separators ? 1 : 3, '0')).join('.')
  const hex = Array.from(bytes, (n) => n.toString(16).padStart(2, '0')).join('')
  return separators ? hex.replace(/....(?!$)/g, '$&:') : hex
}

const ERRNO_EINVAL = -22
const ERRNO_ERANGE = -34
const MOST_DIGITS = 63

/** A number at the start of some bytes, as strtol and strtoul of the kernel read it: value and bytes taken, or an errno. */
export function parseNumber(text: string, flags: number, signed: boolean): { value: bigint; length: number } | number {
  let base = flags & 0x1f
  if (flags >>> 5 !== 0 || ![0, 8, 10, 16].includes(base)) return ERRNO_EINVAL
  let at = /^[\s]*/.exec(text)![0].length
  const negative = text[at] === '-'
  if (negative) at++
  // No more than this is looked at.
  const end = Math.min(text.length, at + MOST_DIGITS)
  const prefix = /^0x[0-9a-f]/i.test(text.slice(at, end))
  if (base === 0) base = prefix ? 16 : text[at] === '0' ? 8 : 10
  if (base === 16 && /^0x/i.test(text.slice(at, end))) at += 2
  let value = 0n
  const first = at
  for (; at < end; at++) {
    const digit = Number.parseInt(text[at]!, 16)
    if (!(digit < base)) break
    value = value * BigInt(base) + BigInt(digit)
  }
  if (at === first) return ERRNO_EINVAL
  if (value >= 1n << 64n) return ERRNO_ERANGE
  if (!signed) return negative ? ERRNO_EINVAL : { value, length: at }
  if (value > (1n << 63n) - (negative ? 0n : 1n)) return ERRNO_ERANGE
  return { value: negative ? -value : value, length: at }
}
