// Small pieces of the VM, each with what it is compared to: `benchmark` samples them and says whether the difference is certain.
//   node bench/run.mjs bench/vm.ts

import { Code, type Insn, insn, type MapDef } from '@netsieve/asm'
import { load, type Machine } from '@netsieve/vm'
import Benchmark from 'benchmark'

const PACKET = Uint8Array.from({ length: 64 }, (_, i) => i)

function program(write: (code: Code) => void): Insn[] {
  const code = new Code()
  write(code)
  code.exit()
  return code.layout()
}

/** 7,000 instructions of 64-bit arithmetic in a loop. */
const ARITHMETIC = program((code) => {
  const again = code.label()
  code.lddw(0, 0x9e3779b97f4a7c15n)
  code.mov(2, 1000)
  code.bind(again)
  code.mov(3, { reg: 0 })
  code.alu('mul', 0, 31)
  code.alu('rsh', 3, 7)
  code.alu('xor', 0, { reg: 3 })
  code.alu('add', 0, { reg: 2 })
  code.alu('sub', 2, 1)
  code.jump('jne', 2, 0, again)
})

const lookup = (type: 'array' | 'hash' | 'lpm_trie'): { maps: MapDef[]; program: Insn[] } => ({
  maps: [
    {
      name: 'm',
      type,
      keySize: type === 'lpm_trie' ? 8 : 4,
      valueSize: 8,
      maxEntries: 1024,
      ...(type === 'lpm_trie' && { flags: 1 }),
    },
  ],
  program: program((code) => {
    const again = code.label()
    code.mov(6, 100)
    code.bind(again)
    code.store(4, 10, -8, type === 'lpm_trie' ? 32 : 5)
    code.store(4, 10, -4, 7)
    code.emit('lddw_map_index', { dst: 1, imm: 0 })
    code.mov(2, { reg: 10 })
    code.alu('add', 2, -8)
    code.call(1)
    code.alu('sub', 6, 1)
    code.jump('jne', 6, 0, again)
  }),
})

interface Piece {
  readonly what: string
  /** How many of it one run does, and of what. */
  readonly count: number
  readonly unit: string
  readonly sides: readonly (readonly [name: string, run: () => void])[]
}

const both = (code: readonly Insn[], maps: readonly MapDef[] = []): Piece['sides'] =>
  (['interpreter', 'jit'] as const).map((engine) => {
    const machine: Machine = load(code, { type: 'xdp', maps, engine })
    return [engine, () => machine.run(PACKET)] as const
  })

const EMPTY = [insn('mov_imm', { dst: 0, imm: 2 }), insn('exit')]

const PIECES: readonly Piece[] = [
  { what: '64-bit arithmetic', count: 7003, unit: 'instruction', sides: both(ARITHMETIC) },
  { what: 'an empty program', count: 1, unit: 'run', sides: both(EMPTY) },
  ...(['array', 'hash', 'lpm_trie'] as const).map((type): Piece => {
    const { program: code, maps } = lookup(type)
    return { what: `lookups in a ${type}`, count: 100, unit: 'lookup', sides: both(code, maps) }
  }),
  {
    what: 'from program to first result, 7 instructions',
    count: 1,
    unit: 'program',
    sides: (['interpreter', 'jit'] as const).map(
      (engine) => [engine, () => load(EMPTY, { type: 'xdp', engine, packetBytes: 2048 }).run(PACKET)] as const,
    ),
  },
]

for (const { what, count, unit, sides } of PIECES) {
  const suite = new Benchmark.Suite()
  for (const [name, run] of sides) suite.add(name, run, { maxTime: 1, minSamples: 20 })
  suite.run()
  const results = suite.map((bench: Benchmark) => bench) as unknown as Benchmark[]
  console.log(`\n${what}`)
  for (const bench of results) {
    const ns = (bench.stats.mean * 1e9) / count
    console.log(
      `  ${(bench.name ?? '').padEnd(12)} ${ns.toFixed(ns < 10 ? 2 : 0).padStart(9)} ns a ${unit}  ±${bench.stats.rme.toFixed(1)} %`,
    )
  }
  const [a, b] = results
  const verdict = a && b ? a.compare(b) : 0
  console.log(`  ${verdict === 0 ? 'no certain difference' : `${(verdict > 0 ? a : b)!.name} is faster, certainly`}`)
}
