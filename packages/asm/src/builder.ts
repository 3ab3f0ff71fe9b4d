// Code with labels, for generators: emit instructions and jumps by label, then `layout()` turns labels into offsets.

import Long from 'long'
import { type Insn, type InsnFields, insn, type Origin } from './insn.ts'
import type { AluOp, Bytes, JumpOp } from './isa.ts'

/** A place that jumps may name before it is known. Made by `Code.label()`, bound once by `Code.bind()`. */
export interface Label {
  readonly name: string
}

type Item = { readonly insn: Insn; readonly target?: Label } | { readonly bind: Label }

const LETTER = { 1: 'b', 2: 'h', 4: 'w', 8: 'dw' } as const satisfies Record<Bytes, string>

/** A growing program. The `origin` set last is put on each instruction that follows. */
export class Code {
  private readonly items: Item[] = []
  private labels = 0
  private slots = 0
  origin: Origin | undefined

  /** Slots of what was emitted so far, before `layout()` makes far jumps longer. */
  get size(): number {
    return this.slots
  }

  label(name = 'L'): Label {
    return { name: `${name}${this.labels++}` }
  }

  bind(label: Label): void {
    this.items.push({ bind: label })
  }

  emit(form: string, fields: InsnFields = {}, target?: Label): void {
    this.add(insn(form, { origin: this.origin, ...fields }), target)
  }

  /** An instruction as it is; with a target, its distance is filled in by `layout()`. */
  add(one: Insn, target?: Label): void {
    this.items.push({ insn: one, ...(target && { target }) })
    this.slots += one.spec.slots
  }

  /** dst = dst op source, where source is a register (`{ reg }`) or a signed 32-bit number. */
  alu(op: AluOp, dst: number, source: number | { readonly reg: number }, width: 32 | 64 = 64): void {
    const name = width === 64 ? op : `${op}32`
    if (op === 'neg') this.emit(name, { dst })
    else if (typeof source === 'number') this.emit(`${name}_imm`, { dst, imm: source | 0 })
    else this.emit(`${name}_reg`, { dst, src: source.reg })
  }

  mov(dst: number, source: number | { readonly reg: number }, width: 32 | 64 = 64): void {
    this.alu('mov', dst, source, width)
  }

  lddw(dst: number, value: bigint): void {
    this.emit('lddw', { dst, imm64: Long.fromString(BigInt.asUintN(64, value).toString(16), true, 16) })
  }

  /** dst = a map, by its number in the program's list of maps. */
  map(dst: number, map: number): void {
    this.emit('lddw_map_index', { dst, imm64: Long.fromBits(map, 0) })
  }

  /** dst = the address of a byte in the only value of an array map. */
  mapValue(dst: number, map: number, byte = 0): void {
    this.emit('lddw_map_index_value', { dst, imm64: Long.fromBits(map, byte) })
  }

  load(size: Bytes, dst: number, src: number, off: number): void {
    this.emit(`ldx${LETTER[size]}`, { dst, src, off })
  }

  store(size: Bytes, dst: number, off: number, source: number | { readonly reg: number }): void {
    if (typeof source === 'number') this.emit(`st${LETTER[size]}`, { dst, off, imm: source | 0 })
    else this.emit(`stx${LETTER[size]}`, { dst, off, src: source.reg })
  }

  /** dst = its low bits read as big endian, zero-extended. */
  be(dst: number, bits: 16 | 32 | 64): void {
    this.emit(`be${bits}`, { dst })
  }

  jump(op: JumpOp, dst: number, source: number | { readonly reg: number }, target: Label, width: 32 | 64 = 64): void {
    const name = width === 64 ? op : `${op}32`
    if (typeof source === 'number') this.emit(`${name}_imm`, { dst, imm: source | 0 }, target)
    else this.emit(`${name}_reg`, { dst, src: source.reg }, target)
  }

  goto(target: Label): void {
    this.emit('ja', {}, target)
  }

