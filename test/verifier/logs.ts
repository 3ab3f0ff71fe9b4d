// Compares our level-2 log with the running kernel's, line by line. `logs FIRST COUNT SHOW`

import { disassemble } from '@netsieve/asm'
import { verify } from '@netsieve/verifier'
import { generate, MAPS } from './generate.ts'
import { startKernel, whyNoKernel } from './kernel.ts'
import { comparable } from './log-lines.ts'

const reason = whyNoKernel()
if (reason) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}

const [first = 0, count = 1000, show = 3] = process.argv.slice(2).map(Number)
const kernel = startKernel()
const tally = { programs: 0, same: 0, straight: 0, straightSame: 0 }
const kinds = new Map<string, number>()
for (let from = first; from < first + count; from += 100) {
  const seeds = Array.from({ length: Math.min(100, first + count - from) }, (_, i) => from + i)
  const batch = seeds.map((seed) => ({ seed, ...generate(seed) }))
  const answers = await Promise.all(
    batch.map(({ program, type, functions }) => kernel.load(program, { type, maps: MAPS, functions, level: 2 })),
  )
  batch.forEach(({ seed, program, type, functions }, i) => {
    const theirs = comparable(answers[i]!.log)
    const our = comparable(verify(program, { type, maps: MAPS, logLevel: 2, ...(functions && { functions }) }).log)
    for (const [name, list] of [['live', (l: string) => /^[ \d]{3} +\d+: [0-9.]{10} /.test(l)]] as const)
      if (theirs.filter(list).join('\n') !== our.filter(list).join('\n')) kinds.set(name, (kinds.get(name) ?? 0) + 1)
    const straight = program.every(({ spec }) => spec.kind !== 'jump' && spec.kind !== 'goto')
    tally.programs++
    if (straight) tally.straight++
    const at = theirs.findIndex((line, n) => line !== our[n])
    if (at < 0 && our.length === theirs.length) {
      tally.same++
      if (straight) tally.straightSame++
      return
    }
    const line = (theirs[at] ?? 'end').replace(/;.*/, '').replace(/\d+/g, 'N')
    kinds.set(line, (kinds.get(line) ?? 0) + 1)
    if (kinds.size <= show && kinds.get(line) === 1) {
      console.log(
        `--- seed ${seed} ${type}\n${theirs.slice(Math.max(0, at - 12), at).join('\n')}\nKERNEL ${theirs[at]}\nOURS   ${our[at]}\n after ${theirs[at + 1]}\n  ours ${our[at + 1]}`,
      )
      if (process.env.NETSIEVE_PROGRAM) console.log(disassemble(program))
    }
  })
}
kernel.close()
console.log(tally)
console.log(
  [...kinds]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 30)
    .map(([k, n]) => `${n} ${k}`)
    .join('\n'),
)
