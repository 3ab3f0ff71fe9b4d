// Local calls in compiled code, where what a function does is seen by those that it was called through.

import { Code, type Insn, type Label } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'

const ADJUST_TAIL = 65

function program(make: (code: Code, functions: readonly Label[]) => void): Insn[] {
  const code = new Code()
  make(code, [code.label('first'), code.label('second')])
  return code.layout()
}

/** r0 of frames whose first byte is given, in turn: by the interpreter, by the JIT, and in a batch. */
function answers(insns: readonly Insn[], firstBytes: readonly number[]): number[][] {
  const frames = firstBytes.map((byte) => new Uint8Array(60).fill(byte, 0, 1))
  const batch = load(insns, { type: 'xdp' }).batch({ chunkBytes: 4096 })
  expect(batch.compiled).toBe(true)
  const [{ input }, size] = [batch, 76]
  for (const [i, frame] of frames.entries()) {
    new DataView(input.buffer, input.byteOffset + i * size).setUint32(8, frame.length, true)
    input.set(frame, i * size + 16)
  }
  const machines = (['interpreter', 'jit'] as const).map((engine) => load(insns, { type: 'xdp', engine }))
  return [
    ...machines.map((machine) => frames.map((frame) => machine.run(frame).r0)),
    [...batch.run(frames.length * size).r0],
  ]
}

