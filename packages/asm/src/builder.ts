// Code with labels, for generators: emit instructions and jumps by label, then `layout()` turns labels into offsets.

import Long from 'long'
import { type Insn, type InsnFields, insn, type Origin } from './insn.ts'
import { type AluOp, type Bytes, type InsnSpec, type JumpOp, specByName } from './isa.ts'

/** A place that jumps may name before it is known. Made by `Code.label()`, bound once by `Code.bind()`. */
export interface Label {
  readonly name: string
}

/** A label with the number of the instruction behind it, once it is bound. */
interface Spot extends Label {
  at: number | undefined
}

const LETTER = { 1: 'b', 2: 'h', 4: 'w', 8: 'dw' } as const satisfies Record<Bytes, string>

/** Forms by a part of their names: to put names together for each instruction takes longer than all else. */
function forms(nameOf: (part: string) => string): (part: string) => InsnSpec {
  const known = new Map<string, InsnSpec>()
  return (part) => {
    let spec = known.get(part)
    if (!spec) {
      spec = specByName(nameOf(part))
      known.set(part, spec)
    }
    return spec
  }
}

const FORMS = {
  alu64: { imm: forms((op) => `${op}_imm`), reg: forms((op) => `${op}_reg`) },
  alu32: { imm: forms((op) => `${op}32_imm`), reg: forms((op) => `${op}32_reg`) },
  jump64: { imm: forms((op) => `${op}_imm`), reg: forms((op) => `${op}_reg`) },
  jump32: { imm: forms((op) => `${op}32_imm`), reg: forms((op) => `${op}32_reg`) },
  load: forms((letter) => `ldx${letter}`),
  store: { imm: forms((letter) => `st${letter}`), reg: forms((letter) => `stx${letter}`) },
}

/** A growing program. The `origin` set last is put on each instruction that follows. */
export class Code {
  private readonly insns: Insn[] = []
  /** Instructions that lead to labels, by their numbers, and those labels. */
  private readonly jumps: number[] = []
  private readonly targets: Label[] = []
  private twice: Label | undefined
  private labels = 0
  private slots = 0
  origin: Origin | undefined

  /** Slots of what was emitted so far, before `layout()` makes far jumps longer. */
  get size(): number {
    return this.slots
  }

  label(name = 'L'): Label {
    const spot: Spot = { name: `${name}${this.labels++}`, at: undefined }
    return spot
  }

  bind(label: Label): void {
    const spot = label as Spot
    if (spot.at !== undefined) this.twice = label
    spot.at = this.insns.length
  }

  emit(form: string, fields: InsnFields = {}, target?: Label): void {
    this.add(insn(form, fields.origin ? fields : { ...fields, origin: this.origin }), target)
  }

  /** An instruction as it is; with a target, its distance is filled in by `layout()`. */
  add(one: Insn, target?: Label): void {
    if (target) {
      this.jumps.push(this.insns.length)
      this.targets.push(target)
    }
    this.insns.push(one)
    this.slots += one.spec.slots
  }

  /** An instruction of one slot by all its fields. */
  private put(spec: InsnSpec, dst: number, src: number, off: number, imm: number, target?: Label): void {
    const { origin } = this
    this.add(origin ? { spec, dst, src, off, imm, origin } : { spec, dst, src, off, imm }, target)
  }

  /** dst = dst op source, where source is a register (`{ reg }`) or a signed 32-bit number. */
  alu(op: AluOp, dst: number, source: number | { readonly reg: number }, width: 32 | 64 = 64): void {
    if (op === 'neg') return this.emit(width === 64 ? op : `${op}32`, { dst })
    const forms = width === 64 ? FORMS.alu64 : FORMS.alu32
    const isNumber = typeof source === 'number'
    const spec = isNumber ? forms.imm(op) : forms.reg(op)
    this.put(spec, dst, isNumber ? 0 : source.reg, spec.fixed.off ?? 0, isNumber ? source | 0 : 0)
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
    this.put(FORMS.load(LETTER[size]), dst, src, off, 0)
  }

