// Records what the running kernel says of the programs in objects/, after record-objects.sh has made them.
//   node bench/run.mjs test/verifier/record-objects.ts test/verifier

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { errorLines, startKernel, whyNoKernel } from './kernel.ts'
import { objectPrograms } from './objects.ts'

const reason = whyNoKernel()
if (reason) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}
const [folder = '.'] = process.argv.slice(2)
const linux = execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim().replace(/-.*/, '')
const kernel = startKernel()
const verdicts: Record<string, string> = {}
for (const { name, program, options } of objectPrograms()) {
  const answer = await kernel.load(program, options)
  verdicts[name] = answer.accepted ? `accepted ${answer.insns}` : errorLines(answer.log).join('\n')
}
kernel.close()
writeFileSync(`${folder}/objects.golden.json`, `${JSON.stringify({ linux, verdicts }, null, 1)}\n`)
