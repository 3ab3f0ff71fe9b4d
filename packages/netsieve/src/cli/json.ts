// JSON that may be longer than a string can be (512 MiB in V8), in pieces. What holds no list of objects is written on one line: an instruction,
// a step of a rule. Indented throughout, a program would be twice as long, most of it spaces.

/** Lines that are one piece. */
const BATCH = 1000

/** @param value what JSON has: no toJSON, no Map or the like */
export function* jsonPieces(value: unknown, pad = ''): Generator<string> {
  if (isLine(value)) return yield line(value)
  const list = Array.isArray(value)
  const inner = `${pad}  `
  let piece = `${list ? '[' : '{'}\n`
  let lines = 0
  let first = true
  for (const [name, part] of Object.entries(value as object) as [string, unknown][]) {
    if (part === undefined && !list) continue
    piece += `${first ? '' : ',\n'}${inner}${list ? '' : `${JSON.stringify(name)}: `}`
    first = false
    if (isLine(part)) {
      piece += line(part)
      if (++lines % BATCH > 0) continue
    }
    yield piece
    piece = ''
    if (!isLine(part)) yield* jsonPieces(part, inner)
  }
  yield `${piece}\n${pad}${list ? ']' : '}'}`
}

function isLine(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  const parts: readonly unknown[] = Object.values(value)
  return parts.every(Array.isArray(value) ? (part) => typeof part !== 'object' || part === null : isLine)
}

const line = (value: unknown) => JSON.stringify(value) ?? 'null'
