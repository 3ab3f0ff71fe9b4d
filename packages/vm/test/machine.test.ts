// A machine's life on both engines: results, faults, budgets, calls, callbacks, tail calls, maps from outside, output, steps.

import { Code, HELPERS, type Insn, insn, type MapDef } from '@netsieve/asm'
import Long from 'long'
import { describe, expect, test } from 'vitest'
import { checkMaps, type LoadOptions, load } from '../src/index.ts'

const PACKET = Uint8Array.from({ length: 20 }, (_, i) => i)
const COUNTS: MapDef = { name: 'counts', type: 'array', keySize: 4, valueSize: 8, maxEntries: 4 }
const JUMPS: MapDef = { name: 'jumps', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 2 }
const RING: MapDef = { name: 'ring', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 4096 }

function code(write: (code: Code) => void): Insn[] {
  const out = new Code()
  write(out)
  return out.layout()
}
const u32 = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer)
const u64 = (n: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(n).buffer)

/** r7 = data */
const withData = (write: (code: Code) => void): Insn[] =>
  code((c) => {
    c.load(4, 7, 1, 0)
    write(c)
    c.exit()
  })

describe.each(['interpreter', 'jit'] as const)('%s', (engine) => {
  const machine = (program: readonly Insn[], options: Partial<LoadOptions> = {}) =>
    load(program, { type: 'xdp', engine, patience: 0, ...options })

  test("an exit that hands on what a function returned: the place of exit is the function's", () => {
    const program = code((c) => {
      const [inner, other] = [c.label(), c.label()]
      c.origin = { text: 'main' }
      c.emit('call_local', {}, inner)
      c.origin = { text: 'main', handsOn: true }
      c.exit()
      c.bind(inner)
      c.origin = { text: 'inner' }
      c.emit('call_local', {}, other)
      c.jump('jne', 0, 7, other)
      c.origin = { text: 'inner', handsOn: true }
      c.exit()
      c.bind(other)
      c.origin = { text: 'other' }
      c.mov(0, 7)
      c.exit()
    })
    const one = machine(program)
    expect(one.run(PACKET)).toMatchObject({ r0: 7, exit: 6 })
    expect(program[6]!.origin?.text).toBe('other')
    const batch = one.batch({ exits: true })
    const record = new Uint8Array(16 + PACKET.length)
    record.set(u32(PACKET.length), 8)
    record.set(u32(PACKET.length), 12)
    batch.input.set(record)
    const { records, exits } = batch.run(record.length)
    expect([records, exits[0]]).toEqual([1, 6])
  })

  test('result, count and place of exit', () => {
    const program = withData((c) => c.load(4, 0, 7, 0))
    const run = machine(program).run(PACKET)
    expect(run).toMatchObject({ r0: 0x03020100, insns: 3, exit: 2 })
    expect(run.r0Long.toString()).toBe('50462976')
    expect(run.fault).toBeUndefined()
    expect(run.packet).toBeUndefined()
  })

  test.each<[string, (c: Code) => void, object]>([
    [
      'past the end',
      (c) => c.load(4, 0, 7, 19),
      { kind: 'out-of-bounds', insn: 1, region: 'packet', reason: 'out of packet by 3 bytes at insn 1' },
    ],
    [
      'before the start',
      (c) => c.load(1, 0, 7, -1),
      { kind: 'out-of-bounds', reason: '1 byte before packet at insn 1' },
    ],
    ['through nothing', (c) => c.load(8, 0, 3, 0), { kind: 'no-region', reason: 'NULL is in no region at insn 1' }],
    [
      'below the stack',
      (c) => c.store(8, 10, -520, 1),
      { kind: 'out-of-bounds', region: 'stack', reason: '8 bytes before stack at insn 1' },
    ],
    [
      'above the stack',
      (c) => c.load(4, 0, 10, -2),
      { kind: 'out-of-bounds', reason: 'out of stack by 2 bytes at insn 1' },
    ],
    ['a field that is none', (c) => c.load(2, 0, 1, 0), { kind: 'context', region: 'ctx' }],
    ['a store to the context', (c) => c.store(4, 1, 12, 1), { kind: 'context' }],
    ['an unknown helper', (c) => c.call(9999), { kind: 'unknown-helper', reason: 'there is no helper 9999 at insn 1' }],
    [
      'a helper that is not there',
      (c) => c.call(HELPERS.timer_init.id),
      { kind: 'unknown-helper', reason: 'helper bpf_timer_init (169) is not implemented at insn 1' },
    ],
    ['a map that is none', (c) => c.call(1), { kind: 'helper-argument' }],
    ['a jump out', (c) => c.emit('ja', { off: 100 }), { kind: 'jump', insn: 1 }],
    ['callx', (c) => c.emit('callx', { dst: 3 }), { kind: 'unsupported' }],
  ])('fault: %s', (_, write, fault) => {
    const run = machine(withData(write)).run(PACKET)
    expect(run.fault).toMatchObject(fault)
    expect(run.exit).toBeUndefined()
  })

  test('a program without an end', () => {
    expect(machine([insn('mov_imm', { dst: 0, imm: 1 })]).run(PACKET).fault).toMatchObject({ kind: 'jump', insn: 0 })
  })

  test('stores to a packet that may only be read', () => {
    const program = code((c) => {
      c.load(4, 2, 1, 76)
      c.store(1, 2, 0, 1)
      c.exit()
    })
    expect(machine(program, { type: 'cgroup_skb' }).run(PACKET).fault).toMatchObject({
      kind: 'read-only',
      reason: 'packet is read-only at insn 1',
    })
  })

  test.each(['map_update_elem', 'map_delete_elem', 'map_push_elem', 'map_pop_elem'] as const)(
    '%s on a map that programs may only read',
    (helper) => {
      const program = code((c) => {
        for (const at of [-8, -16]) c.store(8, 10, at, 0)
        c.map(1, 0)
        for (const [register, at] of [[2, -8], [3, -16]] as const) {
          c.mov(register, { reg: 10 })
          c.alu('add', register, at)
        } // biome-ignore format: two rows
        c.mov(4, 0)
        if (helper === 'map_push_elem') c.mov(3, 0)
        c.call(HELPERS[helper].id)
        c.exit()
      })
      const queue = helper === 'map_push_elem' || helper === 'map_pop_elem'
      const def: MapDef = queue
        ? { name: 'm', type: 'queue', keySize: 0, valueSize: 8, maxEntries: 4, flags: 0x80 }
        : { name: 'm', type: 'hash', keySize: 4, valueSize: 8, maxEntries: 4, flags: 0x80 }
      expect(machine(program, { maps: [def] }).run(PACKET).fault).toMatchObject({
        kind: 'read-only',
        region: 'm',
        reason: expect.stringMatching(/^map m is read-only at insn/),
      })
      expect(machine(program, { maps: [{ ...def, flags: 0 }] }).run(PACKET).fault).toBeUndefined()
    },
  )

  test('a loop stops at the budget', () => {
    const program = [insn('mov_imm', { dst: 0 }), insn('add_imm', { dst: 0, imm: 1 }), insn('ja', { off: -2 })]
    const run = machine(program, { budget: { insns: 1000 } }).run(PACKET)
    expect(run.fault).toMatchObject({ kind: 'budget', reason: 'more than 1000 instructions at insn 2' })
    expect(run.insns).toBe(1001)
  })

  test('calls nest as deep as allowed', () => {
    const program = [insn('call_local', { imm: -1 }), insn('exit')]
    const run = machine(program, { budget: { callDepth: 5 } }).run(PACKET)
    expect(run.fault).toMatchObject({ kind: 'call-depth', reason: 'calls deeper than 5 frames at insn 0' })
    expect(run.insns).toBe(5)
  })

  test('the changed packet comes out, and only then', () => {
    const program = withData((c) => c.store(2, 7, 3, 0xabcd))
    const subject = machine(program)
    expect(subject.run(PACKET).packet).toEqual(
      Uint8Array.from(PACKET, (byte, i) => (i === 3 ? 0xcd : i === 4 ? 0xab : byte)),
    )
    const same = Uint8Array.from(PACKET)
    same.set([0xcd, 0xab], 3)
    expect(subject.run(same).packet).toBeUndefined()
    expect(subject.run(new Uint8Array(70_000)).fault).toMatchObject({ kind: 'packet' })
  })

  test('metadata of a packet', () => {
    const field = (offset: number, size: 4 | 8 = 4): Insn[] => code((c) => { c.load(size, 0, 1, offset); c.exit() }) // biome-ignore format: short
    const meta = {
      wireLength: 1500,
      mark: 7,
      vlan: { tci: 0x2064, proto: 0x8100 },
      timestampNs: 12_345_678_901_234n,
      ifindex: 3,
    }
    const r0 = (offset: number, size: 4 | 8 = 4): string =>
      machine(field(offset, size), { type: 'sched_cls' }).run(PACKET, meta).r0Long.toUnsigned().toString()
    expect([0, 8, 20, 24, 28, 40].map((at) => r0(at))).toEqual(['1500', '7', '1', '8292', '129', '3'])
    expect(r0(152, 8)).toBe('12345678901234')
    expect(machine(field(12)).run(PACKET, { ifindex: 9 }).r0).toBe(9)
    expect(machine(field(16)).run(PACKET, { rxQueue: 4 }).r0).toBe(4)
  })

  test('time, chance and CPU are what they were told', () => {
    const call = (id: number): Insn[] => code((c) => { c.call(id); c.exit() }) // biome-ignore format: short
    expect(
      machine(call(5))
        .run(PACKET, { timestampNs: Long.fromString('1700000000000000123') })
        .r0Long.toString(),
    ).toBe('1700000000000000123')
    const random = (seed: number): number[] => {
      const subject = machine(call(7), { seed })
      return [subject.run(PACKET).r0, subject.run(PACKET).r0]
    }
    expect(random(5)).toEqual(random(5))
    expect(random(5)).not.toEqual(random(6))
    expect(machine(call(8), { cpu: 3, cpus: 4 }).run(PACKET).r0).toBe(3)
  })

  const counting = code((c) => {
    const none = c.label()
    c.store(4, 10, -4, 2)
    c.emit('lddw_map_index', { dst: 1, imm: 0 })
    c.mov(2, { reg: 10 })
    c.alu('add', 2, -4)
    c.call(1)
    c.jump('jeq', 0, 0, none)
    c.mov(1, 5)
    c.emit('atomic_add_dw', { dst: 0, src: 1 })
    c.load(8, 0, 0, 0)
    c.bind(none)
    c.exit()
  })

  test('maps hold what their definitions say when the program starts', () => {
    const four = (n: number) => Uint8Array.of(n, 0, 0, 0)
    const eight = (n: number) => Uint8Array.of(n, 0, 0, 0, 0, 0, 0, 0)
    const array = { ...COUNTS, maxEntries: 4, entries: [[four(2), eight(7)]] } as const
    const hash = { ...array, type: 'hash' } as const
    for (const def of [array, hash, { ...array, type: 'percpu_array' } as const]) {
      const subject = machine([insn('mov_imm', { dst: 0 }), insn('exit')], { maps: [def] })
      expect(subject.map(0).get(four(2))).toEqual(eight(7))
      expect(subject.map(0).get(four(1))).toEqual(def.type === 'hash' ? undefined : eight(0))
    }
    const wrong = { ...array, entries: [[four(9), eight(1)]] } as const
    expect(() => machine([insn('exit')], { maps: [wrong] })).toThrow('an element cannot be set')
  })

  test('maps keep what programs and JavaScript put in them', () => {
    const subject = machine(counting, { maps: [COUNTS] })
    subject.run(PACKET)
    expect(subject.run(PACKET).r0).toBe(10)
    const map = subject.map('counts')
    expect(map.get(u32(2))).toEqual(u64(10n))
    expect(map.set(u32(2), u64(100n))).toBe(0)
    expect(map.set(u32(9), u64(1n))).toBe(-7)
    expect(subject.run(PACKET).r0).toBe(105)
    const json = JSON.parse(JSON.stringify(map))
    const other = machine(counting, { maps: [COUNTS] })
    other.map(0).load(json)
    expect(other.run(PACKET).r0).toBe(110)
    expect(() => map.get(u64(1n))).toThrow('4 bytes')
  })

  test('an access must stay in its own element', () => {
    const program = counting.map((one) => (one.spec.name === 'ldxdw' ? { ...one, off: 4 } : one))
    expect(machine(program, { maps: [COUNTS] }).run(PACKET).fault).toMatchObject({
      kind: 'out-of-bounds',
      region: 'counts',
      reason: 'out of a value of counts by 4 bytes at insn 8',
    })
  })

  test('a callback whose functions call helpers: each time it has the frame it had', () => {
    const program = code((c) => {
      const [body, inner] = [c.label('body'), c.label('inner')]
      c.mov(1, 20)
      c.emit('lddw_func', { dst: 2 }, body)
      c.mov(3, 0)
      c.mov(4, 0)
      c.mov(6, 66)
      c.call(HELPERS.loop.id)
      c.alu('add', 0, { reg: 6 })
      c.exit()
      c.bind(body)
      c.mov(7, 0)
      c.emit('call_local', {}, inner)
      c.mov(0, { reg: 7 })
      c.exit()
      c.bind(inner)
      c.call(HELPERS.get_prandom_u32.id)
      c.mov(7, 1)
      c.exit()
    })
    const run = machine(program).run(PACKET)
    expect(run.fault).toBeUndefined()
    expect([run.r0, run.insns]).toEqual([86, 6 + 2 + 20 * 7])
  })

  test('bpf_loop and its callback', () => {
    const program = code((c) => {
      const body = c.label('body')
      c.store(8, 10, -8, 0)
      c.mov(1, 10)
      c.emit('lddw_func', { dst: 2 }, body)
      c.mov(3, { reg: 10 })
      c.alu('add', 3, -8)
      c.mov(4, 0)
      c.call(HELPERS.loop.id)
      c.load(8, 1, 10, -8)
      c.alu('lsh', 0, 16)
      c.alu('add', 0, { reg: 1 })
      c.exit()
      c.bind(body)
      // *context += index; stops at 6
      c.load(8, 3, 2, 0)
      c.alu('add', 3, { reg: 1 })
      c.store(8, 2, 0, { reg: 3 })
      c.mov(0, 0)
      const on = c.label()
      c.jump('jlt', 1, 6, on)
      c.mov(0, 1)
      c.bind(on)
      c.exit()
    })
    expect(machine(program).run(PACKET)).toMatchObject({ r0: (7 << 16) + 21, exit: 10 })
  })

  test('tail calls go on in another program', () => {
    const first = code((c) => {
      c.mov(6, { reg: 1 })
      c.emit('lddw_map_index', { dst: 2, imm: 0 })
      c.mov(3, 1)
      c.call(12)
      c.mov(0, 77)
      c.exit()
    })
    const second = code((c) => { c.load(4, 0, 1, 12); c.alu('add', 0, 500); c.exit() }) // biome-ignore format: short
    const subject = machine(first, { maps: [JUMPS], programs: [{ insns: second }] })
    expect(subject.run(PACKET)).toMatchObject({ r0: 77, exit: 5 })
    subject.setProgram('jumps', 1, 1)
    expect(subject.run(PACKET, { ifindex: 4 })).toMatchObject({ r0: 504, exit: first.length + 2, program: 1, insns: 7 })
    // Into itself: 33 times, then on.
    subject.setProgram('jumps', 1, 0)
    expect(subject.run(PACKET)).toMatchObject({ r0: 77, insns: 33 * 4 + 6 })
  })

  test('records of a ring buffer and text come out', () => {
    const program = code((c) => {
      const none = c.label()
      c.emit('lddw_map_index', { dst: 1, imm: 0 })
      c.mov(2, 4)
      c.mov(3, 0)
      c.call(HELPERS.ringbuf_reserve.id)
      c.jump('jeq', 0, 0, none)
      c.store(4, 0, 0, 0x01020304)
      c.mov(1, { reg: 0 })
      c.mov(2, 0)
      c.call(HELPERS.ringbuf_submit.id)
      c.lddw(1, 0x0a_7825_3d78n)
      c.store(8, 10, -8, { reg: 1 })
      c.mov(1, { reg: 10 })
      c.alu('add', 1, -8)
      c.mov(2, 8)
      c.mov(3, 255)
      c.call(HELPERS.trace_printk.id)
      c.bind(none)
      c.exit()
    })
    const run = machine(program, { maps: [RING] }).run(PACKET)
    expect(run.outputs).toEqual([
      { kind: 'event', map: 'ring', data: Uint8Array.of(4, 3, 2, 1) },
      { kind: 'trace', text: 'x=ff\n' },
    ])
  })

  test.each([4096n, 0x7fff_fff0n, 0x7fff_ffffn, 0xffff_fff8n, 0x1_0000_0004n, -1n])(
    'no record of %d bytes in a ring buffer',
    (size) => {
      const program = code((c) => {
        c.emit('lddw_map_index', { dst: 1, imm: 0 })
        c.lddw(2, size)
        c.mov(3, 0)
        c.call(HELPERS.ringbuf_reserve.id)
        c.exit()
      })
      expect(machine(program, { maps: [RING] }).run(PACKET)).toMatchObject({ r0: 0, exit: program.length - 1 })
    },
  )

  test('helpers of the caller go before the built-in ones', () => {
    const program = [insn('mov_imm', { dst: 1, imm: 20 }), insn('call', { imm: 5 }), insn('exit')]
    expect(machine(program, { helpers: { 5: (engine) => engine.regs[2]! + 1 } }).run(PACKET).r0).toBe(21)
  })

  test('rfc9669: plain memory in r1, its length in r2, and callx', () => {
    const program = code((c) => {
      c.load(1, 0, 1, 5)
      c.alu('add', 0, { reg: 2 })
      c.mov(3, 8)
      c.emit('callx', { dst: 3 })
      c.exit()
    })
    expect(machine(program.slice(0, 2).concat(insn('exit')), { mode: 'rfc9669' }).run(PACKET).r0).toBe(25)
    expect(machine(program, { mode: 'rfc9669', cpu: 1, cpus: 2 }).run(PACKET).r0).toBe(1)
  })

  test('checks that a verifier made needless are left out, the results are the same', () => {
    const program = withData((c) => c.load(2, 0, 7, 4))
    expect(machine(program, { proved: () => true }).run(PACKET).r0).toBe(0x0504)
    // The context comes back from the stack: what it holds is still read as the context's.
    const spilled = code((c) => {
      c.store(8, 10, -8, { reg: 1 })
      c.load(8, 3, 10, -8)
      c.load(4, 4, 3, 0)
      c.load(1, 0, 4, 7)
      c.exit()
    })
    expect(machine(spilled, { proved: () => true }).run(PACKET)).toMatchObject({ r0: 7, exit: 4 })
  })
})

