// The one memory of a machine: context, stack, maps and packets, shared by interpreter and JIT, and the table of its regions.
//
//   pointer   63 .. 32 | 31 .. 0
//             region   | linear address        a number below 2^32 points nowhere (region 0)
//
// No region starts below 64 KiB, so that a 16-bit offset cannot carry an address from one region number into another.

import { type WasmMemory, wasm } from './wasm-api.ts'

const PAGE = 65536
/** Pages that a memory of WebAssembly can have. */
const MOST_PAGES = 65536

/** Linear addresses of what lies below the first region. */
export const AT = {
  /** Words that the JIT leaves on a fault or exit: see jit/abi. */
  status: 0x400,
  /** Index, counted through all programs, of the instruction that ended the function that returned last; of those that do not hand on what another returned. */
  returned: 0x440,
  /** Tail calls of the run so far. */
  tailCalls: 0x444,
  /** Frames above the first of the program that runs: more than 0 where a function's tail call led to it. */
  base: 0x448,
  /** Bytes that helpers have gone through in the run: see `Engine.spend`. */
  spent: 0x44c,
  /** 512 bytes for keys and values on their way between JavaScript and maps' own code. */
  scratch: 0x600,
  /** Rows of 8 words, one a region. */
  regions: 0x1000,
} as const

/** Region numbers. Map values, ring buffer records and the like follow from `first`. */
export const REGION = {
  ctx: 1,
  packet: 2,
  map: 3,
  func: 4,
  sock: 5,
  skb: 6,
  hookState: 7,
  stack: 16,
  first: 80,
  count: 1024,
} as const

/** Words of a region's row. The first four are zero where an access needs a closer look (context, maps with gaps). */
export const ROW = {
  words: 8,
  readFrom: 0,
  readTo: 1,
  writeFrom: 2,
  writeTo: 3,
  from: 4,
  to: 5,
  stride: 6,
  size: 7,
} as const

export interface RegionSpec {
  readonly name: string
  readonly from: number
  readonly to: number
  readonly write: boolean
  /** Elements of `size` bytes every `stride` bytes: an access must lie within one. */
  readonly stride?: number
  readonly size?: number
  /** Every access is looked at by name: the context. */
  readonly slow?: boolean
}

export class Memory {
  bytes: Uint8Array
  words: Int32Array
  view: DataView
  /** Changes whenever the three views above do. */
  version = 0
  /** The same memory as the JIT's modules import it; absent until `shareWithWasm`. */
  wasm: WasmMemory | undefined
  /** Pages that it may grow to, if modules import it as one that threads share. */
  maximum: number | undefined
  private top = PAGE
  private readonly limit: number
  private readonly names: string[] = []
  private nextRegion: number = REGION.first

  constructor(initialBytes: number, limitBytes: number) {
    this.limit = limitBytes
    const buffer = new ArrayBuffer(Math.ceil((PAGE + initialBytes) / PAGE) * PAGE)
    this.bytes = new Uint8Array(buffer)
    this.words = new Int32Array(buffer)
    this.view = new DataView(buffer)
  }

  private refresh(buffer: ArrayBuffer): void {
    this.bytes = new Uint8Array(buffer)
    this.words = new Int32Array(buffer)
    this.view = new DataView(buffer)
    this.version++
  }

  /** Zeroed bytes, never given back. @throws RangeError above the memory budget. */
  alloc(length: number, align = 8): number {
    const at = this.plan(length, align)
    this.reach(this.top)
    return at
  }

  /** The place of bytes that are there after the next `alloc` or `shareWithWasm`. @throws RangeError above the memory budget. */
  plan(length: number, align = 8): number {
    const at = Math.ceil(this.top / align) * align
    const top = at + length
    if (!(top <= this.limit)) throw new RangeError(`${top} bytes of memory are above the budget of ${this.limit}`)
    this.top = top
    return at
  }

  /** Whether so many bytes are left of the budget. */
  hasRoom(length: number): boolean {
    return this.top + length + PAGE <= this.limit
  }

  private reach(top: number): void {
    const have = this.bytes.length
    if (top <= have) return
    // Grown by half at least, so that many small maps do not copy the memory many times.
    const pages = Math.ceil(Math.min(Math.max(top, have * 1.5), Math.max(top, this.limit)) / PAGE)
    if (this.wasm) {
      this.wasm.grow(pages - have / PAGE)
      this.refresh(this.wasm.buffer)
    } else {
      const buffer = new ArrayBuffer(pages * PAGE)
      new Uint8Array(buffer).set(this.bytes)
      this.refresh(buffer)
    }
  }

