// JSON that may be longer than a string can be (512 MiB in V8): the text of JSON.stringify(value, undefined, 2), in pieces.

/** Elements of an array that are one piece. */
const BATCH = 1000
/** Objects and arrays inside of one another that are taken apart: those below are a piece each. */
const DEEP = 6

/** @param value what JSON has: no toJSON, and at the outermost levels no Map or the like */
export function* jsonPieces(value: unknown, pad = '', deep = DEEP): Generator<string> {
  const parts = deep > 0 && typeof value === 'object' && value !== null ? partsOf(value) : []
  if (parts.length === 0) return yield indented(value, pad)
  const inner = `${pad}  `
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  yield `${open}\n`
  for (const [i, { name, part, many }] of parts.entries()) {
    yield `${i > 0 ? ',\n' : ''}${inner}${name === undefined ? '' : `${JSON.stringify(name)}: `}`
    // The elements of a batch stand where it would stand itself, without its brackets.
    if (many) yield indented(part, pad).slice(inner.length + 2, -pad.length - 2)
    else yield* jsonPieces(part, inner, deep - 1)
  }
  yield `\n${pad}${close}`
}

interface Part {
  readonly name?: string
  readonly part: unknown
  /** Several elements of an array, as an array. */
  readonly many?: true
}

function partsOf(value: object): Part[] {
  if (!Array.isArray(value))
    return Object.entries(value).flatMap(([name, part]) => (part === undefined ? [] : [{ name, part }]))
  if (value.length <= BATCH) return value.map((part: unknown) => ({ part }))
  const out: Part[] = []
  for (let i = 0; i < value.length; i += BATCH) out.push({ part: value.slice(i, i + BATCH), many: true })
  return out
}

const indented = (value: unknown, pad: string) =>
  (JSON.stringify(value, undefined, 2) ?? 'null').replaceAll('\n', `\n${pad}`)
