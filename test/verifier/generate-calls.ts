// Statements that call: helpers, maps, functions of the program, and what these functions do.

import { Code, type ParamDef, specByName } from '@netsieve/asm'
import { condition, loadStack, prologue2, storeStack } from './generate-data.ts'
import {
  arithmetic,
  CTX,
  clobber,
  DATA,
  loadMap,
  MAP,
  MAPS,
  merge,
  type Planned,
  type Program,
  SIZES,
  small,
} from './generate-kit.ts'

export function helper(p: Program): void {
  p.code.call(p.rand.pick([5, 7, 7, 7, 8, 118, 125]))
  clobber(p)
}

/** A key in the stack, or in the packet where one is known to be long enough; r2 points to it. */
function key(p: Program, size: number): void {
  const { rand, code } = p
  if (p.checked >= size && rand.oneIn(4)) {
    code.mov(2, { reg: DATA })
    code.alu('add', 2, rand.below(p.checked - size + 1) + (p.slip() ? 8 : 0))
    return
  }
  code.store(size === 8 ? 8 : 4, 10, -8, rand.oneIn(2) ? rand.below(6) : { reg: p.number() })
  code.mov(2, { reg: 10 })
  code.alu('add', 2, p.slip() ? -4 : -8)
}

/** Reads or writes the map value that r0 points to, at a fixed or at a varying offset. */
function touchValue(p: Program, valueSize: number, from = 0): void {
  const { rand, code } = p
  const size = rand.pick(SIZES)
  const limit = valueSize - size
  if (limit < from) return
  let off = from + rand.below(limit - from + 1) + (p.slip() ? 4 : 0)
  if (rand.oneIn(3) && limit > 8) {
    const numbers = p.regs('small', 'number').filter((reg) => reg !== 0)
    const index = numbers.length > 0 ? rand.pick(numbers) : 4
    if (numbers.length === 0) code.load(4, index, CTX, p.type === 'xdp' ? 12 : 0)
    const span = Math.min(valueSize - from, rand.pick([8, 16, 64, 256]))
    if (rand.oneIn(2)) code.alu('and', index, (1 << Math.floor(Math.log2(span))) - 1, rand.oneIn(2) ? 32 : 64)
    else {
      const fits = code.label('fits')
      code.jump(rand.pick(['jlt', 'jle'] as const), index, span - size + (p.slip() ? 3 : 0), fits)
      code.mov(index, 0)
      code.bind(fits)
    }
    code.alu(rand.oneIn(8) && p.slip() ? 'sub' : 'add', 0, { reg: index })
    off = from + (rand.oneIn(3) ? rand.below(size) : 0)
    p.held.set(index, 'number')
  }
  if (rand.oneIn(2)) {
    const dst = rand.pick([1, 2, 3])
    code.load(size, dst, 0, off)
    p.held.set(dst, size === 1 ? 'small' : 'number')
    return
  }
  if (rand.oneIn(2)) code.store(size, 0, off, rand.below(100))
  else {
    const numbers = p.regs('number', 'small').filter((reg) => reg !== 0)
    code.store(size, 0, off, numbers.length > 0 ? { reg: rand.pick(numbers) } : 1)
  }
}

/** After a lookup: `inside` only where something was found, unless that is forgotten. */
function whereFound(p: Program, inside: () => void): void {
  const { rand, code } = p
  clobber(p)
  p.held.set(0, 'none')
  const out = code.label('null')
  const snapshot = new Map(p.held)
  if (rand.oneIn(4)) code.mov(9, { reg: 0 })
  if (rand.oneIn(4)) p.held.set(9, 'none')
  snapshot.set(9, 'none')
  if (!p.slip()) {
    if (rand.oneIn(5)) {
      const found = code.label('found')
      code.jump('jne', 0, 0, found)
      code.goto(out)
      code.bind(found)
    } else code.jump('jeq', 0, 0, out)
  }
  inside()
  p.held.set(0, 'none')
  code.bind(out)
  merge(p, snapshot)
  p.held.set(0, 'none')
  if (!rand.oneIn(2)) return
  code.mov(0, 0)
  p.held.set(0, 'number')
}

export function lookup(p: Program): void {
  const { rand, code } = p
  const map = rand.pick([MAP.array, MAP.array, MAP.hash, MAP.hash, MAP.percpu, MAP.lpm, MAP.table, MAP.lru])
  const def = MAPS[map]!
  key(p, def.keySize)
  loadMap(p, 1, map)
  if (rand.oneIn(5)) {
    code.mov(3, { reg: 10 })
    code.alu('add', 3, p.slip() ? -8 : -64)
    code.mov(4, 0)
    code.call(rand.oneIn(4) ? 3 : 2)
    clobber(p)
    return
  }
  code.call(1)
  whereFound(p, () => {
    for (let n = 1 + rand.below(2); n > 0; n--) touchValue(p, def.valueSize)
  })
}

