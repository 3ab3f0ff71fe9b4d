// The text of a packet as layers: `eth / ipv4(src=10.0.0.1) / tcp(dport=80, flags=S) / "payload"`. Knows no protocol.
//
//   packet  = layer { "/" layer }
//   layer   = name [ "(" [ setting { "," setting } ] ")" ] | string | "0x" hex digits | "zeros(" number ")"
//   setting = name "=" value            a value goes on to the next comma or closing parenthesis

import { at, type Diagnostics, type Source, type Span, spanText } from '@netsieve/diag'

export interface Setting {
  readonly name: Span
  readonly value: Span
}

export type Layer =
  | { readonly kind: 'header'; readonly name: Span; readonly settings: readonly Setting[] }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly span: Span }

/** The most zeros in a layer: no packet is longer. */
const MAX_ZEROS = 65_535

/** The layers, up to the first fault. */
export function parseLayers(source: Source, diagnostics: Diagnostics): readonly Layer[] {
  const cursor = new Cursor(source)
  const layers: Layer[] = []
  do {
    const layer = parseLayer(cursor, diagnostics)
    if (!layer) return layers
    layers.push(layer)
    cursor.skip(/\s*/y)
  } while (cursor.skip(/\//y))
  if (!cursor.ended) expected(cursor, diagnostics, '/', 'the end')
  return layers
}

function parseLayer(cursor: Cursor, diagnostics: Diagnostics): Layer | undefined {
  cursor.skip(/\s*/y)
  const text = cursor.skip(/"(?:[^"\\]|\\[\s\S])*"/y)
  if (text) return textLayer(text, diagnostics)
  const number = cursor.skip(/0x[0-9a-f]*/iy)
  if (number) return hexLayer(number, diagnostics)
  const name = cursor.skip(/[a-z_][\w-]*/iy)
  if (!name) return expected(cursor, diagnostics, 'a header', '"text"', '0x…')
  if (spanText(name) === 'zeros') return zerosLayer(cursor, diagnostics)
  const settings = parseSettings(cursor, diagnostics)
  return settings && { kind: 'header', name, settings }
}

function parseSettings(cursor: Cursor, diagnostics: Diagnostics): Setting[] | undefined {
  const settings: Setting[] = []
  if (!cursor.skip(/\s*\(\s*/y) || cursor.skip(/\)/y)) return settings
  do {
    const name = cursor.skip(/\s*/y) && cursor.skip(/[a-z_][\w-]*/iy)
    if (!name) return expected(cursor, diagnostics, 'a field')
    if (!cursor.skip(/\s*=\s*/y)) return expected(cursor, diagnostics, '=')
    const value = cursor.skip(/[^,()\s]+/y)
    if (!value) return expected(cursor, diagnostics, 'a value')
    settings.push({ name, value })
  } while (cursor.skip(/\s*,/y))
  return cursor.skip(/\s*\)/y) ? settings : expected(cursor, diagnostics, ',', ')')
}

function textLayer(span: Span, diagnostics: Diagnostics): Layer | undefined {
  const out: number[] = []
  const body = spanText(span).slice(1, -1)
  for (const match of body.matchAll(/\\(x[0-9a-f]{2}|[\s\S])|[^\\]+/gi)) {
    const [whole, escaped] = match
    const byte = escaped?.length === 3 ? Number.parseInt(escaped.slice(1), 16) : ESCAPES[escaped ?? '']
    if (escaped === undefined) out.push(...utf8(whole))
    else if (byte !== undefined) out.push(byte)
    else {
      const from = span.start + 1 + match.index
      const place = at(span.source, from, from + whole.length)
      diagnostics.error('build/string', `${whole} means nothing in a string`, place, { expected: KNOWN_ESCAPES })
      return undefined
    }
  }
  return { kind: 'bytes', bytes: Uint8Array.from(out), span }
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, '0': 0, '"': 34, '\\': 92 }
const KNOWN_ESCAPES = ['\\n', '\\r', '\\t', '\\0', '\\"', '\\\\', '\\xHH']

function hexLayer(span: Span, diagnostics: Diagnostics): Layer | undefined {
  const bytes = hexBytes(spanText(span))
  if (bytes) return { kind: 'bytes', bytes, span }
  diagnostics.error('build/bytes', 'an odd number of hex digits makes no bytes', span)
  return undefined
}

/** `0x` and pairs of hex digits as bytes, undefined for anything else. */
export function hexBytes(text: string): Uint8Array | undefined {
  if (!/^0x([0-9a-f]{2})*$/i.test(text)) return undefined
  return Uint8Array.from(text.slice(2).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

function zerosLayer(cursor: Cursor, diagnostics: Diagnostics): Layer | undefined {
  if (!cursor.skip(/\s*\(\s*/y)) return expected(cursor, diagnostics, '(')
  const span = cursor.skip(/\d+/y)
  if (!span) return expected(cursor, diagnostics, 'a number')
  if (!cursor.skip(/\s*\)/y)) return expected(cursor, diagnostics, ')')
  const count = Number(spanText(span))
  if (count <= MAX_ZEROS) return { kind: 'bytes', bytes: new Uint8Array(count), span }
  diagnostics.error('build/value', `${count} zeros are more than a packet holds, at most ${MAX_ZEROS}`, span)
  return undefined
}

function expected(cursor: Cursor, diagnostics: Diagnostics, ...what: string[]): undefined {
  const found = cursor.ended ? 'the end of the packet' : `"${cursor.rest(12)}"`
  diagnostics.error('build/syntax', `${found} does not belong here`, cursor.place(), { expected: what })
}

/** A place in the text; `skip` moves over what matches there. */
class Cursor {
  private readonly source: Source
  private offset = 0

  constructor(source: Source) {
    this.source = source
  }

  get ended(): boolean {
    return this.offset >= this.source.text.length
  }

  /** The span of what a sticky expression matches here, undefined if it does not match. */
  skip(expression: RegExp): Span | undefined {
    expression.lastIndex = this.offset
    const match = expression.exec(this.source.text)
    if (!match) return undefined
    const span = at(this.source, this.offset, this.offset + match[0].length)
    this.offset = span.end
    return span
  }

  place(): Span {
    return at(this.source, this.offset)
  }

  rest(most: number): string {
    return this.source.text.slice(this.offset, this.offset + most)
  }
}

function utf8(text: string): number[] {
  const bytes: number[] = []
  for (const character of text) {
    const c = character.codePointAt(0)!
    if (c < 0x80) bytes.push(c)
    else if (c < 0x800) bytes.push(0xc0 | (c >> 6), 0x80 | (c & 63))
    else if (c < 0x10000) bytes.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63))
    else bytes.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63))
  }
  return bytes
}
