// IR as JSON. Numbers that may be wide are hex strings, spans are places a person can find: file, line, columns.

import { position, type Span } from '@netsieve/diag'
import type { Filter } from './types.ts'

/** A filter as plain JSON values. `text` of rules keeps the user's words; spans become `{file, line, column, endLine, endColumn}`. */
export function toJson(filter: Filter): unknown {
  return plain(filter)
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if (isSpan(value)) {
    const [from, to] = [position(value.source, value.start), position(value.source, value.end)]
    return { file: value.source.name, line: from.line, column: from.column, endLine: to.line, endColumn: to.column }
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
}

function isSpan(value: object): value is Span {
  return 'source' in value && 'start' in value && 'end' in value
}