  store(size: Bytes, dst: number, off: number, source: number | { readonly reg: number }): void {
    if (typeof source === 'number') this.put(FORMS.store.imm(LETTER[size]), dst, 0, off, source | 0)
    else this.put(FORMS.store.reg(LETTER[size]), dst, source.reg, off, 0)
  }

  /** dst = its low bits read as big endian, zero-extended. */
  be(dst: number, bits: 16 | 32 | 64): void {
    this.emit(`be${bits}`, { dst })
  }

  jump(op: JumpOp, dst: number, source: number | { readonly reg: number }, target: Label, width: 32 | 64 = 64): void {
    const forms = width === 64 ? FORMS.jump64 : FORMS.jump32
    if (typeof source === 'number') this.put(forms.imm(op), dst, 0, 0, source | 0, target)
    else this.put(forms.reg(op), dst, source.reg, 0, 0, target)
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
    if (this.twice) throw new Error(`label ${this.twice.name} is bound twice`)
    const far = new Uint8Array(this.insns.length)
    for (;;) {
      const slots = this.slotsWith(far)
      // Longer jumps move what is behind them, so more may not fit now.
      if (!this.findFar(slots, far, reach)) return this.resolve(slots, far, reach)
    }
  }

  /** Slot of each instruction where some jumps take three slots; and the number of slots. */
  private slotsWith(far: Uint8Array): Uint32Array {
    const { insns } = this
    const slots = new Uint32Array(insns.length + 1)
    let slot = 0
    for (let i = 0; i < insns.length; i++) {
      slot += far[i] === 1 ? 3 : insns[i]!.spec.slots
      slots[i + 1] = slot
    }
    return slots
  }

  /** Marks conditional jumps that do not reach their labels; whether there are more than were marked. */
  private findFar(slots: Uint32Array, far: Uint8Array, reach: number): boolean {
    const { insns, jumps, targets } = this
    let found = false
    for (let i = 0; i < jumps.length; i++) {
      const jump = jumps[i]!
      const { kind } = insns[jump]!.spec
      if ((kind !== 'jump' && kind !== 'may_goto') || far[jump] === 1) continue
      if (isNear(placeOf(targets[i]!, slots) - slots[jump + 1]!, reach)) continue
      far[jump] = 1
      found = true
    }
    return found
  }

  private resolve(slots: Uint32Array, far: Uint8Array, reach: number): Insn[] {
    const { insns, jumps, targets } = this
    const program: Insn[] = []
    for (let i = 0, next = 0; i < insns.length; i++) {
      const one = insns[i]!
      if (i !== jumps[next]) {
        program.push(one)
        continue
      }
      const target = targets[next++]!
      const distance = placeOf(target, slots) - slots[i + 1]!
      if (far[i] === 0) program.push(withOffset(one, distance, reach))
      else {
        const { origin } = one
        program.push({ ...one, off: 1 }, insn('ja', { off: 1, origin }), insn('ja32', { imm: distance, origin }))
      }
    }
    return program
  }
}

function placeOf(target: Label, slots: Uint32Array): number {
  const { at } = target as Spot
  if (at === undefined) throw new Error(`label ${target.name} is not bound`)
  return slots[at]!
}

/** An offset that a jump takes: forwards up to `reach`, backwards one more. */
function isNear(distance: number, reach: number): boolean {
  return distance <= reach && distance >= -reach - 1
}

function withOffset(jump: Insn, distance: number, reach: number): Insn {
  const { spec, dst, src, imm, origin } = jump
  if (spec.kind === 'call' || spec.name === 'ja32') return { ...jump, imm: distance }
  // A function pointer counts from the slot after the first half of LD_IMM64.
  if (spec.imm64 === 'func') return insn(spec, { ...jump, imm64: Long.fromBits(distance + 1, 0) })
  if (!isNear(distance, reach)) return insn('ja32', { imm: distance, origin })
  return origin ? { spec, dst, src, off: distance, imm, origin } : { spec, dst, src, off: distance, imm }
}
