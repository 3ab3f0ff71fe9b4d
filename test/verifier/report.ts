// What the verifier is measured by, as a table: agreement with the verdicts recorded from Linux, soundness against execution,
// objects of clang, and, where there is a kernel to ask, fresh programs, logs and speed beside it.
//   node bench/run.mjs test/verifier/report.ts [PROGRAMS]

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Verdict, verify, verifyBytes } from '@netsieve/verifier'
import { corpus } from './corpus.ts'
import { type Generated, generate, LONG, MAPS, takesLong } from './generate.ts'
import { errorLines, startKernel, whyNoKernel } from './kernel.ts'
import { comparable } from './log-lines.ts'
import { objectPrograms } from './objects.ts'
import { soundness } from './soundness.ts'

const [programs = 1000] = process.argv.slice(2).map(Number)
const FRESH = 900_000_000

function golden<T>(name: string): T {
  const file = new URL(`../../test/verifier/${name}.golden.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { verdicts: T }).verdicts
}

const rows: [what: string, figure: string][] = []
const share = (part: number, whole: number) =>
  `${part} of ${whole} (${((100 * part) / Math.max(1, whole)).toFixed(2)} %)`
const ours = ({ program, type, functions }: Generated, logLevel: 0 | 1 | 2): Verdict =>
  verify(program, { type, maps: MAPS, logLevel, ...(functions && { functions }) })

/** Figures of many verdicts beside Linux's. */
class Tally {
  falseAccepts = 0
  falseRejects = 0
  accepted = 0
  rejected = 0
  sameMessage = 0
  sameInsns = 0

  add(our: Verdict, accepted: boolean, sameMessage: boolean, insns: number): void {
    if (accepted) {
      this.accepted++
      if (our.status === 'rejected') this.falseRejects++
      else if (our.stats.processedInsns === insns) this.sameInsns++
    } else {
      this.rejected++
      if (our.status === 'accepted') this.falseAccepts++
      else if (sameMessage) this.sameMessage++
    }
  }

  report(name: string): void {
    rows.push([`${name}: false accepts, false rejects`, `${this.falseAccepts}, ${this.falseRejects} of ${this.accepted + this.rejected}`]) // biome-ignore format: a row
    rows.push([`${name}: same message`, share(this.sameMessage, this.rejected)])
    rows.push([`${name}: same \`processed N insns\``, share(this.sameInsns, this.accepted)])
  }
}

function recordedSeeds(): void {
  const tally = new Tally()
  const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8)
  const words = golden<string>('generated').split(' ')
  const step = Math.max(1, Math.floor(words.length / programs))
  for (let seed = 0; seed < words.length; seed += step) {
    const word = words[seed]!
    if (word === '-') continue
    const our = ours(generate(seed), 1)
    tally.add(our, !word.startsWith('!'), word === `!${digest(errorLines(our.log).join('\n'))}`, Number(word))
  }
  tally.report('generated, recorded verdicts')
}

function handCorpus(): void {
  const verdicts = golden<Record<string, string>>('corpus')
  const cases = corpus()
  const same = cases.filter(({ name, type, bytes, options }) => {
    const { status, log } = verifyBytes(bytes, { type, ...options, logLevel: 1 })
    return (status === 'rejected' ? errorLines(log).join('\n') : status) === verdicts[name]
  })
  rows.push(['corpus by hand: same verdict and message', share(same.length, cases.length)])
}

function objects(): void {
  const verdicts = golden<Record<string, string>>('objects')
  let slowest = 0
  const all = objectPrograms()
  const same = all.filter(({ name, program, options }) => {
    const start = process.cpuUsage()
    const { status } = verify(program, options)
    slowest = Math.max(slowest, process.cpuUsage(start).user / 1000)
    return status === 'accepted' ? verdicts[name]!.startsWith('accepted') : !verdicts[name]!.startsWith('accepted')
  })
  rows.push(['objects of clang: same verdict', share(same.length, all.length)])
  rows.push(['objects of clang: slowest, processor time', `${slowest.toFixed(0)} ms`])
}

function execution(): void {
  const { accepted, walked, runs, violations } = soundness(FRESH, programs)
  rows.push(['run on random packets: accepted programs, runs', `${accepted} (${walked} on all paths), ${runs}`])
  rows.push(['run on random packets: violations', `${violations.length}`])
}

async function freshPrograms(strict: boolean): Promise<void> {
  const kernel = startKernel(strict)
  const tally = new Tally()
  const logs = { same: 0, all: 0 }
  for (let seed = FRESH; seed < FRESH + programs; seed++) {
    const one = generate(seed)
    const { program, type, functions } = one
    const options = { type, maps: MAPS, ...(functions && { functions }) }
    const our = verify(program, { ...options, strict, logLevel: 1, budget: LONG })
    if (takesLong(our)) continue
    const theirs = await kernel.load(program, { ...options, level: 1 })
    tally.add(our, theirs.accepted, errorLines(our.log).join('\n') === errorLines(theirs.log).join('\n'), theirs.insns ?? 0) // biome-ignore format: one act
    if (strict || program.some(({ spec }) => spec.kind === 'jump' || spec.kind === 'goto')) continue
    logs.all++
    const whole = await kernel.load(program, { ...options, level: 2 })
    if (comparable(whole.log).join('\n') === comparable(ours(one, 2).log).join('\n')) logs.same++
  }
  kernel.close()
  tally.report(strict ? 'fresh, strict loader' : 'fresh')
  if (!strict) rows.push(['fresh, straight-line: log equal line by line', share(logs.same, logs.all)])
}

recordedSeeds()
handCorpus()
objects()
execution()
const reason = whyNoKernel()
if (reason) rows.push(['fresh programs beside the kernel', `not asked: ${reason}`])
else for (const strict of [false, true]) await freshPrograms(strict)
console.log('| what | figure |\n| --- | --- |')
for (const [what, figure] of rows) console.log(`| ${what} | ${figure} |`)
