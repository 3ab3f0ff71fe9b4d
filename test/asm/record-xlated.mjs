// Records bpftool's listing of programs that the kernel leaves as they are: those of ../conformance/rfc9669 without memory,
// as far as what `bpftool prog dump xlated opcodes` shows still has the bytes that were loaded (division, jumps on known
// values and helper calls are rewritten by the kernel). Wants root, a bpf file system and a built tree.
// node record-xlated.mjs > golden/xlated.txt

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { conformanceProgram, encode, parseConformance, writeElf } from '../../packages/asm/dist/index.js'

const folder = new URL('../conformance/rfc9669/', import.meta.url)
const file = join(tmpdir(), `record-xlated-${process.pid}.o`)
const pin = `/sys/fs/bpf/netsieve_record_${process.pid}`
const bpftool = (...args) => execFileSync('bpftool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

console.log(`# Listings of ${bpftool('version').split('\n')[0]}, Linux. Recorded by record-xlated.mjs.`)
for (const name of readdirSync(folder)) {
  const test = parseConformance(name, readFileSync(new URL(name, folder), 'utf8'))
  const { program } = conformanceProgram(test)
  if (test.mem) continue
  writeFileSync(file, writeElf({ programs: [{ name: 'main', section: 'xdp', insns: program, functions: [] }], maps: [], data: [], license: 'GPL' })) // biome-ignore format: one act
  try {
    bpftool('prog', 'load', file, pin)
    const raw = bpftool('prog', 'dump', 'xlated', 'pinned', pin, 'opcodes')
    const bytes = [...raw.matchAll(/^ {7}((?:[0-9a-f]{2} ){7,15}[0-9a-f]{2}) *$/gm)]
      .map(([, row]) => row.replaceAll(' ', ''))
      .join('')
    if (bytes === Buffer.from(encode(program)).toString('hex'))
      console.log(
        `=== ${name}\n${bpftool('prog', 'dump', 'xlated', 'pinned', pin)
          .replace(/^;.*\n/gm, '')
          .trimEnd()}`,
      )
  } catch {
    // The verifier refuses some without the memory or the functions that they come with.
  }
  rmSync(pin, { force: true })
}
rmSync(file, { force: true })
