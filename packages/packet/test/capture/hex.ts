// Bytes for tests, written as hex with blanks and line ends anywhere; `#` starts a comment.

export function hex(text: string): Uint8Array {
  const digits = text.replace(/#.*$/gm, '').replace(/\s/g, '')
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) throw new Error(`not hex: ${digits}`)
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
