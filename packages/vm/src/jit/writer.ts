// Bytes of a WebAssembly module: LEB128 numbers, opcodes by name, sections. WebAssembly Core Specification §5.

export class Bytes {
  private buffer = new Uint8Array(1024)
  length = 0

  private room(more: number): void {
    if (this.length + more <= this.buffer.length) return
    const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + more))
    larger.set(this.buffer.subarray(0, this.length))
    this.buffer = larger
  }

  u8(byte: number): this {
    if (this.length === this.buffer.length) this.room(1)
    this.buffer[this.length++] = byte
    return this
  }

  /** Unsigned LEB128. */
  u32(value: number): this {
    let rest = value >>> 0
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    return this.u8(rest)
  }

  /** Signed LEB128 of 32 bits. */
  s32(value: number): this {
    let rest = value | 0
    while (rest < -64 || rest > 63) {
      this.u8((rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return this.u8(rest & 0x7f)
  }

  /** Signed LEB128 of 64 bits, given as two words. */
  s64(lo: number, hi: number): this {
    let [low, high] = [lo | 0, hi | 0]
    while (!(high === low >> 31 && low >= -64 && low <= 63)) {
      this.u8((low & 0x7f) | 0x80)
      low = (low >>> 7) | (high << 25)
      high >>= 7
    }
    return this.u8(low & 0x7f)
  }

  text(value: string): this {
    this.u32(value.length)
    for (let i = 0; i < value.length; i++) this.u8(value.charCodeAt(i))
    return this
  }

  append(other: Bytes): this {
    this.room(other.length)
    this.buffer.set(other.buffer.subarray(0, other.length), this.length)
    this.length += other.length
    return this
  }

  done(): Uint8Array {
    return this.buffer.slice(0, this.length)
  }
}

export const I32 = 0x7f
export const I64 = 0x7e

/** Opcodes that are used, by their names in the specification. */
export const W = {
  unreachable: 0x00, block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b, br: 0x0c, br_if: 0x0d, br_table: 0x0e, return: 0x0f, call: 0x10,
  drop: 0x1a, select: 0x1b, local_get: 0x20, local_set: 0x21, local_tee: 0x22,
  i32_load: 0x28, i64_load: 0x29, i32_load8_u: 0x2d, i32_load16_u: 0x2f,
  i64_load8_s: 0x30, i64_load8_u: 0x31, i64_load16_s: 0x32, i64_load16_u: 0x33, i64_load32_s: 0x34, i64_load32_u: 0x35,
  i32_store: 0x36, i64_store: 0x37, i64_store8: 0x3c, i64_store16: 0x3d, i64_store32: 0x3e,
  i32_const: 0x41, i64_const: 0x42,
  i32_eqz: 0x45, i32_eq: 0x46, i32_ne: 0x47, i32_lt_s: 0x48, i32_lt_u: 0x49, i32_gt_s: 0x4a, i32_gt_u: 0x4b, i32_le_s: 0x4c, i32_le_u: 0x4d, i32_ge_s: 0x4e, i32_ge_u: 0x4f,
  i64_eqz: 0x50, i64_eq: 0x51, i64_ne: 0x52, i64_lt_s: 0x53, i64_lt_u: 0x54, i64_gt_s: 0x55, i64_gt_u: 0x56, i64_le_s: 0x57, i64_le_u: 0x58, i64_ge_s: 0x59, i64_ge_u: 0x5a,
  i32_add: 0x6a, i32_sub: 0x6b, i32_mul: 0x6c, i32_div_s: 0x6d, i32_div_u: 0x6e, i32_rem_s: 0x6f, i32_rem_u: 0x70, i32_and: 0x71, i32_or: 0x72, i32_xor: 0x73,
  i32_shl: 0x74, i32_shr_s: 0x75, i32_shr_u: 0x76, i32_rotl: 0x77,
  i64_add: 0x7c, i64_sub: 0x7d, i64_mul: 0x7e, i64_div_s: 0x7f, i64_div_u: 0x80, i64_rem_s: 0x81, i64_rem_u: 0x82, i64_and: 0x83, i64_or: 0x84, i64_xor: 0x85,
  i64_shl: 0x86, i64_shr_s: 0x87, i64_shr_u: 0x88, i64_rotl: 0x89,
  i32_wrap_i64: 0xa7, i64_extend_i32_s: 0xac, i64_extend_i32_u: 0xad, i32_extend8_s: 0xc0, i32_extend16_s: 0xc1,
  i64_extend8_s: 0xc2, i64_extend16_s: 0xc3, i64_extend32_s: 0xc4,
} as const // biome-ignore format: one family

/** A function type: parameter and result kinds. */
export interface FuncType {
  readonly params: readonly number[]
  readonly results: readonly number[]
}

/** The body of one function: instructions, and locals that are asked for as it grows. */
export class Body extends Bytes {
  private readonly params: number
  private readonly locals: number[] = []

  constructor(params: number) {
    super()
    this.params = params
  }

  local(kind: number): number {
    this.locals.push(kind)
    return this.params + this.locals.length - 1
  }

  /** Up to four opcodes. No list: this is called many times an instruction. */
  op(first: number, second?: number, third?: number, fourth?: number): this {
    this.u8(first)
    if (second !== undefined) this.u8(second)
    if (third !== undefined) this.u8(third)
    if (fourth !== undefined) this.u8(fourth)
    return this
  }
  get(local: number): this {
    return this.u8(W.local_get).u32(local)
  }
  set(local: number): this {
    return this.u8(W.local_set).u32(local)
  }
  tee(local: number): this {
    return this.u8(W.local_tee).u32(local)
  }
  i32(value: number): this {
    return this.u8(W.i32_const).s32(value)
  }
  i64(lo: number, hi: number): this {
    return this.u8(W.i64_const).s64(lo, hi)
  }
  call(index: number): this {
    return this.u8(W.call).u32(index)
  }
  /** A load or store at an address on the stack plus an offset; nothing is promised about alignment. */
  mem(opcode: number, offset: number): this {
    return this.u8(opcode).u8(0).u32(offset)
  }
  /** memory.fill: address, byte and length are on the stack. */
  fill(): this {
    return this.u8(0xfc).u32(11).u8(0)
  }
  /** memory.copy: to, from and length are on the stack. */
  copy(): this {
    return this.u8(0xfc).u32(10).u8(0).u8(0)
  }

  /** The code entry: locals, instructions, end. */
  finish(): Bytes {
    const entry = new Bytes().u32(this.locals.length)
    for (const kind of this.locals) entry.u32(1).u8(kind)
    entry.append(this).u8(W.end)
    return new Bytes().u32(entry.length).append(entry)
  }
}

export interface ImportedFunction {
  readonly name: string
  readonly type: FuncType
}
export interface OwnFunction {
  readonly type: FuncType
  readonly body: Bytes
  readonly exported?: string
}

/** What engines take: bytes of a function (WebAssembly JavaScript Interface, "Implementation-defined Limits"), entries of a br_table (V8, SpiderMonkey). */
export const MOST = { functionBytes: 7_654_321, tableEntries: 65_520 } as const

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]

/**
 * A module that imports `m.memory` and functions of `m`, in that order of function numbers: imports, then its own. Undefined if a function is
 * longer than engines take.
 * @param maximum pages of the memory, if it is a shared one
 */
export function moduleBytes(
  imports: readonly ImportedFunction[],
  own: readonly OwnFunction[],
  maximum?: number,
): Uint8Array | undefined {
  if (own.some(({ body }) => body.length > MOST.functionBytes)) return undefined
  const types = [...imports, ...own].map(({ type }) => type)
  const out = new Bytes()
  for (const byte of HEADER) out.u8(byte)
  section(
    out,
    1,
    types.length,
    types.map((type) => (to) => {
      to.u8(0x60).u32(type.params.length)
      for (const kind of type.params) to.u8(kind)
      to.u32(type.results.length)
      for (const kind of type.results) to.u8(kind)
    }),
  )
  section(out, 2, imports.length + 1, [
    (to) => {
      to.text('m').text('memory').u8(0x02)
      if (maximum === undefined) to.u8(0x00).u32(0)
      else to.u8(0x03).u32(0).u32(maximum)
    },
    ...imports.map(
      ({ name }, i) =>
        (to: Bytes) =>
          to.text('m').text(name).u8(0x00).u32(i),
    ),
  ])
  section(
    out,
    3,
    own.length,
    own.map((_, i) => (to) => to.u32(imports.length + i)),
  )
  const exported = own
    .map((f, i) => ({ name: f.exported, number: imports.length + i }))
    .filter(({ name }) => name !== undefined)
  section(
    out,
    7,
    exported.length,
    exported.map(
      ({ name, number }) =>
        (to) =>
          to.text(name!).u8(0x00).u32(number),
    ),
  )
  section(
    out,
    10,
    own.length,
    own.map(
      ({ body }) =>
        (to) =>
          to.append(body),
    ),
  )
  return out.done()
}

function section(out: Bytes, id: number, count: number, items: readonly ((to: Bytes) => unknown)[]): void {
  const content = new Bytes().u32(count)
  for (const item of items) item(content)
  out.u8(id).u32(content.length).append(content)
}
