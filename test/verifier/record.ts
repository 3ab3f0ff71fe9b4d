// Records what the running kernel says: of the corpus, and of generated programs by their seeds. `record`

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { verify } from '@netsieve/verifier'
import { corpus } from './corpus.ts'
import { generate, LONG, MAPS, takesLong } from './generate.ts'
import { errorLines, type KernelVerdict, startKernel, whyNoKernel } from './kernel.ts'

const SEEDS = 20_000

/** The error lines, as one text; lines that print map addresses do not occur in errors. */
function said(answer: KernelVerdict): string {
  return errorLines(answer.log).join('\n')
}

const reason = whyNoKernel('none')
if (reason) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}
const [folder = '.'] = process.argv.slice(2)
const release = execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim().replace(/-.*/, '')
const kernel = startKernel()
const cases = corpus()
const verdicts: Record<string, string> = {}
for (let from = 0; from < cases.length; from += 100) {
  const batch = cases.slice(from, from + 100)
  const answers = await Promise.all(batch.map(({ bytes, type, options }) => kernel.load(bytes, { type, ...options })))
  batch.forEach(({ name }, i) => {
    if (name in verdicts) throw new Error(`two cases are named ${name}`)
    verdicts[name] = answers[i]!.accepted ? 'accepted' : said(answers[i]!)
  })
}
writeFileSync(`${folder}/corpus.golden.json`, `${JSON.stringify({ linux: release, verdicts }, null, 1)}\n`)

// One word a seed: how many instructions were processed if accepted, else a digest of the message; `-` for what is left out.
const words: string[] = []
for (let from = 0; from < SEEDS; from += 200) {
  const answers = Array.from({ length: 200 }, async (_, i) => {
    const { program, type, functions } = generate(from + i)
    const options = { type, maps: MAPS, ...(functions && { functions }) }
    if (takesLong(verify(program, { ...options, budget: LONG }))) return '-'
    const answer = await kernel.load(program, { ...options, level: 4 })
    return answer.accepted ? `${answer.insns}` : `!${digest(said(answer))}`
  })
  words.push(...(await Promise.all(answers)))
}
writeFileSync(`${folder}/generated.golden.json`, `${JSON.stringify({ linux: release, verdicts: words.join(' ') })}\n`)
kernel.close()
console.log(`Linux ${release}: ${cases.length} cases, ${SEEDS} seeds`)

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
