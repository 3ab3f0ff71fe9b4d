import { assemble, Code, type MapDef } from '@netsieve/asm'
import { expect, test } from 'vitest'
import { explain, renderExplanation, type VerifyOptions, verify } from '../src/index.ts'

const HASH: MapDef = { name: 'flows', type: 'hash', keySize: 8, valueSize: 16, maxEntries: 8 }
const LOCKED: MapDef = { name: 'locked', type: 'hash', keySize: 8, valueSize: 16, maxEntries: 8, spinLockAt: 0 }

function insns(text: string) {
  const { value, diagnostics } = assemble(
    { name: 'test', text: text.split(/; */).join('\n') },
    { dialect: 'kernel', origins: false },
  )
  if (!value) throw new Error(diagnostics[0]!.message)
  return value.programs[0]!.insns
}

const run = (text: string, options: Partial<VerifyOptions> = {}) => verify(insns(text), { type: 'xdp', ...options })

test('accepts and counts', () => {
  const { status, stats, message } = run('r0 = 2; exit')
  expect({ status, message, insns: stats.processedInsns, depth: stats.stackDepth }).toEqual({ status: 'accepted', message: undefined, insns: 2, depth: [0] }) // biome-ignore format: a row
})

test('names the slot and the instruction of a rejection', () => {
  const { status, message, slot, insn } = run('r1 = 5 ll; r0 = r3; exit')
  expect({ status, message, slot, insn }).toEqual({ status: 'rejected', message: 'R3 !read_ok', slot: 2, insn: 1 })
})

test('logs a line an instruction, as Linux 6.18.44 did for this program', () => {
  const { log } = run('r6 = r1; r2 = *(u32 *)(r1 +0); r3 = *(u32 *)(r1 +4); r4 = r2; r4 += 14; if r4 > r3 goto +4; r5 = *(u8 *)(r2 +12); *(u64 *)(r10 -8) = r5; r0 = *(u64 *)(r10 -8); goto +1; r0 = 2; exit', { logLevel: 1 }) // biome-ignore format: a program
  expect(log).toContain('5: (2d) if r4 > r3 goto pc+4          ; R3=pkt_end() R4=pkt(off=14,r=14)\n')
  expect(log).toContain('11: safe\nprocessed 13 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0\n') // biome-ignore format: as it is
})

test('what is not modelled is neither accepted nor rejected', () => {
  const kfunc = verify(
    [...insns('r0 = 0; exit')].map((i) => i),
    { type: 'xdp' },
  )
  expect(kfunc.status).toBe('accepted')
  const dynptr = run('r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = r10; r4 += -24; call 197; r0 = 0; exit')
  expect(dynptr.status).toBe('unsupported')
  expect(dynptr.message).toContain('dynptrs')
})

test('a loader without capabilities: short programs of two types, without loops and functions', () => {
  const none = (text: string, type: 'socket_filter' | 'cgroup_skb' | 'xdp' = 'socket_filter') =>
    run(text, { loader: 'none', type }).message
  expect(none('r0 = 0; exit')).toBeUndefined()
  expect(none('r0 = 0; exit', 'cgroup_skb')).toBeUndefined()
  expect(none('r0 = 0; exit', 'xdp')).toMatch('only socket_filter and cgroup_skb programs')
  expect(none(`${'r0 = 0; '.repeat(4095)}exit`)).toBeUndefined()
  expect(none(`${'r0 = 0; '.repeat(4096)}exit`)).toBe('bad program size')
  expect(none('r0 = 0; goto -2')).toBe('back-edge from insn 1 to 0')
})

test('strict: no pointers leak, no unwritten stack is read', () => {
  const cases: [string, string][] = [
    ['r0 = r1; exit', 'R0 leaks addr as return value'],
    ['r0 = *(u64 *)(r10 -8); r0 = 0; exit', 'invalid read from stack R10 off=-8 size=8'],
    ['*(u8 *)(r10 -1) = 1; r0 = *(u64 *)(r10 -8); r0 = 0; exit', 'invalid read from stack off -8+0 size 8'],
    ['w1 = w1; r0 = 0; exit', 'R1 partial copy of pointer'],
    ['*(u64 *)(r10 -8) = r1; *(u32 *)(r10 -8) = 1; r0 = 0; exit', 'attempt to corrupt spilled pointer on stack'],
  ]
  for (const [text, message] of cases) {
    expect(run(text).status, text).toBe('accepted')
    expect(run(text, { loader: 'bpf' }).message, text).toBe(message)
  }
})

