// Records to which bytes an older llvm-mc assembles the texts of golden/llvm.txt: `hex<TAB>text`, lines it refuses left out.
// LLVM=14 CPU=v3 node record-llvm-mc.mjs < golden/llvm.txt > golden/llvm-mc-14-v3.txt

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const version = process.env.LLVM ?? '14'
const cpu = process.env.CPU ?? 'v3'
const texts = readFileSync(0, 'utf8').split('\n').filter((line) => line && !line.startsWith('#')).map((line) => line.split('\t').slice(1).join(' ').replace(/ ! .*/, '')) // biome-ignore format: a pipeline

console.log(`# To which bytes llvm-mc ${version} (-mcpu=${cpu}) assembles text. Recorded by record-llvm-mc.mjs.`)
for (const text of new Set(texts.filter((text) => text !== '-'))) {
  let out
  try {
    out = execFileSync(`llvm-mc-${version}`, ['-triple=bpf', `-mcpu=${cpu}`, '-show-encoding'], { input: `${text}\n`, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] }) // biome-ignore format: one command
  } catch {
    continue
  }
  const bytes = /encoding: \[([^\]]*)\]/.exec(out)?.[1]
  if (bytes && /^[0-9a-fx,]+$/.test(bytes)) console.log(`${bytes.replace(/0x|,/g, '')}\t${text}`)
}