/** A value by its address. */
export function direct(p: Program): void {
  const { rand, code } = p
  const address = new Code()
  address.lddw(0, (BigInt(rand.below(4) * 8) << 32n) | BigInt(MAP.table))
  code.add({ ...address.layout()[0]!, spec: specByName('lddw_map_index_value')! })
  touchValue(p, MAPS[MAP.table]!.valueSize - 24)
  p.held.set(0, 'none')
}

/** A value changed while its lock is held. */
export function locked(p: Program): void {
  const { rand, code } = p
  key(p, 8)
  loadMap(p, 1, MAP.locked)
  code.call(1)
  whereFound(p, () => {
    code.mov(9, { reg: 0 })
    code.mov(1, { reg: 9 })
    if (!p.slip()) code.call(93)
    if (p.slip()) code.call(7)
    clobber(p)
    code.mov(0, { reg: 9 })
    touchValue(p, 16, p.slip() ? 0 : 4)
    code.mov(1, { reg: 9 })
    if (p.slip()) code.alu('add', 1, 8)
    if (!p.slip()) code.call(94)
    clobber(p)
    if (rand.oneIn(3)) {
      code.mov(0, { reg: 9 })
      touchValue(p, 24, 4)
    }
    p.held.set(9, 'none')
  })
}

/** A map found in a map. */
export function nested(p: Program): void {
  const { code } = p
  key(p, 4)
  loadMap(p, 1, MAP.nested)
  code.call(1)
  whereFound(p, () => {
    code.mov(1, { reg: 0 })
    code.store(4, 10, -8, 1)
    code.mov(2, { reg: 10 })
    code.alu('add', 2, -8)
    code.call(1)
    whereFound(p, () => touchValue(p, 16))
  })
}

export function queue(p: Program): void {
  const { rand, code } = p
  const takes = rand.oneIn(2)
  if (!takes || rand.oneIn(2)) code.store(8, 10, -16, rand.below(9))
  loadMap(p, 1, p.slip() ? MAP.array : MAP.queue)
  code.mov(2, { reg: 10 })
  code.alu('add', 2, p.slip() ? -4 : -16)
  if (takes) code.call(rand.pick([88, 89]))
  else {
    code.mov(3, 0)
    code.call(87)
  }
  clobber(p)
  p.written.add(-16)
}

/** A socket looked up, looked at and given back. */
export function socket(p: Program): void {
  if (p.type === 'socket_filter') return helper(p)
  const { rand, code } = p
  code.store(8, 10, -16, 0)
  code.store(8, 10, -8, 0)
  code.mov(1, { reg: CTX })
  code.mov(2, { reg: 10 })
  code.alu('add', 2, -16)
  code.mov(3, p.slip() ? 20 : 12)
  code.mov(4, -1)
  code.mov(5, 0)
  code.call(rand.pick([84, 85, 99]))
  whereFound(p, () => {
    if (rand.oneIn(2)) code.load(4, 2, 0, p.slip() ? rand.below(100) : rand.pick([0, 4, 24, 44]))
    if (p.slip()) code.alu('add', 0, 4)
    code.mov(1, { reg: 0 })
    if (!p.slip()) code.call(86)
    clobber(p)
  })
}

/** A helper that may move the packet; its pointers are loaded again, unless that is forgotten. */
export function movePacket(p: Program): void {
  const { rand, code } = p
  if (p.type !== 'xdp' && p.type !== 'sched_cls') return helper(p)
  code.mov(1, { reg: CTX })
  if (p.type === 'xdp') {
    code.mov(2, rand.pick([-8, 4, 14]))
    code.call(rand.pick([44, 65]))
  } else if (rand.oneIn(2)) {
    code.mov(2, rand.below(64))
    code.call(39)
  } else {
    code.store(8, 10, -32, 7)
    code.mov(2, rand.below(32))
    code.mov(3, { reg: 10 })
    code.alu('add', 3, -32)
    code.mov(4, rand.pick([1, 2, 4, 6, 8]) + (p.slip() ? 40 : 0))
    code.mov(5, 0)
    code.call(9)
  }
  clobber(p)
  if (!p.slip()) prologue2(p)
}

