// What the verifier is measured by, as a table: agreement with the verdicts recorded from Linux, soundness against execution,
// objects of clang, programs of our own code generator, speed; and, where there is a kernel to ask, fresh programs and logs beside it.
//   node bench/run.mjs test/verifier/report.ts [PROGRAMS]

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type LoaderName, type Verdict, verify, verifyBytes } from '@netsieve/verifier'
import { speedOf, WORKLOADS } from '../../bench/verifier-workloads.ts'
import { corpus } from './corpus.ts'
import { emitted } from './emitted.ts'
import { type Generated, generate, LONG, MAPS, takesLong } from './generate.ts'
import { errorLines, type Kernel, startKernel, UNPRIVILEGED, whyNoKernel } from './kernel.ts'
import { comparable } from './log-lines.ts'
import { objectPrograms } from './objects.ts'
import { soundness } from './soundness.ts'

const [programs = 1000] = process.argv.slice(2).map(Number)
const FRESH = 900_000_000
/** Who loads, in words. */
const LOADERS: Readonly<Record<LoaderName, string>> = {
  root: 'all capabilities',
  bpf: 'CAP_BPF without CAP_PERFMON',
  none: 'no capability',
}
/** Random filters of each view, and pcap expressions, whose programs are looked at. */
const EACH = 60

function golden<T>(name: string): T {
  const file = new URL(`../../test/verifier/${name}.golden.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { verdicts: T }).verdicts
}

/** What was asked of each figure, and the figure reached. */
const rows: (readonly [what: string, asked: string, figure: string])[] = []
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
    rows.push(
      [`${name}: false accepts`, '0', share(this.falseAccepts, this.rejected)],
      [`${name}: false rejects`, '≤ 1 %', share(this.falseRejects, this.accepted)],
      [`${name}: same message`, '≥ 90 %', share(this.sameMessage, this.rejected)],
      [`${name}: same \`processed N insns\``, '≥ 60 %', share(this.sameInsns, this.accepted)],
    )
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
  rows.push(['corpus by hand: same verdict and message', '≥ 99 %', share(same.length, cases.length)])
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
  rows.push(['objects of clang: same verdict', 'all', share(same.length, all.length)])
  rows.push(['objects of clang: slowest, processor time', '< 1000 ms', `${slowest.toFixed(0)} ms`])
}

function execution(): void {
  const { accepted, walked, runs, violations } = soundness(FRESH, programs)
  rows.push(['run on random packets: accepted programs, runs', '', `${accepted} (${walked} on all paths), ${runs}`])
  rows.push(['run on random packets: violations', '0', `${violations.length}`])
}

async function freshPrograms(kernel: Kernel, loader: LoaderName): Promise<void> {
  const tally = new Tally()
  const logs = { same: 0, all: 0 }
  for (let seed = FRESH; seed < FRESH + programs; seed++) {
    const one = generate(seed)
    const { program, type, functions } = one
    if (loader === 'none' && !UNPRIVILEGED.has(type)) continue
    const options = { loader, type, maps: MAPS, ...(functions && { functions }) }
    const our = verify(program, { ...options, logLevel: 1, budget: LONG })
    if (takesLong(our)) continue
    const theirs = await kernel.load(program, { ...options, level: 1 })
    tally.add(our, theirs.accepted, errorLines(our.log).join('\n') === errorLines(theirs.log).join('\n'), theirs.insns ?? 0) // biome-ignore format: one act
    if (loader !== 'root' || program.some(({ spec }) => spec.kind === 'jump' || spec.kind === 'goto')) continue
    logs.all++
    const whole = await kernel.load(program, { ...options, level: 2 })
    if (comparable(whole.log).join('\n') === comparable(ours(one, 2).log).join('\n')) logs.same++
  }
  tally.report(`fresh, ${LOADERS[loader]}`)
  if (loader === 'root')
    rows.push(['fresh, straight-line: log equal line by line', '≥ 50 %', share(logs.same, logs.all)])
}

/** Every program that our code generator emits is accepted: by us, and by the kernel where there is one. */
async function ownPrograms(kernel: Kernel | undefined): Promise<void> {
  const all = [...emitted(EACH)]
  const refused: string[] = []
  let both = 0
  for (const { name, type, insns, maps } of all) {
    const { status } = verify(insns, { type, maps })
    const accepted = !kernel || (await kernel.load(insns, { type, maps, level: 4 })).accepted
    if (status === 'accepted' && accepted) both++
    else refused.push(`${name} as ${type}`)
  }
  const who = kernel ? 'us and by the kernel' : 'us'
  rows.push([`programs of our code generator: accepted by ${who}`, 'all', share(both, all.length)])
  for (const name of refused) console.error(`refused: ${name}`)
}

async function speed(kernel: Kernel | undefined): Promise<void> {
  for (const workload of WORKLOADS) {
    const { processed, firstMs, medianMs, kernel: theirs } = await speedOf(workload, kernel)
    const asked = workload === WORKLOADS[0] ? '≤ 3000 ms' : ''
    const beside = theirs ? `; kernel ${perSecond(theirs.processed, theirs.ms)} in ${theirs.ms.toFixed(0)} ms` : ''
    const figure = `${processed} insns: ${perSecond(processed, medianMs)} in ${medianMs.toFixed(0)} ms (first time ${firstMs.toFixed(0)})`
    rows.push([`speed: ${workload.name}`, asked, figure + beside])
  }
}

const perSecond = (insns: number, ms: number) => `${(insns / ms / 1000).toFixed(2)} M insns/s`

const kernel = whyNoKernel() ? undefined : startKernel()
recordedSeeds()
for (const loader of Object.keys(LOADERS) as LoaderName[]) {
  const reason = whyNoKernel(loader)
  if (kernel && !reason) await freshPrograms(kernel, loader)
  else rows.push([`fresh, ${LOADERS[loader]}`, '', `not asked: ${reason}`])
}
handCorpus()
execution()
objects()
await ownPrograms(kernel)
await speed(kernel)
kernel?.close()
console.log('| what | asked | figure |\n| --- | --- | --- |')
for (const row of rows) console.log(`| ${row.join(' | ')} |`)