  /** Goes to a label once the program has passed such instructions 8,388,608 times (BPF_MAX_LOOPS): the verifier needs no other end of a loop. */
  mayGoto(target: Label): void {
    this.emit('may_goto', {}, target)
  }

  /** A kernel function by its number in KFUNCS. */
  callKernel(id: number): void {
    this.emit('call_kfunc', { imm: id })
  }

  call(helper: number): void {
    this.emit('call', { imm: helper })
  }

  exit(): void {
    this.emit('exit')
  }

  /**
   * Labels become offsets. A `ja` whose offset does not fit 16 bits becomes `ja32`; a conditional jump, one to a `ja32` beside it:
   * `if … goto +1; goto +1; gotol target`.
   * @param reach how far 16-bit jumps may go; less than they can leaves room where a loader makes instructions longer
   * @throws Error for a label that is not bound or bound twice.
   */
  layout(reach = 0x7fff): Insn[] {
    const far = new Set<Item>()
    for (;;) {
      const places = this.places(far)
      const found = this.tooFar(places, far, reach)
      if (found.length === 0) return this.resolve(places, far, reach)
      // Longer jumps move what is behind them, so more may not fit now.
      for (const item of found) far.add(item)
    }
  }

  private places(far: ReadonlySet<Item>): ReadonlyMap<Label, number> {
    const places = new Map<Label, number>()
    let slot = 0
    for (const item of this.items) {
      if ('insn' in item) slot += slotsOf(item, far)
      else if (places.has(item.bind)) throw new Error(`label ${item.bind.name} is bound twice`)
      else places.set(item.bind, slot)
    }
    return places
  }

  /** Conditional jumps that do not reach their labels. */
  private tooFar(places: ReadonlyMap<Label, number>, far: ReadonlySet<Item>, reach: number): Item[] {
    const found: Item[] = []
    let slot = 0
    for (const item of this.items) {
      if (!('insn' in item)) continue
      slot += slotsOf(item, far)
      const { kind } = item.insn.spec
      if (!item.target || !(kind === 'jump' || kind === 'may_goto') || far.has(item)) continue
      if (!isNear(placeOf(item.target, places) - slot, reach)) found.push(item)
    }
    return found
  }

  private resolve(places: ReadonlyMap<Label, number>, far: ReadonlySet<Item>, reach: number): Insn[] {
    const program: Insn[] = []
    let slot = 0
    for (const item of this.items) {
      if (!('insn' in item)) continue
      slot += slotsOf(item, far)
      if (!item.target) program.push(item.insn)
      else if (!far.has(item)) program.push(withOffset(item.insn, item.target, places, slot, reach))
      else {
        const { origin } = item.insn
        const imm = placeOf(item.target, places) - slot
        program.push({ ...item.insn, off: 1 }, insn('ja', { off: 1, origin }), insn('ja32', { imm, origin }))
      }
    }
    return program
  }
}

/** Slots of an item that is an instruction: a conditional jump that reaches far takes three. */
function slotsOf(item: Item & { readonly insn: Insn }, far: ReadonlySet<Item>): number {
  return far.has(item) ? 3 : item.insn.spec.slots
}

function placeOf(target: Label, places: ReadonlyMap<Label, number>): number {
  const place = places.get(target)
  if (place === undefined) throw new Error(`label ${target.name} is not bound`)
  return place
}

/** An offset that a jump takes: forwards up to `reach`, backwards one more. */
function isNear(distance: number, reach: number): boolean {
  return distance <= reach && distance >= -reach - 1
}

function withOffset(jump: Insn, target: Label, places: ReadonlyMap<Label, number>, next: number, reach: number): Insn {
  const distance = placeOf(target, places) - next
  if (jump.spec.kind === 'call' || jump.spec.name === 'ja32') return { ...jump, imm: distance }
  // A function pointer counts from the slot after the first half of LD_IMM64.
  if (jump.spec.imm64 === 'func') return insn(jump.spec, { ...jump, imm64: Long.fromBits(distance + 1, 0) })
  if (isNear(distance, reach)) return { ...jump, off: distance }
  return insn('ja32', { imm: distance, origin: jump.origin })
}
