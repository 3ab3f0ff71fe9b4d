// Where a record begins near some place of a classic pcap file, guessed: a thread that starts in the middle of a file cannot know. Headers
// that follow each other as in a real capture are almost never anything else; whoever is before tells for certain later.

export interface RecordShape {
  readonly little: boolean
  readonly nanoseconds: boolean
  /** Seconds of the file's first record. */
  readonly second: number
}

const HEADER = 16
const LONGEST = 262_144
const CHAIN = 32
const YEAR = 366 * 24 * 3600

/**
 * The start of the first record that ends behind `place`, guessed from what is before and behind it. Undefined if nothing in `bytes` looks
 * like records.
 */
export function guessBoundary(bytes: Uint8Array, place: number, shape: RecordShape): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let from = 0; from <= place; from++) {
    if (!isChain(view, from, shape)) continue
    let at = from
    for (;;) {
      const end = endOf(view, at, shape)
      if (end === undefined || end > place) return at
      at = end
    }
  }
  return undefined
}

function isChain(view: DataView, from: number, shape: RecordShape): boolean {
  let at: number | undefined = from
  for (let i = 0; i < CHAIN; i++) {
    if (at + HEADER > view.byteLength) return i > 0
    at = endOf(view, at, shape)
    if (at === undefined) return false
  }
  return true
}

/** Where a record ends, if there is a header that a record could have. */
function endOf(view: DataView, at: number, { little, nanoseconds, second }: RecordShape): number | undefined {
  if (at + HEADER > view.byteLength) return undefined
  const captured = view.getUint32(at + 8, little)
  const length = view.getUint32(at + 12, little)
  if (captured > LONGEST || captured > length || length > LONGEST * 4) return undefined
  if (view.getUint32(at + 4, little) >= (nanoseconds ? 1e9 : 1e6)) return undefined
  return Math.abs(view.getUint32(at, little) - second) <= YEAR ? at + HEADER + captured : undefined
}