describe('steps', () => {
  const program = code((c) => {
    c.load(4, 7, 1, 0)
    c.load(2, 3, 7, 1)
    c.store(4, 10, -8, { reg: 3 })
    c.store(1, 7, 0, 9)
    c.mov(0, 2)
    c.exit()
  })
  const subject = () => load(program, { type: 'xdp' })

  test('a trace tells what each instruction read, wrote and changed', () => {
    const steps = subject().trace(PACKET)
    expect(steps.map(({ insn }) => insn)).toEqual([0, 1, 2, 3, 4, 5])
    expect(steps[1]).toMatchObject({
      registers: [{ register: 3, before: '0x0000000000000000', after: '0x0000000000000201' }],
      reads: [{ region: 'packet', offset: 1, before: '0102' }],
      writes: [],
    })
    expect(steps[2]!.writes).toEqual([{ region: 'stack', offset: -8, before: '00000000', after: '01020000' }])
    expect(steps[3]!.writes).toEqual([{ region: 'packet', offset: 0, before: '00', after: '09' }])
    expect(steps.map(({ last }) => last)).toEqual([false, false, false, false, false, true])
  })

  test('back undoes a step, and the steps after are the same again', () => {
    const machine = subject()
    machine.start(PACKET)
    const forward = [machine.step(), machine.step(), machine.step(), machine.step()]
    expect(machine.back()).toEqual(forward[2])
    expect(machine.back()).toEqual(forward[1])
    expect(machine.step()).toEqual(forward[2])
    expect(machine.back()).toEqual(forward[1])
    expect(machine.back()).toEqual(forward[0])
    expect(machine.back()).toBeUndefined()
    expect(machine.step()).toEqual(forward[0])
    expect(machine.continue(new Set([4])).map((step) => step.insn)).toEqual([1, 2, 3])
    expect(machine.continue(new Set()).at(-1)).toMatchObject({ insn: 5, last: true })
    expect(machine.step()).toBeUndefined()
    expect(machine.result()).toMatchObject({ r0: 2, insns: 6, exit: 5 })
  })

  test('functions that helpers call are stepped through, and breakpoints in them and in other programs hold', () => {
    const first = code((c) => {
      const body = c.label('body')
      c.mov(6, { reg: 1 })
      c.store(8, 10, -8, 0)
      c.mov(1, 3)
      c.emit('lddw_func', { dst: 2 }, body)
      c.mov(3, { reg: 10 })
      c.alu('add', 3, -8)
      c.mov(4, 0)
      c.call(HELPERS.loop.id)
      c.mov(1, { reg: 6 })
      c.map(2, 0)
      c.mov(3, 0)
      c.call(HELPERS.tail_call.id)
      c.exit()
      c.bind(body)
      c.load(8, 3, 2, 0)
      c.alu('add', 3, 5)
      c.store(8, 2, 0, { reg: 3 })
      c.mov(0, 0)
      c.exit()
    })
    const second = code((c) => { c.mov(0, 1); c.mov(0, 2); c.exit() }) // biome-ignore format: short
    const machine = load(first, { type: 'xdp', maps: [JUMPS], programs: [{ insns: second }] })
    machine.setProgram('jumps', 0, 1)
    machine.start(PACKET)
    const store = 15
    const rounds = [1, 2, 3].map(() => machine.continue(new Set([store])).length)
    expect(rounds).toEqual([10, 5, 5])
    expect(machine.step()).toMatchObject({
      insn: store,
      depth: 1,
      writes: [{ region: 'stack', before: '0a00000000000000', after: '0f00000000000000' }],
    })
    expect(machine.back()).toMatchObject({ insn: store - 1, depth: 1 })
    // Instruction 1 of the first program is passed, that of the second is not.
    const rest = machine.continue(new Set([1, first.length + 1]))
    expect(rest.map(({ program, insn }) => [program, insn])).toEqual([
      ...[15, 16, 17, 8, 9, 10, 11].map((insn) => [0, insn]),
      [1, 0],
    ])
    expect(machine.continue(new Set()).map(({ program, insn }) => [program, insn])).toEqual([
      [1, 1],
      [1, 2],
    ])
    expect(machine.result()).toMatchObject({ r0: 2, program: 1 })
  })

  test('changes of maps are told, and undone', () => {
    const update = code((c) => {
      c.store(4, 10, -4, 1)
      c.store(8, 10, -16, 42)
      c.emit('lddw_map_index', { dst: 1, imm: 0 })
      c.mov(2, { reg: 10 })
      c.alu('add', 2, -4)
      c.mov(3, { reg: 10 })
      c.alu('add', 3, -16)
      c.mov(4, 0)
      c.call(2)
      c.exit()
    })
    const machine = load(update, {
      type: 'xdp',
      maps: [{ name: 'h', type: 'hash', keySize: 4, valueSize: 8, maxEntries: 8 }],
    })
    const call = machine.trace(PACKET).find(({ insn }) => update[insn]!.spec.kind === 'call')!
    expect(call.maps).toEqual([{ map: 'h', key: '01000000', after: '2a00000000000000' }])
    machine.back()
    expect(machine.map('h').get(u32(1))).toEqual(u64(42n))
    machine.back()
    expect(machine.map('h').get(u32(1))).toBeUndefined()
  })

  test('a fault is in its step', () => {
    const steps = load([insn('ldxw', { dst: 0, src: 3 }), insn('exit')], { type: 'xdp' }).trace(PACKET)
    expect(steps).toHaveLength(1)
    expect(steps[0]).toMatchObject({ insn: 0, last: true, fault: { kind: 'no-region' } })
  })
})

describe('maps that cannot be', () => {
  test.each<[Partial<MapDef>, string]>([
    [{ keySize: 8 }, 'a array has keys of 4 bytes, not 8'],
    [{ maxEntries: 0 }, 'max_entries is 0'],
    [
      { type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 5000 },
      'the size of a ring buffer is a power of two and whole pages, not 5000',
    ],
    [{ type: 'stack_trace' }, 'type stack_trace is not simulated'],
  ])('%o', (change, message) => {
    const def = { ...COUNTS, ...change }
    expect(checkMaps([def])).toMatchObject([{ code: 'vm/map', message: `map counts: ${message}` }])
    expect(() => load([insn('exit')], { type: 'xdp', maps: [def] })).toThrow(RangeError)
  })
  test('more than the memory budget', () => {
    const def = { ...COUNTS, maxEntries: 1 << 20 }
    expect(() => load([insn('exit')], { type: 'xdp', maps: [def], budget: { memory: 1 << 20 } })).toThrow(
      'above the budget',
    )
  })
})