  /**
   * For one of the few memories of a process, if WebAssembly does not have it yet: one that threads could share is not held against V8's heap,
   * which is otherwise looked through at the next occasion once it has much memory. Many of such memories would stay for long.
   */
  beShared(): void {
    if (this.wasm || typeof SharedArrayBuffer === 'undefined') return
    this.maximum = Math.min(Math.ceil(Math.max(this.limit, this.bytes.length) / PAGE), MOST_PAGES)
  }

  /**
   * Makes the memory one that WebAssembly modules can import, with all that is planned. Memory that grows later detaches its old views; once
   * that has happened, JavaScript engines look at each access of any view whether its own is.
   */
  shareWithWasm(): WasmMemory {
    if (this.wasm) {
      this.reach(this.top)
      return this.wasm
    }
    const wanted = Math.min(this.top + PAGE, this.limit)
    const initial = Math.max(this.bytes.length / PAGE, Math.ceil(wanted / PAGE))
    const { maximum } = this
    const memory = new wasm.Memory({ initial, ...(maximum !== undefined && { maximum, shared: true }) })
    new Uint8Array(memory.buffer).set(this.bytes.subarray(0, Math.min(this.top, this.bytes.length)))
    this.wasm = memory
    this.refresh(memory.buffer)
    return memory
  }

  /** Gives a number to a region; undefined if all are taken. */
  addRegion(spec: RegionSpec): number | undefined {
    if (this.nextRegion >= REGION.count) return undefined
    const number = this.nextRegion++
    this.setRegion(number, spec)
    return number
  }

  setRegion(number: number, spec: RegionSpec): void {
    this.names[number] = spec.name
    const row = (AT.regions >> 2) + number * ROW.words
    const fast = !spec.slow && spec.stride === undefined
    const words = this.words
    words[row] = fast ? spec.from : 0
    words[row + 1] = fast ? spec.to : 0
    words[row + 2] = fast && spec.write ? spec.from : 0
    words[row + 3] = fast && spec.write ? spec.to : 0
    words[row + 4] = spec.from
    words[row + 5] = spec.to
    words[row + 6] = spec.stride ?? 0
    words[row + 7] = spec.write ? (spec.size ?? 0) : -(spec.size ?? 0) - 1
  }

  clearRegion(number: number): void {
    const row = (AT.regions >> 2) + number * ROW.words
    this.words.fill(0, row, row + ROW.words)
  }

  regionName(number: number): string | undefined {
    return number > 0 && number < REGION.count ? this.names[number] : undefined
  }

  /** The region's bounds, if it has any now. */
  regionBounds(number: number): { from: number; to: number } | undefined {
    if (!(number > 0 && number < REGION.count)) return undefined
    const row = (AT.regions >> 2) + number * ROW.words
    const from = this.words[row + ROW.from]!
    const to = this.words[row + ROW.to]!
    return to > from ? { from, to } : undefined
  }

  /** A region's bounds, and its elements: `room` bytes every `stride` bytes; a stride of 0 is one element. */
  elements(number: number): { from: number; to: number; stride: number; room: number; writable: boolean } {
    const row = (AT.regions >> 2) + number * ROW.words
    const [from, to, stride] = [this.words[row + ROW.from]!, this.words[row + ROW.to]!, this.words[row + ROW.stride]!]
    const sized = this.words[row + ROW.size]!
    return { from, to, stride, room: sized < 0 ? -sized - 1 : sized, writable: sized >= 0 }
  }

  /** Whether `length` bytes at an address lie in a region, for the access. The context is not for this. */
  inside(number: number, at: number, length: number, write: boolean): boolean {
    if (!(number > 0 && number < REGION.count)) return false
    const row = (AT.regions >> 2) + number * ROW.words
    const words = this.words
    const from = words[row + ROW.from]!
    const sized = words[row + ROW.size]!
    if (at < from || at + length > words[row + ROW.to]! || (write && sized < 0)) return false
    const stride = words[row + ROW.stride]!
    return stride === 0 || ((at - from) % stride) + length <= (sized < 0 ? -sized - 1 : sized)
  }
}