test('spin locks: taken once, released before the end, nothing called between', () => {
  const locked = (body: string) =>
    run(`*(u64 *)(r10 -8) = 1; r1 = map[idx:0]; r2 = r10; r2 += -8; call 1; if r0 == 0 goto out; r6 = r0; r1 = r6; call 93; ${body}; out: r0 = 0; exit`, { maps: [LOCKED] }) // biome-ignore format: a program
  expect(locked('r1 = r6; call 94').status).toBe('accepted')
  expect(locked('r7 = 1').message).toBe(
    'BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region',
  )
  expect(locked('call 7').message).toBe('function calls are not allowed while holding a lock')
  expect(locked('r2 = *(u32 *)(r6 +0); r1 = r6; call 94').message).toBe('bpf_spin_lock cannot be accessed directly by load/store') // biome-ignore format: a row
})

/** A call of bpf_loop with a callback whose body is given. */
function loopProgram(rounds: number, body: (c: Code) => void) {
  const c = new Code()
  const callback = c.label()
  c.mov(1, rounds)
  c.emit('lddw_func', { dst: 2 }, callback)
  c.mov(3, 0)
  c.mov(4, 0)
  c.call(181)
  c.mov(0, 0)
  c.exit()
  c.bind(callback)
  body(c)
  c.exit()
  // The address is a distance like a call's; `layout` knows only jumps, so it is put in by hand.
  const program = c.layout()
  return program.map((insn) => (insn.spec.name === 'lddw_func' ? { ...insn, imm: 6, off: 0 } : insn))
}

test('callbacks: refused without BTF, walked with it, their results checked', () => {
  const fine = loopProgram(1000, (c) => c.mov(0, 0))
  expect(verify(fine, { type: 'xdp' }).message).toBe('missing btf func_info')
  expect(verify(fine, { type: 'xdp', functions: [] }).status).toBe('accepted')
  const wrong = verify(
    loopProgram(1000, (c) => c.mov(0, 7)),
    { type: 'xdp', functions: [] },
  )
  expect(wrong.message).toBe('At callback return the register R0 has smin=7 smax=7 should have been in [0, 1]')
})

test('a loop with may_goto converges', () => {
  const { status, stats } = run('r6 = 0; top: r6 += 1; may_goto +1; goto top; r0 = 0; exit')
  expect(status).toBe('accepted')
  expect(stats.processedInsns).toBeLessThan(100)
})

test('hostile programs end: too many instructions, too many branches', () => {
  const loop = run('r0 = 0; top: r0 += 1; if r0 != 1000000 goto top; r0 = 0; exit', { budget: 20_000 })
  expect(loop.message).toBe('BPF program is too large. Processed 20001 insn')
})

test('explains where a register came from', () => {
  const program = insns(
    'r2 = *(u32 *)(r1 +0); r3 = *(u32 *)(r1 +4); r4 = r2; r4 += 14; if r4 > r3 goto +1; r5 = *(u8 *)(r2 +14); r0 = 2; exit',
  )
  const text = renderExplanation(explain(program, verify(program, { type: 'xdp' }))!)
  expect(text).toBe(
    [
      'Reason: invalid access to packet, off=14 size=1, R2(id=0,off=14,r=14); R2 offset is outside of the packet',
      'At:',
      '  5: (71) r5 = *(u8 *)(r2 +14)  (rejected here)',
      'Causal path:',
      '  0: (61) r2 = *(u32 *)(r1 +0)  (loaded r2)',
      '  4: (2d) if r4 > r3 goto pc+1  (r4 is 14 bytes on, compared with r3: went on)',
      'Suggestion: compare the pointer plus the bytes you read with data_end, and jump away where it is greater',
      '',
    ].join('\n'),
  )
})

const pathOf = (text: string, options: Partial<VerifyOptions> = {}) =>
  explain(insns(text), run(text, options))!.path.map(({ slot, what }) => `${slot} ${what}`)

test('a packet pointer without a comparison, and one that a helper made void, are told as such', () => {
  expect(pathOf('r2 = *(u32 *)(r1 +0); r0 = *(u8 *)(r2 +0); exit')).toEqual([
    '0 loaded r2, and never compared with data_end on this way',
  ])
  const moved = 'r6 = r1; r7 = *(u32 *)(r6 +76); r1 = r6; r2 = 100; r3 = 0; call 38; r0 = *(u8 *)(r7 +0); r0 = 0; exit'
  expect(pathOf(moved, { type: 'sched_cls' })).toEqual([
    '1 loaded r7',
    '5 the packet may move here: pointers into it are void',
  ])
})