/** Memory and its size: of the packet, the stack, or a record. */
export function checksum(p: Program): void {
  if (p.type !== 'xdp' && p.type !== 'sched_cls') return helper(p)
  const { rand, code } = p
  const inPacket = p.checked >= 8 && rand.oneIn(2)
  if (!inPacket) {
    code.store(8, 10, -8, 1)
    code.store(8, 10, -16, 2)
  }
  const small0 = rand.oneIn(3) ? small(p) : undefined
  if (small0 !== undefined) {
    code.alu('and', small0, rand.pick([4, 8, 12]))
    code.mov(4, { reg: small0 })
  } else code.mov(4, rand.pick([0, 4, 8]) + (p.slip() ? 16 : 0))
  code.mov(3, { reg: inPacket ? DATA : 10 })
  if (!inPacket) code.alu('add', 3, -16)
  code.mov(1, 0)
  code.mov(2, 0)
  code.mov(5, 0)
  code.call(28)
  clobber(p)
}

function plan(p: Program, kind: Planned['kind']): Planned {
  const { rand } = p
  const again = p.functions.filter((f) => f.kind === kind)
  if (again.length > 0 && (p.functions.length > 3 || rand.oneIn(3))) return rand.pick(again)
  const made = { label: p.code.label('f'), kind, params: kind === 'global' ? params(p) : [] }
  p.functions.push(made)
  return made
}

function params(p: Program): ParamDef[] {
  const { rand } = p
  return Array.from({ length: rand.below(4) }, () => {
    const size = rand.pick([1, 4, 8, 12, 16])
    return rand.pick<ParamDef>([{ kind: 'scalar' }, { kind: 'scalar' }, { kind: 'ctx' }, { kind: 'mem', size, nullable: true }, { kind: 'mem', size, nullable: false }]) // biome-ignore format: one act
  })
}

export function callFunction(p: Program): void {
  if (p.depth > 1) return helper(p)
  const { code, rand } = p
  const called = plan(p, 'local')
  if (p.held.get(1) === undefined || p.held.get(1) === 'none') code.mov(1, rand.below(100))
  if (p.held.get(2) === undefined || p.held.get(2) === 'none') code.mov(2, rand.below(100))
  code.emit('call_local', {}, called.label)
  clobber(p)
}

/** A function that is verified by itself; the arguments fit its type, mostly. */
export function callGlobal(p: Program): void {
  if (p.depth > 1) return helper(p)
  const { code, rand } = p
  const called = plan(p, 'global')
  called.params.forEach((param, i) => {
    const reg = i + 1
    if (p.slip()) code.mov(reg, { reg: rand.pick([10, CTX, DATA]) })
    else if (param.kind === 'ctx') code.mov(reg, { reg: CTX })
    else if (param.kind === 'mem') {
      if (param.nullable && rand.oneIn(4)) code.mov(reg, 0)
      else {
        code.mov(reg, { reg: 10 })
        code.alu('add', reg, p.slip() ? -param.size + 1 : -rand.pick([16, 24]))
      }
    } else if (rand.oneIn(3)) code.load(4, reg, CTX, p.type === 'xdp' ? 12 : 0)
    else code.mov(reg, rand.below(1000))
  })
  code.emit('call_local', {}, called.label)
  clobber(p)
}

/** bpf_loop or bpf_for_each_map_elem with a function of the program. */
export function callBack(p: Program): void {
  if (p.depth > 1) return helper(p)
  const { code, rand } = p
  const each = rand.oneIn(3)
  const called = plan(p, each ? 'each' : 'loop')
  code.store(8, 10, -8, 0)
  if (each) loadMap(p, 1, p.slip() ? MAP.lpm : rand.pick([MAP.array, MAP.hash]))
  else if (rand.oneIn(4)) code.load(4, 1, CTX, p.type === 'xdp' ? 12 : 0)
  else code.mov(1, rand.pick([0, 1, 5, 100, 10000]))
  code.emit('lddw_func', { dst: 2 }, called.label)
  if (p.slip()) code.mov(3, rand.below(2))
  else {
    code.mov(3, { reg: 10 })
    code.alu('add', 3, -8)
  }
  code.mov(4, p.slip() ? 1 : 0)
  code.call(each ? 164 : 181)
  clobber(p)
  p.written.add(-8)
}

/** What a function does: its arguments are used, then some arithmetic. */
export function body(p: Program, { label, kind, params: taken }: Planned): void {
  const { code, rand } = p
  code.bind(label)
  p.held.clear()
  p.checked = 0
  p.written = new Set()
  p.depth = 3
  if (kind === 'loop') inLoop(p)
  else if (kind === 'each') inEach(p)
  else if (kind === 'global') {
    for (const [i, param] of taken.entries()) useParam(p, param, i + 1)
  } else {
    p.held.set(1, 'number')
    p.held.set(2, 'number')
  }
  for (let i = rand.below(4); i > 0; i--) arithmetic(p)
  if (rand.oneIn(2)) {
    const out = code.label('out')
    condition(p, out)
    arithmetic(p)
    code.bind(out)
  }
  if (rand.oneIn(2)) {
    storeStack(p)
    loadStack(p)
  }
  const numbers = p.regs('number', 'small')
  if (kind === 'local' || kind === 'global') {
    if (rand.oneIn(3) && numbers.length > 0) code.mov(0, { reg: rand.pick(numbers) })
    else code.mov(0, rand.below(4))
  } else code.mov(0, p.slip() ? 2 : rand.below(2))
  code.exit()
}

