import { load } from '@netsieve/vm'
import { hostileProgram, MAPS, randomFrames } from '/work/main/test/vm/generate.ts'

const seed = Number(process.argv[2])
const program = hostileProgram(seed)
for (const [i, x] of program.entries()) console.log(i, x.spec.name, x.dst, x.src, x.off, x.imm)
const m = load(program, { type: (['xdp', 'sched_cls'] as const)[seed & 1]!, maps: MAPS, budget: { insns: 5000 } })
for (const t of m.trace(randomFrames(seed, 1)[0]!, {}, 30)) console.log(JSON.stringify(t))