/** Milliseconds that this process has had a processor: what else the machine does is not in them. */
function busy(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

describe('stacks', () => {
  it('of callers are zeroed where functions read them by pointers of which nothing is known', () => {
    const insns = program((code, [first, second]) => {
      const [here, there] = [code.label(), code.label()]
      code.load(4, 3, 1, 0)
      code.load(4, 4, 1, 4)
      code.mov(2, { reg: 10 })
      code.mov(5, { reg: 3 })
      code.alu('add', 5, 1)
      code.jump('jgt', 5, { reg: 4 }, there)
      code.load(1, 5, 3, 0)
      // One place or another: none is known. The first packet writes to it.
      code.jump('jeq', 5, 9, here)
      code.alu('add', 2, -8)
      code.jump('jne', 5, 1, there)
      code.store(8, 10, -8, 77)
      code.goto(there)
      code.bind(here)
      code.alu('add', 2, -16)
      code.bind(there)
      code.emit('call_local', {}, first!)
      code.exit()
      code.bind(first!)
      code.mov(1, { reg: 2 })
      code.emit('call_local', {}, second!)
      code.exit()
      code.bind(second!)
      code.load(8, 0, 1, 0)
      code.exit()
    })
    const expected = [77, 0, 0, 77]
    expect(answers(insns, [1, 2, 9, 1])).toEqual([expected, expected, expected])
  })

  it('of functions are zeroed at each call', () => {
    const insns = program((code, [first]) => {
      code.mov(1, 5)
      code.emit('call_local', {}, first!)
      code.mov(6, { reg: 0 })
      code.mov(1, 0)
      code.emit('call_local', {}, first!)
      code.alu('mul', 0, 100)
      code.alu('add', 0, { reg: 6 })
      code.exit()
      code.bind(first!)
      const empty = code.label()
      code.jump('jeq', 1, 0, empty)
      code.store(8, 10, -8, { reg: 1 })
      code.bind(empty)
      code.load(8, 0, 10, -8)
      code.exit()
    })
    expect(answers(insns, [0, 0])).toEqual([[5, 5], [5, 5], [5, 5]]) // biome-ignore format: a table
  })
})

it('a packet that a function cut is as short as that for its callers', () => {
  const insns = program((code, [first, second]) => {
    code.mov(6, { reg: 1 })
    code.load(4, 3, 1, 0)
    code.load(1, 0, 3, 45)
    code.emit('call_local', {}, first!)
    code.load(4, 3, 6, 0)
    code.load(1, 0, 3, 39)
    code.load(1, 0, 3, 45)
    code.exit()
    code.bind(first!)
    code.emit('call_local', {}, second!)
    code.exit()
    code.bind(second!)
    code.mov(2, -20)
    code.call(ADJUST_TAIL)
    code.exit()
  })
  const [interpreted, compiled] = (['interpreter', 'jit'] as const).map((engine) =>
    load(insns, { type: 'xdp', engine }).run(new Uint8Array(60)),
  )
  expect(interpreted!.fault).toMatchObject({ kind: 'out-of-bounds', insn: 6 })
  expect(compiled!.toJSON()).toEqual(interpreted!.toJSON())
})

describe('hostile programs', () => {
  const frame = new Uint8Array(60)

  it('with functions by the thousand, each calling the next, run as others do', () => {
    const insns = program((code) => {
      const functions = Array.from({ length: 20_000 }, () => code.label())
      for (const [i, next] of [...functions, undefined].entries()) {
        if (i > 0) code.bind(functions[i - 1]!)
        if (next) code.emit('call_local', {}, next)
        code.exit()
      }
    })
    const [interpreted, compiled] = (['interpreter', 'jit'] as const).map((engine) =>
      load(insns, { type: 'xdp', engine, patience: 0 }).run(frame),
    )
    expect(interpreted!.fault).toMatchObject({ kind: 'call-depth' })
    expect(compiled!.toJSON()).toEqual(interpreted!.toJSON())
    const machine = load(insns, { type: 'xdp', engine: 'jit' })
    expect([machine.batch().compiled, machine.stateless]).toEqual([false, false])
  })

  it('with functions that share more code than programs can have are not compiled', () => {
    const insns = program((code) => {
      const functions = Array.from({ length: 255 }, () => code.label())
      code.emit('call_local', {}, functions[0]!)
      code.exit()
      for (const [i, here] of functions.entries()) {
        code.bind(here)
        // All go on into the next, so each holds all that comes after it.
        if (i + 1 < functions.length) code.emit('call_local', {}, functions[i + 1]!)
      }
      for (let i = 0; i < 8000; i++) code.mov(0, i)
      code.exit()
    })
    const [interpreted, compiled] = (['interpreter', 'jit'] as const).map((engine) =>
      load(insns, { type: 'xdp', engine, patience: 0, budget: { insns: 100_000 } }).run(frame),
    )
    expect(compiled!.toJSON()).toEqual(interpreted!.toJSON())
    const machine = load(insns, { type: 'xdp', engine: 'jit' })
    expect([machine.batch().compiled, machine.stateless]).toEqual([false, false])
  })

  it('with functions that are longer than engines of WebAssembly take run as others do', () => {
    const shapes: Record<string, (code: Code) => void> = {
      'loops one over the other': (code) => {
        const heads = Array.from({ length: 120_000 }, () => code.label())
        for (const head of heads) {
          code.bind(head)
          code.mov(0, 0)
        }
        for (const head of heads) code.jump('jeq', 0, 1, head)
      },
      'loops that are entered in their middle': (code) => {
        code.mov(0, 0)
        for (let i = 0; i < 25_000; i++) {
          const [head, middle] = [code.label(), code.label()]
          code.jump('jeq', 0, 1, middle)
          code.bind(head)
          code.mov(0, 0)
          code.bind(middle)
          code.mov(0, 0)
          code.jump('jeq', 0, 1, head)
        }
      },
    }
    for (const [name, shape] of Object.entries(shapes)) {
      const insns = program((code) => {
        shape(code)
        code.exit()
      })
      const start = busy()
      const [interpreted, compiled] = (['interpreter', 'jit'] as const).map((engine) =>
        load(insns, { type: 'xdp', engine, patience: 0 }).run(frame),
      )
      expect(interpreted!.fault, name).toBeUndefined()
      expect(compiled!.toJSON(), name).toEqual(interpreted!.toJSON())
      const batch = load(insns, { type: 'xdp', engine: 'jit', patience: 0 }).batch({ chunkBytes: 4096 })
      new DataView(batch.input.buffer, batch.input.byteOffset).setUint32(8, frame.length, true)
      expect([...batch.run(16 + frame.length).r0], name).toEqual([interpreted!.r0])
      expect(batch.compiled, name).toBe(false)
      expect(busy() - start, name).toBeLessThan(20_000)
    }
  })

  it('with loops by the thousand in each other are compiled in linear time', () => {
    const insns = program((code) => {
      const heads = Array.from({ length: 70_000 }, () => code.label())
      for (const head of heads) {
        code.bind(head)
        code.mov(0, 0)
      }
      for (const head of heads.reverse()) code.jump('jeq', 0, 1, head)
      code.exit()
    })
    const start = busy()
    load(insns, { type: 'xdp', engine: 'jit', patience: 0 }).run(frame)
    expect(busy() - start).toBeLessThan(10_000)
  })

  it('with calls by the thousand in one block are compiled in linear time', () => {
    const insns = program((code, [first]) => {
      for (let i = 0; i < 40_000; i++) code.emit('call_local', {}, first!)
      code.exit()
      code.bind(first!)
      code.alu('add', 0, 1)
      code.exit()
    })
    const start = busy()
    load(insns, { type: 'xdp', engine: 'jit', patience: 0 }).run(frame)
    expect(busy() - start).toBeLessThan(10_000)
  })
})

describe('how deep calls are', () => {
  /** A function that calls itself so often; each counts. */
  const nested = (times: number): Insn[] =>
    program((code, [first]) => {
      const end = code.label()
      code.mov(1, times)
      code.emit('call_local', {}, first!)
      code.exit()
      code.bind(first!)
      code.mov(0, 0)
      code.alu('sub', 1, 1)
      code.jump('jeq', 1, 0, end)
      code.emit('call_local', {}, first!)
      code.bind(end)
      code.alu('add', 0, 1)
      code.exit()
    })

  it('is 8 frames, the ninth faults at the call', () => {
    expect(answers(nested(7), [0])).toEqual([[7], [7], [7]])
    expect(answers(nested(8), [0])).toEqual([[0], [0], [0]])
    for (const engine of ['interpreter', 'jit'] as const) {
      const { fault, insns } = load(nested(8), { type: 'xdp', engine }).run(new Uint8Array(60))
      expect(fault).toMatchObject({ kind: 'call-depth', insn: 6 })
      expect(insns).toBe(2 + 7 * 4)
    }
  })
})
