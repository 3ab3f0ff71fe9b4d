// What the kernel says most often: the 60 most frequent messages for generated programs and for such with one byte changed, by loaders
// with and without CAP_PERFMON, as templates. `frequent FOLDER [COUNT]` records them; the corpus must have a program for each.

import { writeFileSync } from 'node:fs'
import { encode } from '@netsieve/asm'
import { verifyBytes } from '@netsieve/verifier'
import { generate, LONG, MAPS, takesLong } from './generate.ts'
import { errorLines, startKernel, whyNoKernel } from './kernel.ts'
import { random } from './random.ts'
import { templateOf } from './template.ts'

const FIRST = 700_000_000
const KEPT = 60
const BATCH = 100

const reason = whyNoKernel()
if (reason) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}
const [folder = '.', count = '20000'] = process.argv.slice(2)
const kernel = startKernel()
const counts = new Map<string, number>()
let rejected = 0

/** The program of a seed, every second one with a byte that is not of an opcode changed. */
function bytesOf(seed: number, program: Parameters<typeof encode>[0]): Uint8Array {
  const bytes = encode(program)
  if (seed % 2 === 0) return bytes
  const rand = random(seed ^ 0xc4a9)
  const slot = rand.below(bytes.length / 8)
  bytes[slot * 8 + 1 + rand.below(7)] = rand.below(256)
  return bytes
}

async function note(seed: number): Promise<void> {
  const { program, type, functions } = generate(seed)
  const bytes = bytesOf(seed, program)
  const loader = seed % 3 === 0 ? ('bpf' as const) : ('root' as const)
  const options = { loader, type, maps: MAPS, ...(functions && { functions }) }
  if (takesLong(verifyBytes(bytes, { ...options, budget: LONG }))) return
  const answer = await kernel.load(bytes, { ...options, level: 4 })
  const [first] = errorLines(answer.log)
  if (answer.accepted || first === undefined) return
  rejected++
  const template = templateOf(first)
  counts.set(template, (counts.get(template) ?? 0) + 1)
}

for (let from = 0; from < Number(count); from += BATCH)
  await Promise.all(Array.from({ length: BATCH }, (_, i) => note(FIRST + from + i)))
kernel.close()
const kept = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, KEPT)
writeFileSync(
  `${folder}/frequent.golden.json`,
  `${JSON.stringify({ rejected, messages: Object.fromEntries(kept) }, null, 1)}\n`,
)
console.log(
  `${rejected} rejected with ${counts.size} messages; the ${kept.length} most frequent are ${kept.reduce((sum, [, n]) => sum + n, 0)}`,
)
