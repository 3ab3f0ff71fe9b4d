// The match string: bytes that are looked for anywhere in a packet (iptables-extensions(8), net/netfilter/xt_string.c of Linux 6.18).

import type { Diagnostics, Span } from '@netsieve/diag'
import { FALSE, LAST_CONTAINED, MOST_CONTAINED } from '@netsieve/ir'
import { readNumber, type Word } from '../shared/index.ts'
import type { Match } from './ast.ts'
import type { Option } from './matches.ts'

/** A match of string, from all its options. Undefined after an error. */
export function readString(options: readonly Option[], span: Span, diagnostics: Diagnostics): Match | undefined {
  const given = (name: string) => options.find((each) => each.name === name)
  const wrong = (message: string, at: Span = span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/match', message, at, { ...(expected && { expected }) })
    return undefined
  }
  const algorithm = given('algo')?.values[0]
  if (!algorithm || !['bm', 'kmp'].includes(algorithm.text))
    return wrong('string needs --algo', algorithm?.span, ['--algo bm', '--algo kmp'])
  const [plain, coded] = [given('string'), given('hex-string')]
  const option = plain ?? coded
  if (!option) return wrong('string needs what is looked for', span, ['--string', '--hex-string'])
  if (plain && coded) return wrong('--string does not go with --hex-string', coded.span)
  const word = option.values[0]!
  const bytes = plain ? utf8(word.text) : readBytes(word, wrong)
  const place = (name: string, otherwise: number) => {
    const number = given(name)?.values[0]
    return number ? readNumber(number, { max: 0xffff, octal: true }, diagnostics) : BigInt(otherwise)
  }
  const [from, to] = [place('from', 0), place('to', 0xffff)]
  if (!bytes || from === undefined || to === undefined) return undefined
  if (bytes.length === 0 || bytes.length > MOST_CONTAINED)
    return wrong(`1 to ${MOST_CONTAINED} bytes are looked for`, word.span)
  if (from > to) return wrong('--from is behind --to', given('from')!.span)
  // Packets that are longer come to no program.
  const [first, last] = [Number(from), Math.min(Number(to), LAST_CONTAINED)]
  const found = { kind: 'contains', from: first, to: last, bytes: hexOf(bytes), nocase: given('icase') !== undefined } as const // biome-ignore format: one value
  const pred = first > last ? FALSE : found
  return { kind: 'header', module: 'string', tests: [{ kind: 'pred', pred, negated: option.negated }], span }
}

/**
 * `GET |0d 0a|`: bytes in hexadecimal between bars, letters outside of them; a backslash makes the next one a letter. As iptables 1.8.9 reads it, what
 * follows a closing bar is always a letter (`|41||42|` is `A|42`), and two digits have something behind them.
 */
function readBytes(word: Word, wrong: (message: string, at: Span) => undefined): number[] | undefined {
  const letters = Array.from(word.text)
  const out: number[] = []
  let coded = false
  for (let i = 0; i < letters.length; ) {
    if (letters[i] === '|') {
      coded = !coded
      i++
      while (coded && letters[i] === ' ') i++
      if (i === letters.length) break
    } else if (letters[i] === '\\' && !coded && ++i === letters.length)
      return wrong('nothing is behind the backslash at the end', word.span)
    if (!coded) {
      out.push(...utf8(letters[i++]!))
      continue
    }
    const digits = letters.slice(i, i + 2).join('')
    if (!/^[0-9a-f]{2}$/i.test(digits) || i + 2 === letters.length)
      return wrong(`\`${letters.slice(i).join('')}\` does not go on with a byte in hexadecimal, two digits each, and a bar at the end`, word.span) // biome-ignore format: one message
    out.push(Number.parseInt(digits, 16))
    i += letters[i + 2] === ' ' ? 3 : 2
  }
  return out
}

/** The bytes of a text; of half a surrogate pair, those of the character that stands for what is none. */
function utf8(text: string): number[] {
  const parts = encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd')).matchAll(/%(..)|(.)/g)
  return [...parts].map(([, coded, plain]) => (coded === undefined ? plain!.charCodeAt(0) : Number.parseInt(coded, 16)))
}

const hexOf = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')