function inLoop(p: Program): void {
  const { code, rand } = p
  p.held.set(1, 'number')
  if (rand.oneIn(2)) {
    code.load(8, 3, 2, p.slip() ? 8 : 0)
    if (rand.oneIn(2)) code.alu('add', 3, rand.below(3))
    else code.alu('add', 3, { reg: 1 })
    code.store(8, 2, 0, { reg: 3 })
    dropCounter(p, 3)
  }
  if (!rand.oneIn(3)) return
  const far = code.label('far')
  code.jump('jgt', 1, 7 + (p.slip() ? 1 : 0), far)
  code.alu('add', 2, { reg: 1 })
  code.store(1, 2, 0, 5)
  code.bind(far)
}

/** What is compared later would keep the rounds apart, up to the verifier's limit: the register gets another number. */
function dropCounter(p: Program, reg: number): void {
  p.code.mov(reg, 3)
  p.held.set(reg, 'number')
}

function inEach(p: Program): void {
  const { code, rand } = p
  code.load(4, 0, 2, p.slip() ? 4 : 0)
  p.held.set(0, 'number')
  if (rand.oneIn(2)) code.load(8, 5, 3, p.slip() ? 48 : 8)
  else code.store(4, 3, 4, 1)
  if (!rand.oneIn(2)) return
  code.load(8, 1, 4, 0)
  code.alu('add', 1, 1)
  code.store(8, 4, 0, { reg: 1 })
  dropCounter(p, 1)
}

function useParam(p: Program, param: ParamDef, reg: number): void {
  const { code, rand } = p
  if (param.kind === 'scalar') p.held.set(reg, 'number')
  else if (param.kind === 'ctx') {
    if (!rand.oneIn(2)) return
    code.load(4, 5, reg, p.type === 'xdp' ? 12 : 0)
    p.held.set(5, 'number')
  } else if (param.kind === 'mem') {
    const out = code.label('null')
    if (param.nullable && !p.slip()) code.jump('jeq', reg, 0, out)
    const size = rand.pick(SIZES.filter((each) => each <= param.size))
    const off = rand.below(param.size - size + 1) + (p.slip() ? 1 : 0)
    if (rand.oneIn(2)) code.store(size, reg, off, 3)
    else code.load(size, 0, reg, off)
    code.bind(out)
  }
}

export function loadBytes(p: Program): void {
  if (p.type === 'xdp') return helper(p)
  const { rand, code } = p
  code.mov(1, { reg: CTX })
  code.mov(2, rand.below(64))
  code.mov(3, { reg: 10 })
  const bytes = 8 * (1 + rand.below(4))
  code.alu('add', 3, -bytes)
  if (rand.oneIn(3)) {
    code.mov(4, { reg: p.slip() ? p.number() : rand.pick([2]) })
    code.alu('and', 4, p.slip() ? 63 : 7)
    if (!p.slip()) code.alu('add', 4, 1)
  } else code.mov(4, bytes + (p.slip() ? 8 : 0))
  code.call(26)
  clobber(p)
  p.written.add(-bytes)
}

export function ringbuf(p: Program): void {
  const { rand, code } = p
  loadMap(p, 1, 3)
  code.mov(2, 16)
  code.mov(3, 0)
  code.call(131)
  clobber(p)
  p.held.set(0, 'none')
  const out = code.label('full')
  if (!p.slip()) code.jump('jeq', 0, 0, out)
  code.store(8, 0, p.slip() ? 16 : 8 * rand.below(2), 7)
  code.mov(1, { reg: 0 })
  code.mov(2, 0)
  if (!p.slip()) code.call(rand.oneIn(2) ? 132 : 133)
  code.bind(out)
  clobber(p)
  p.held.set(0, 'none')
}

export function tailCall(p: Program): void {
  const { rand, code } = p
  if (!rand.oneIn(2)) return arithmetic(p)
  const index = p.number()
  if (index !== 3) code.mov(3, { reg: index })
  code.mov(1, { reg: CTX })
  loadMap(p, 2, p.slip() ? 0 : 2)
  code.call(12)
  clobber(p)
  p.held.set(0, 'none')
  if (p.type !== 'socket_filter' && !p.slip()) prologue2(p)
}
