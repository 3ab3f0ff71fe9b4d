import { load } from '@netsieve/vm'
import { randomFrames, randomProgram } from '/work/main/test/vm/generate.ts'

const seed = Number(process.argv[2]),
  fr = Number(process.argv[3])
const { type, program, maps } = randomProgram(seed)
console.log(type)
const m = load(program, { type, maps })
const seen = new Set<number>()
for (const t of m.trace(randomFrames(seed, 4)[fr]!)) {
  seen.add(t.insn)
  const x = program[t.insn]!
  console.log(
    t.insn,
    x.spec.name,
    `d${x.dst}`,
    `s${x.src}`,
    x.off,
    x.imm,
    t.registers.map((r) => `r${r.register}=${r.after}`).join(' '),
    JSON.stringify(t.reads),
    JSON.stringify(t.writes),
  )
}
