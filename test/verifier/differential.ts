// Compares our verdicts with the running kernel's on generated programs. `differential FIRST COUNT [--show N]`

import { disassemble } from '@netsieve/asm'
import { verify } from '@netsieve/verifier'
import { generate, MAPS } from './generate.ts'
import { errorLines, startKernel, whyNoKernel } from './kernel.ts'

const reason = whyNoKernel()
if (reason) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}
const [first = 0, count = 1000, show = 3] = process.argv.slice(2).map(Number)
/** NETSIEVE_STRICT=1: as a loader that may not leak pointers. */
const strict = process.env.NETSIEVE_STRICT === '1'
const kernel = startKernel(strict)
const tally = {
  programs: 0,
  accepted: 0,
  rejected: 0,
  falseAccepts: 0,
  falseRejects: 0,
  unsupported: 0,
  sameMessage: 0,
  sameInsns: 0,
  sameStates: 0,
}
const shown = new Map<string, number>()
let ours = 0
let printed = 0
/** Which differences are shown whole. */
const kinds = new RegExp(process.env.NETSIEVE_SHOW ?? 'FALSE|MESSAGE|unsupported')
for (let from = first; from < first + count; from += 200) {
  const seeds = Array.from({ length: Math.min(200, first + count - from) }, (_, i) => from + i)
  const batch = seeds.map((seed) => ({ seed, ...generate(seed) }))
  const answers = await Promise.all(batch.map(({ program, type }) => kernel.load(program, type, MAPS)))
  for (const [i, { seed, program, type }] of batch.entries()) {
    const theirs = answers[i]!
    const start = performance.now()
    const our = verify(program, { type, maps: MAPS, logLevel: 1, strict })
    ours += performance.now() - start
    tally.programs++
    const note = (kind: string, text: string) => {
      const key = `${kind} ${text}`.replace(/\d+/g, 'N').slice(0, 100)
      const n = (shown.get(key) ?? 0) + 1
      shown.set(key, n)
      if (n === 1 && kinds.test(kind) && printed++ < show!) {
        console.log(`--- ${kind} seed ${seed} ${type}: ${text}\n${disassemble(program)}`)
        console.log(`KERNEL\n${theirs.log.slice(-3000)}\nOURS\n${our.log.slice(-3000)}`)
      }
    }
    if (our.status === 'unsupported') {
      tally.unsupported++
      note('unsupported', our.message!)
      continue
    }
    if (theirs.accepted) {
      tally.accepted++
      if (our.status === 'rejected') {
        tally.falseRejects++
        note('FALSE REJECT', our.message!)
        continue
      }
      if (our.stats.processedInsns === theirs.insns_processed) tally.sameInsns++
      else note('insns', our.stats.processedInsns > theirs.insns_processed! ? 'more' : 'fewer')
      if (our.stats.totalStates === theirs.total_states) tally.sameStates++
      continue
    }
    tally.rejected++
    const theirLines = errorLines(theirs.log)
    if (our.status === 'accepted') {
      tally.falseAccepts++
      note('FALSE ACCEPT', theirLines.join(' | '))
      continue
    }
    const ourLines = errorLines(our.log)
    if (ourLines.join('\n') === theirLines.join('\n')) tally.sameMessage++
    else note('MESSAGE', `${theirLines.join(' | ')} <> ${ourLines.join(' | ')}`)
  }
}
kernel.close()
console.log(tally, `ours ${Math.round(ours)} ms`)
console.log(
  [...shown]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 40)
    .map(([k, n]) => `${n} ${k}`)
    .join('\n'),
)
