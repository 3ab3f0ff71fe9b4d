// From a program to its first verdict, in a process that has run nothing yet: the VM's module is loaded, its code never was. Processor
// time, of all threads, so that what else the machine does counts little.
//   node bench/run.mjs bench/first.ts [rounds]          each measurement is a process of its own; milliseconds, median / least

import { spawnSync } from 'node:child_process'
import type { Insn } from '@netsieve/asm'
import { Code } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { accessList } from './filter-workloads.ts'

/** `tcp dst port 80` of IPv4, as code generation would write it: 36 instructions. */
function short(): Insn[] {
  const code = new Code()
  const drop = code.label()
  const next = code.label()
  code.load(4, 6, 1, 0)
  code.load(4, 7, 1, 4)
  for (const [bytes, off, size, test] of [[14, 12, 2, 0x0008], [34, 23, 1, 6]] as const) {
    code.mov(2, { reg: 6 })
    code.alu('add', 2, bytes)
    code.jump('jgt', 2, { reg: 7 }, drop)
    code.load(size, 3, 6, off)
    code.jump('jne', 3, test, drop)
  } // biome-ignore format: two rows
  code.load(2, 3, 6, 20)
  code.alu('and', 3, 0xff1f)
  code.jump('jne', 3, 0, drop)
  code.load(1, 4, 6, 14)
  code.alu('and', 4, 15)
  code.alu('lsh', 4, 2)
  code.mov(5, { reg: 6 })
  code.alu('add', 5, { reg: 4 })
  code.mov(2, { reg: 5 })
  code.alu('add', 2, 18)
  code.jump('jgt', 2, { reg: 7 }, drop)
  code.load(2, 3, 5, 16)
  for (let i = 0; i < 5; i++) code.jump('jeq', 3, 0x5000 + i, next)
  code.goto(drop)
  code.bind(next)
  code.mov(0, 2)
  code.exit()
  code.bind(drop)
  code.mov(0, 1)
  code.exit()
  return code.layout()
}

const PROGRAMS = { short, 'list of 1,000 rules': () => accessList(1000) } as const
const GOALS = { short: 10, 'list of 1,000 rules': 60 } as const
/** `jit` and `batch` interpret long programs first; `compiled` does not: it is what compiling costs. */
const WAYS = ['interpreter', 'jit', 'batch', 'compiled'] as const
type Name = keyof typeof PROGRAMS

/** A record of 64 bytes: IPv4 and TCP to port 80. */
function record(): Uint8Array {
  const bytes = new Uint8Array(80)
  bytes.set([64, 0, 0, 0, 64], 8)
  bytes.set([8, 0, 0x45], 28)
  bytes[39] = 6
  bytes[53] = 80
  return bytes
}

function once(name: Name, way: (typeof WAYS)[number]): number {
  const program = PROGRAMS[name]()
  const bytes = record()
  const from = process.cpuUsage()
  if (way === 'batch') {
    const batch = load(program, { type: 'xdp', proved: () => true }).batch()
    batch.input.set(bytes)
    if (batch.run(bytes.length).records !== 1) throw new Error('no verdict')
  } else if (
    load(program, { type: 'xdp', ...(way === 'compiled' ? { engine: 'jit', patience: 0 } : { engine: way }) }).run(
      bytes.subarray(16),
    ).fault
  )
    throw new Error('no verdict')
  const { user, system } = process.cpuUsage(from)
  return (user + system) / 1000
}

const [, , first, name, way] = process.argv
if (first === 'once') console.log(once(name as Name, way as 'jit'))
else {
  const rounds = Number(first ?? 9)
  for (const program of Object.keys(PROGRAMS) as Name[]) {
    const { length } = PROGRAMS[program]()
    console.log(`${program}: ${length} instructions; the goal is ${GOALS[program]} ms`)
    for (const one of WAYS) {
      const times = Array.from({ length: rounds }, () => measured(program, one)).sort((a, b) => a - b)
      const [median, least] = [times[times.length >> 1]!, times[0]!]
      const met = Math.min(median, least) <= GOALS[program] ? ': met' : ': missed'
      console.log(
        `  ${one.padEnd(12)} ${median.toFixed(1).padStart(6)} /${least.toFixed(1).padStart(6)} ms${one === 'compiled' ? '' : met}`,
      )
    }
  }
}

function measured(program: Name, way: string): number {
  const script = process.env.NETSIEVE_BENCH!
  const { stdout, status } = spawnSync(process.execPath, [script, 'once', program, way], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program}, ${way}: ${status}`)
  return Number(stdout)
}