test('an object that was given back, and comparisons where a state was kept, are told once', () => {
  const RING: MapDef = { name: 'ring', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 4096 }
  const given =
    'r1 = map[idx:0]; r2 = 8; r3 = 0; call 131; if r0 == 0 goto out; r6 = r0; r1 = r0; r2 = 0; call 132; r1 = *(u8 *)(r6 +0); out: r0 = 0; exit'
  expect(pathOf(given, { maps: [RING] })).toEqual([
    '4 returned r0',
    '5 compared r0',
    '6 copied r6',
    '9 released here: its pointers are void',
  ])
  const kept = `r6 = *(u32 *)(r1 +0); r7 = *(u32 *)(r1 +4); call 7; if r0 > 9 goto out; if r0 > 8 goto out; if r0 > 7 goto out; r6 += r0; if r6 > r7 goto out; r0 = *(u8 *)(r6 +0); out: r0 = 0; exit`
  expect(pathOf(kept)).toEqual(['0 loaded r6', '6 changed r6', '7 r6 is some bytes on, compared with r7: went on'])
  expect(run(kept).path).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
})

test('a value is followed through the stack and through calls', () => {
  expect(pathOf('r2 = 5; *(u64 *)(r10 -8) = r2; r2 = 0; r3 = *(u64 *)(r10 -8); r0 = *(u8 *)(r3 +0); exit')).toEqual([
    '0 set r2',
    '1 spilled r2',
    '3 reloaded r3',
  ])
  expect(pathOf('r6 = 7; call f; r0 = *(u8 *)(r6 +0); exit; f: r6 = 9; r0 = 0; exit')).toEqual(['0 set r6'])
  expect(pathOf('call f; r0 = *(u8 *)(r0 +0); exit; f: r0 = 9; exit')).toEqual(['3 set r0', '4 returned r0'])
  expect(pathOf('r1 = 3; call f; r0 = 0; exit; f: r0 = *(u8 *)(r1 +0); exit')).toEqual(['0 set r1', '1 passed r1'])
})

test('null checks reach spilled copies', () => {
  const text = (test: string) =>
    `*(u64 *)(r10 -8) = 1; r1 = map[idx:0]; r2 = r10; r2 += -8; call 1; *(u64 *)(r10 -16) = r0; ${test}; r6 = *(u64 *)(r10 -16); r1 = *(u32 *)(r6 +0); out: r0 = 0; exit`
  expect(run(text('if r0 == 0 goto out'), { maps: [HASH] }).status).toBe('accepted')
  expect(run(text('r9 = 0'), { maps: [HASH] }).message).toBe("R6 invalid mem access 'map_value_or_null'")
})

test('a number linked to nothing stands for one that was a constant apart from another: as many instructions as Linux 6.18.44 counts', () => {
  const { status, stats } = run('call 7; r0 s%= 262144; r9 = r0; r9 += 10; if r0 > 20 goto far; r9 s%= r0; far: call 125; r1 = 1; r2 = 2; r3 = 3; r4 = 4; if r1 == 0 goto +0; r5 = 5; if r1 == 0 goto +0; r0 s>>= r9; r0 &= 3; r2 = r10; r2 += r0; *(u8 *)(r2 -8) = 1; r0 = 0; exit') // biome-ignore format: a program
  expect([status, stats.processedInsns, stats.totalStates]).toEqual(['accepted', 23, 2])
})

test('a number that is linked anew each round of a loop is forgotten: as many instructions as Linux 6.18.44 counts', () => {
  const { status, stats } = run('r6 = r1; r3 = *(u32 *)(r6 +12); r3 |= r3; r9 = 1; top: may_goto +4; r3 = r3; r9 s/= 19; r9 += 1; goto top; r0 = 0; exit') // biome-ignore format: a program
  expect([status, stats.processedInsns, stats.totalStates]).toEqual(['accepted', 26, 3])
})

/** Milliseconds of processor time that a program takes. */
function cost(program: ReturnType<typeof insns>): number {
  const start = process.cpuUsage()
  verify(program, { type: 'xdp' })
  return process.cpuUsage(start).user / 1000
}

test('long chains of jumps backwards take time in proportion', () => {
  const chain = (length: number) =>
    insns(
      `r6 = r1; goto b${length}; b0: r1 = r6; r0 = 0; exit; ${Array.from({ length }, (_, i) => `b${i + 1}: goto b${i}`).join('; ')}`,
    )
  // Each register that is live at the end is so all along the chain: a pass over the program for each jump took 84 s.
  expect(cost(chain(30_000))).toBeLessThan(5000)
})

test('a number that is relied upon again and again is traced back once', () => {
  const c = new Code()
  c.call(7)
  c.mov(6, { reg: 0 })
  c.alu('and', 6, 7)
  for (let i = 0; i < 40_000; i++) {
    c.mov(1, { reg: 10 })
    c.alu('add', 1, { reg: 6 })
  }
  c.mov(0, 0)
  c.exit()
  const program = c.layout()
  const from = performance.now()
  expect(verify(program, { type: 'xdp' })).toMatchObject({ status: 'accepted', stats: { processedInsns: 80_005 } })
  // Back to the start each time took minutes.
  expect(performance.now() - from).toBeLessThan(5000)
})
