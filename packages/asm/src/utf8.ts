// Text as UTF-8 bytes and back, without the platform's encoder: this package runs anywhere.

/** The UTF-8 bytes of a text; a lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array {
  const bytes: number[] = []
  for (const character of text) {
    const point = character.codePointAt(0)!
    const c = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point
    if (c < 0x80) bytes.push(c)
    else if (c < 0x800) bytes.push(0xc0 | (c >> 6), tail(c))
    else if (c < 0x10000) bytes.push(0xe0 | (c >> 12), tail(c >> 6), tail(c))
    else bytes.push(0xf0 | (c >> 18), tail(c >> 12), tail(c >> 6), tail(c))
  }
  return Uint8Array.from(bytes)
}

const tail = (bits: number): number => 0x80 | (bits & 0x3f)

/** The text of bytes up to a limit of characters; bytes that are no UTF-8 are read one by one as Latin-1. */
export function fromUtf8(bytes: Uint8Array): string {
  let latin = ''
  for (const byte of bytes) latin += String.fromCharCode(byte)
  if (!/[\x80-\xff]/.test(latin)) return latin
  try {
    return decodeURIComponent(
      latin.replace(/[^A-Za-z0-9]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`),
    )
  } catch {
    return latin
  }
}
