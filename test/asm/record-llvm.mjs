// Records how LLVM writes and reads instructions: `hex<TAB>text`, or `-` for bytes it does not know.
// A line that llvm-mc assembles to other bytes ends in `<TAB>!` and those bytes. Needs llvm-mc and llvm-objdump (LLVM=22 picks the version).
// node cases.mjs | node record-llvm.mjs > golden/llvm.txt

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const version = process.env.LLVM ?? '22'
const cpu = process.env.CPU ?? 'v4'
const folder = mkdtempSync(join(tmpdir(), 'record-llvm-'))
const object = join(folder, 'x.o')

/** Assembles; lines that llvm-mc refuses are `undefined` in what comes back. */
function assemble(text) {
  writeFileSync(join(folder, 'x.s'), text)
  execFileSync(`llvm-mc-${version}`, ['-triple=bpf', `-mcpu=${cpu}`, '-filetype=obj', '-o', object, join(folder, 'x.s')], { stdio: ['ignore', 'ignore', 'pipe'] }) // biome-ignore format: one command
}

function disassemble() {
  const out = execFileSync(`llvm-objdump-${version}`, ['-d', `--mcpu=${cpu}`, '--no-print-imm-hex', object], { encoding: 'utf8', maxBuffer: 1 << 28 }) // biome-ignore format: one command
  return [...out.matchAll(/^ +\d+:\t((?:[0-9a-f]{2} )+[0-9a-f]{2})\t(.*)$/gm)].map(([, bytes, text]) => ({ hex: bytes.replaceAll(' ', ''), text: text.replace(/ <[^<]*>$/, '').trim() })) // biome-ignore format: one value
}

const cases = readFileSync(0, 'utf8').trim().split('\n')
console.log(
  `# How llvm-objdump --no-print-imm-hex and llvm-mc ${version} (-mcpu=${cpu}) write and read instructions. Recorded by record-llvm.mjs.`,
)
for (const hex of cases) {
  assemble(
    `.byte ${hex
      .match(/../g)
      .map((byte) => `0x${byte}`)
      .join(',')}\n`,
  )
  const [first] = disassemble()
  if (!first || first.hex !== hex || first.text === '<unknown>') {
    console.log(`${hex}\t-`)
    continue
  }
  let again
  try {
    assemble(`${first.text}\n`)
    again = disassemble()[0]?.hex
  } catch {
    again = 'refused'
  }
  console.log(`${hex}\t${first.text}${again === hex ? '' : `\t! ${again}`}`)
}
