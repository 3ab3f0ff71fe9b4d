// Programs as WebAssembly modules over the machine's memory: compiled when first run, entered once a packet.

import { atomic } from '../atomic.ts'
import { type DecodedProgram, handsOn, OP } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { AT, REGION } from '../memory.ts'
import { loadPacket } from '../packet-load.ts'
import { loadSlow, storeSlow } from '../slow-access.ts'
import { type WasmFunction, type WasmInstance, wasm } from '../wasm-api.ts'
import { CALLBACK, ENDED, FUNCTION, IMPORTS, type ImportName, MAIN, STATUS } from './abi.ts'
import { emitBoundsFromRegion } from './bounds.ts'
import { FunctionEmitter } from './emitter.ts'
import { emitFunction } from './function.ts'
import { hasFunction, LOOKUP, lookupBody } from './lookup.ts'
import { SIZES } from './opcodes.ts'
import type { Around, Proved, Target } from './target.ts'
import { Body, I64, moduleBytes, type OwnFunction, W } from './writer.ts'

export class Jit {
  readonly engine: Engine
  private readonly proved: Proved | undefined
  private readonly instances: (WasmInstance | undefined)[] = []

  constructor(engine: Engine, proved?: Proved) {
    this.engine = engine
    this.proved = proved
  }

  /** Runs the machine's packet through its program, and on through tail calls. */
  run(): void {
    const { engine } = this
    this.ready()
    for (;;) {
      const ended = this.instance(engine.programIndex).exports.main!()
      engine.used = engine.mem.words[STATUS.used >> 2]!
      if (ended !== ENDED.exit && engine.next !== undefined) {
        engine.programIndex = engine.next!
        engine.next = undefined
        engine.mem.words[STATUS.fault >> 2] = 0
        while (engine.depth > 0) engine.leave()
        engine.openFrame(0)
        engine.clearForTailCall()
        continue
      }
      engine.pc = engine.mem.words[STATUS.pc >> 2]!
      return
    }
  }

  /** Puts the run's state where compiled code finds it. */
  private ready(): void {
    const { engine } = this
    engine.mem.shareWithWasm()
    engine.refreshRegs()
    const { words } = engine.mem
    words[STATUS.used >> 2] = 0
    words[STATUS.mayGoto >> 2] = engine.mayGoto
    words[STATUS.fault >> 2] = 0
  }

  /** Runs a function for a helper; its arguments are in the register file, its frame is open. */
  callback(insn: number): boolean {
    const { engine } = this
    engine.mem.words[STATUS.used >> 2] = engine.used
    const ended = this.instance(engine.programIndex).exports[`f${insn}`]!()
    engine.refreshRegs()
    engine.used = engine.mem.words[STATUS.used >> 2]!
    return ended === ENDED.exit
  }

  private instance(program: number): WasmInstance {
    let instance = this.instances[program]
    if (!instance) {
      instance = this.instantiate(compile(this.target(program)))
      this.instances[program] = instance
    }
    return instance
  }

  target(program: number): Target {
    const decoded = this.engine.programs[program]!
    const [start, all] = [this.engine.starts[program]!, this.proved]
    const proved = all && ((insn: number) => all(start + insn))
    const functions = localFunctions(decoded)
    const lookups = new Map(
      this.engine.maps.filter(hasFunction).map(({ index }, i) => [index, IMPORTS.length + 1 + functions.size + i]),
    )
    return { engine: this.engine, program: decoded, proved, functions, lookups }
  }

  instantiate(bytes: Uint8Array): WasmInstance {
    const memory = this.engine.mem.shareWithWasm()
    this.engine.refreshRegs()
    return new wasm.Instance(new wasm.Module(bytes), { m: { memory, ...this.imports() } })
  }

  /** A batch's way to make a record the machine's packet. */
  sync: (record: number) => void = () => {}

  private imports(): Record<ImportName, WasmFunction> {
    const { engine } = this
    const done = (ok: boolean): number => {
      if (!ok) engine.mem.words[STATUS.fault >> 2] = 1
      return ok ? 1 : 0
    }
    const at = (pc: number | undefined): Int32Array => {
      engine.pc = pc!
      engine.used = engine.mem.words[STATUS.used >> 2]!
      return engine.programs[engine.programIndex]!.code
    }
    return {
      load: (pc, lo, hi) => {
        const code = at(pc)
        return done(loadSlow(engine, code[pc! + 1]!, hi!, lo!, code[pc! + 3]!, SIZES[code[pc!]!]!))
      },
      store: (pc, lo, hi) => {
        const code = at(pc)
        return done(storeSlow(engine, code[pc! + 2]!, hi!, lo!, code[pc! + 3]!, SIZES[code[pc!]!]!))
      },
      atomic: (pc) => {
        const code = at(pc)
        return done(atomic(engine, code[pc! + 1]!, code[pc! + 2]!, code[pc! + 3]!))
      },
      packet: (pc) => {
        const code = at(pc)
        const ok = loadPacket(engine, code[pc!]!, code[pc! + 2]!, code[pc! + 3]!)
        return ok ? 1 : engine.fault ? done(false) : 0
      },
      helper: (pc) => this.helper(pc!, at(pc)),
      lookup: (map, keyAt) => {
        const valueAt = engine.maps[map!]!.compiledLookup(keyAt!)
        engine.refreshRegs()
        return valueAt
      },
      enter: (pc) => {
        at(pc)
        const { insnBudget } = engine.options
        if (engine.used > insnBudget)
          return done(engine.fail({ kind: 'budget', reason: `more than ${insnBudget} instructions` }))
        return done(engine.enter(pc!))
      },
      leave: () => {
        engine.leave()
        return 1
      },
      fail: (pc, budget) => {
        const code = at(pc)
        if (budget)
          return done(engine.fail({ kind: 'budget', reason: `more than ${engine.options.insnBudget} instructions` }))
        const jump = code[pc!] === OP.badJump
        return done(
          engine.fail(
            jump
              ? { kind: 'jump', reason: 'control leaves the program' }
              : { kind: 'unsupported', reason: 'this instruction cannot run' },
          ),
        )
      },
      sync: (record) => {
        this.sync(record!)
        return 1
      },
    }
  }

