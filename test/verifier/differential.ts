// Compares our verdicts with the running kernel's on generated programs.
//   node bench/run.mjs test/verifier/differential.ts FIRST COUNT [SHOW] [--loader=bpf|none] [--aligned] [--insns]
// Programs that take long to process are counted and left out: both sides take seconds for each.

import { disassemble } from '@netsieve/asm'
import { type LoaderName, type Verdict, verify } from '@netsieve/verifier'
import { type Generated, generate, LONG, MAPS, takesLong } from './generate.ts'
import { errorLines, type KernelVerdict, startKernel, UNPRIVILEGED, whyNoKernel } from './kernel.ts'

const BATCH = 200
const REPORT_EVERY = 20_000

const flags = process.argv.slice(2).filter((word) => word.startsWith('--'))
const loader = (flags.find((flag) => flag.startsWith('--loader='))?.slice(9) ?? 'root') as LoaderName
const reason = whyNoKernel(loader)
if (reason) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}
const [first = 0, count = 1000, show = 3] = process.argv.slice(2).filter((word) => !word.startsWith('--')).map(Number) // biome-ignore format: one act
const strictAlignment = flags.includes('--aligned')
const kernel = startKernel()
const tally = {
  programs: 0, large: 0, accepted: 0, rejected: 0, falseAccepts: 0, falseRejects: 0, unsupported: 0, sameMessage: 0, sameInsns: 0, sameStates: 0,
} // biome-ignore format: one row
const seen = new Map<string, number>()
let printed = 0

/** What differs, counted by kind; the first of each kind is shown whole. */
function note(seed: number, one: Generated, what: string, text: string, logs: readonly [string, string]): void {
  const key = `${what} ${text}`.replace(/\d+/g, 'N').slice(0, 100)
  const times = (seen.get(key) ?? 0) + 1
  seen.set(key, times)
  if (times > 1 || (what === 'insns' && !flags.includes('--insns')) || printed++ >= show) return
  console.log(`--- ${what}: seed ${seed} ${one.type}: ${text}\n${disassemble(one.program)}`)
  console.log(`KERNEL\n${logs[0].slice(-3000)}\nOURS\n${logs[1].slice(-3000)}`)
}

function compare(seed: number, one: Generated, theirs: KernelVerdict, our: Verdict): void {
  const different = (what: string, text: string) => note(seed, one, what, text, [theirs.log, our.log])
  tally.programs++
  if (our.status === 'unsupported') {
    tally.unsupported++
    different('unsupported', our.message!)
  } else if (theirs.accepted) {
    tally.accepted++
    if (our.status === 'rejected') {
      tally.falseRejects++
      different('FALSE REJECT', our.message!)
      return
    }
    if (our.stats.processedInsns === theirs.insns) tally.sameInsns++
    else different('insns', our.stats.processedInsns > theirs.insns! ? 'more' : 'fewer')
    if (our.stats.totalStates === theirs.states) tally.sameStates++
  } else {
    tally.rejected++
    const wanted = errorLines(theirs.log).join('\n')
    const got = errorLines(our.log).join('\n')
    if (our.status === 'accepted') {
      tally.falseAccepts++
      different('FALSE ACCEPT', wanted)
    } else if (got === wanted) tally.sameMessage++
    else different('MESSAGE', `${wanted} <> ${got}`)
  }
}

for (let from = first; from < first + count; from += BATCH) {
  const seeds = Array.from({ length: Math.min(BATCH, first + count - from) }, (_, i) => from + i)
  const waiting: Promise<() => void>[] = []
  for (const seed of seeds) {
    const one = generate(seed)
    const { program, type, functions } = one
    if (loader === 'none' && !UNPRIVILEGED.has(type)) continue
    const options = { loader, type, maps: MAPS, strictAlignment, ...(functions && { functions }) }
    const our = verify(program, { ...options, logLevel: 1, budget: LONG })
    if (takesLong(our)) tally.large++
    else
      waiting.push(
        kernel.load(program, { ...options, level: 4 }).then((theirs) => () => compare(seed, one, theirs, our)),
      )
  }
  for (const done of await Promise.all(waiting)) done()
  if ((from + BATCH - first) % REPORT_EVERY === 0) console.log(JSON.stringify(tally))
}
kernel.close()
console.log(tally)
console.log([...seen].sort((a, b) => b[1] - a[1]).slice(0, 40).map(([key, n]) => `${n} ${key}`).join('\n')) // biome-ignore format: one act
