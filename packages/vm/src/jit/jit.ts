// Programs as WebAssembly modules over the machine's memory: compiled when first run, entered once a packet.

import { atomic } from '../atomic.ts'
import { OP } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { overBudget, tooDeep } from '../fault.ts'
import { loadPacket } from '../packet-load.ts'
import { loadSlow, storeSlow } from '../slow-access.ts'
import { type WasmFunction, type WasmInstance, wasm } from '../wasm-api.ts'
import { FAIL, IMPORTS, type ImportName, STATUS } from './abi.ts'
import { type Functions, functionsOf, type ProgramFunction, targetsOf } from './functions.ts'
import { areShort, layoutOf, ownFunctions, wrapped } from './module.ts'
import { SIZES } from './opcodes.ts'
import type { Proved, Target } from './target.ts'
import { moduleBytes, type OwnFunction } from './writer.ts'

export class Jit {
  readonly engine: Engine
  private readonly proved: Proved | undefined
  /** Undefined until it is asked for, or where the programs are too large. */
  private instance: WasmInstance | undefined
  private tooLarge = false

  constructor(engine: Engine, proved?: Proved) {
    this.engine = engine
    this.proved = proved
  }

  /** Compiles the programs, once. @returns false if they are larger than engines of WebAssembly take */
  prepare(): boolean {
    if (this.instance || this.tooLarge) return !this.tooLarge
    const bytes = compile(this.functions())
    if (bytes) this.instance = this.instantiate(bytes)
    else this.tooLarge = true
    return !this.tooLarge
  }

  /** Runs the machine's packet through its program, and on through tail calls; `prepare` has been asked. */
  run(): void {
    const { engine } = this
    this.ready()
    this.instance!.exports.main!()
    engine.used = engine.mem.words[STATUS.used >> 2]!
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
    words[STATUS.depth >> 2] = 0
  }

  /** Runs a function for a helper; its arguments are in the register file, its frame is open. */
  callback(insn: number): boolean {
    const { engine } = this
    engine.mem.words[STATUS.used >> 2] = engine.used
    const good = this.instance!.exports[wrapperOf(engine.programIndex, insn)]!()
    engine.refreshRegs()
    engine.used = engine.mem.words[STATUS.used >> 2]!
    return good === 1
  }

  /** What is known of the programs' functions: made anew each time. */
  functions(): Functions {
    this.engine.refreshRegs()
    return functionsOf(this.engine, this.proved)
  }

  /** The programs that a run can come to. */
  targets(): readonly Target[] {
    return targetsOf(this.engine, this.proved)
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
    const at = (position: number | undefined): Int32Array => {
      const { words } = engine.mem
      engine.used = words[STATUS.used >> 2]!
      engine.frames.showTo(words[STATUS.depth >> 2]!)
      return engine.goTo(position!)
    }
    return {
      load: (position, lo, hi) => {
        const code = at(position)
        const { pc } = engine
        return done(loadSlow(engine, code[pc + 1]!, hi!, lo!, code[pc + 3]!, SIZES[code[pc]!]!))
      },
      store: (position, lo, hi) => {
        const code = at(position)
        const { pc } = engine
        return done(storeSlow(engine, code[pc + 2]!, hi!, lo!, code[pc + 3]!, SIZES[code[pc]!]!))
      },
      atomic: (position) => {
        const code = at(position)
        const { pc } = engine
        return done(atomic(engine, code[pc + 1]!, code[pc + 2]!, code[pc + 3]!))
      },
      packet: (position) => {
        const code = at(position)
        const { pc } = engine
        const ok = loadPacket(engine, code[pc]!, code[pc + 2]!, code[pc + 3]!)
        return ok ? 1 : engine.fault ? done(false) : 0
      },
      helper: (position) => this.helper(at(position)),
      lookup: (map, keyAt) => {
        const valueAt = engine.maps[map!]!.compiledLookup(keyAt!)
        engine.refreshRegs()
        return valueAt
      },
      fail: (position, why) => {
        const code = at(position)
        const { callDepth, insnBudget } = engine.options
        if (why === FAIL.budget) return done(engine.fail(overBudget(insnBudget)))
        if (why === FAIL.depth) return done(engine.fail(tooDeep(callDepth)))
        const jump = code[engine.pc] === OP.badJump
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

  private helper(code: Int32Array): number {
    const { engine } = this
    const { pc } = engine
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
    const { words } = engine.mem
    words[STATUS.used >> 2] = engine.used
    if (engine.next === undefined) return 1
    words[STATUS.next >> 2] = engine.next
    engine.next = undefined
    return 2
  }
}

const wrapperOf = (program: number, insn: number): string => `f${program},${insn}`

/** A module with `main`, the first program's, and where helpers call functions a way to each of them. Undefined if that is too large. */
function compile(functions: Functions): Uint8Array | undefined {
  const { all, mains, callsBack, engine } = functions
  if (!areShort(functions)) return undefined
  const layout = layoutOf(functions)
  const wrapper = (one: ProgramFunction, name: string): OwnFunction => wrapped(engine, layout.numbers.get(one)!, name)
  const own = [
    wrapper(mains[0]!, 'main'),
    ...ownFunctions(functions, layout, { counted: true, chains: false, exits: true }),
    ...(callsBack ? all.map((one) => wrapper(one, wrapperOf(one.target.index, one.entry))) : []),
  ]
  return moduleBytes(IMPORTS, own, engine.mem.maximum)
}
