// Bytes that arrive in chunks and are read in runs. A run inside one chunk is a view of it; only a run that crosses from one chunk
// into the next is copied. Holds no more than what was pushed and not yet taken.

const EMPTY = new Uint8Array(0)

export class ByteQueue {
  /** The chunk being read, and where reading goes on in it. */
  bytes: Uint8Array = EMPTY
  at = 0
  /** Bytes taken since the beginning: the file offset of `bytes[at]`. */
  offset = 0
  private waiting: Uint8Array[] = []
  private first = 0
  private waitingBytes = 0

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.waiting.push(chunk)
    this.waitingBytes += chunk.length
  }

  /** Bytes that can be taken now. */
  get available(): number {
    return this.bytes.length - this.at + this.waitingBytes
  }

  /** Whether `count` bytes are there; if so, they are `bytes[at] … bytes[at + count - 1]` afterwards. */
  has(count: number): boolean {
    if (this.bytes.length - this.at >= count) return true
    if (this.available < count) return false
    this.join(count)
    return true
  }

  /** Takes `count` bytes, which `has` must have promised. */
  skip(count: number): void {
    this.at += count
    this.offset += count
  }

  /** Takes `count` bytes as a view. */
  take(count: number): Uint8Array {
    const view = this.bytes.subarray(this.at, this.at + count)
    this.skip(count)
    return view
  }

  private join(count: number): void {
    let filled = this.bytes.length - this.at
    // Nothing left over: read the next chunk itself if it holds enough.
    if (filled === 0 && this.waiting[this.first]!.length >= count) {
      this.bytes = this.shift()
      this.at = 0
      return
    }
    const joined = new Uint8Array(count)
    joined.set(this.bytes.subarray(this.at))
    while (filled < count) {
      const chunk = this.waiting[this.first]!
      const part = Math.min(chunk.length, count - filled)
      joined.set(chunk.subarray(0, part), filled)
      filled += part
      if (part === chunk.length) this.shift()
      else {
        this.waiting[this.first] = chunk.subarray(part)
        this.waitingBytes -= part
      }
    }
    this.bytes = joined
    this.at = 0
  }

  private shift(): Uint8Array {
    const chunk = this.waiting[this.first++]!
    this.waitingBytes -= chunk.length
    // Array.shift moves every element; one move when half of them are gone is enough.
    if (this.first * 2 >= this.waiting.length) {
      this.waiting = this.waiting.slice(this.first)
      this.first = 0
    }
    return chunk
  }
}

/** Unsigned 16 bits at `at`, which must lie inside. */
export function u16(bytes: Uint8Array, at: number, little: boolean): number {
  return little ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!
}

/** Unsigned 32 bits at `at`, which must lie inside. */
export function u32(bytes: Uint8Array, at: number, little: boolean): number {
  return little
    ? (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
    : ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** Many byte arrays as one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