  private helper(pc: number, code: Int32Array): number {
    const { engine } = this
    let id = code[pc + 3]!
    const fail = (): number => {
      engine.mem.words[STATUS.fault >> 2] = 1
      return 0
    }
    if (code[pc] === 0x8d) {
      if (engine.options.mode !== 'rfc9669') {
        engine.fail({ kind: 'unsupported', reason: 'callx is not in the kernel' })
        return fail()
      }
      id = engine.regs[code[pc + 1]!]!
    }
    if (!engine.callHelper(id)) return fail()
    engine.mem.words[STATUS.used >> 2] = engine.used
    return engine.next === undefined ? 1 : 2
  }
}

/** The program's functions, numbered after the imports and the main function. A call out of the program has one too. */
export function localFunctions(program: DecodedProgram): Map<number, number> {
  const entries = new Set(program.functions)
  const { code } = program
  for (let pc = 0; pc < code.length; pc += 4) if (code[pc] === OP.callLocal) entries.add(code[pc + 3]! >> 2)
  return new Map([...entries].map((entry, i) => [entry, IMPORTS.length + 1 + i]))
}

/** The module of a program: `main`, its local functions, and a way for helpers to call each of them. */
function compile(target: Target): Uint8Array {
  return moduleBytes(IMPORTS, [
    { type: MAIN, body: mainBody(target), exported: 'main' },
    ...functionBodies(target),
    ...[...target.functions.keys()].map(
      (entry): OwnFunction => ({ type: CALLBACK, body: callbackBody(target, entry), exported: `f${entry}` }),
    ),
  ])
}

/** Local functions, then lookups: in the order of their numbers. */
export function functionBodies(target: Target): OwnFunction[] {
  return [
    ...[...target.functions.keys()].map((entry) => ({ type: FUNCTION, body: functionBody(target, entry) })),
    ...[...target.lookups.keys()].map((index) => ({ type: LOOKUP, body: lookupBody(target.engine.maps[index]!) })),
  ]
}

const main: Around = {
  exit({ body, engine, registers }, pc) {
    body.i32(engine.regsAt).get(registers[0]!).mem(W.i64_store, 0)
    body.i32(STATUS.pc).i32(pc).mem(W.i32_store, 0)
    body.i32(ENDED.exit).op(W.return)
  },
  fault({ body }) {
    body.i32(ENDED.fault).op(W.return)
  },
  tailCall({ body }) {
    body.i32(ENDED.tailCall).op(W.return)
  },
}

function mainBody(target: Target): ReturnType<Body['finish']> {
  const { engine } = target
  const body = new Body(0)
  const registers = Array.from({ length: 11 }, () => body.local(I64))
  const fn = new FunctionEmitter({ target, entry: 0, main: true, body, registers, around: main, counted: true })
  // r1 and r2 are what the machine put there.
  for (const r of [1, 2])
    body
      .i32(engine.regsAt + r * 8)
      .mem(W.i64_load, 0)
      .set(registers[r]!)
  body.i64(engine.stackAt + 512, REGION.stack).set(registers[10]!)
  // A tail call goes on counting.
  fn.startCount(false)
  emitBoundsFromRegion(fn)
  emitFunction(fn)
  return body.finish()
}

const inner: Around = {
  exit({ body, code, registers }, pc) {
    if (!handsOn(code, pc)) body.i32(AT.returned).i32(pc).mem(W.i32_store, 0)
    body.get(registers[0]!).op(W.return)
  },
  fault({ body }) {
    body.i64(0, 0).op(W.return)
  },
  tailCall(fn) {
    // Seen by the caller as a fault, and by the machine as what it is.
    fn.body.i32(STATUS.fault).i32(2).mem(W.i32_store, 0)
    this.fault(fn)
  },
}

function functionBody(target: Target, entry: number): ReturnType<Body['finish']> {
  const body = new Body(6)
  const others = Array.from({ length: 5 }, () => body.local(I64))
  const registers = [others[0]!, 0, 1, 2, 3, 4, others[1]!, others[2]!, others[3]!, others[4]!, 5]
  const fn = new FunctionEmitter({ target, entry, main: false, body, registers, around: inner, counted: true })
  fn.startCount(false)
  emitBoundsFromRegion(fn)
  emitFunction(fn)
  return body.finish()
}

function callbackBody(target: Target, entry: number): ReturnType<Body['finish']> {
  const body = new Body(0)
  const { regsAt } = target.engine
  body.i32(regsAt)
  for (const r of [1, 2, 3, 4, 5, 10]) body.i32(regsAt + r * 8).mem(W.i64_load, 0)
  body.call(target.functions.get(entry)!).mem(W.i64_store, 0)
  body.i32(STATUS.fault).mem(W.i32_load, 0).i32(0).op(W.i32_ne)
  return body.finish()
}
