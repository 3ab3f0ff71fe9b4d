// Programs that are divided into functions, and into several programs, as objects that bpftool loads into the running kernel: it accepts them, libbpf fills
// the array that leads from program to program, and they return what the machine's do. Needs root, bpftool and namespaces; skipped, and said so, without.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROG_TYPES, type ProgTypeName, writeElf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, type Filter } from '@netsieve/ir'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { objectOf, readRules } from 'netsieve'
import { afterAll, describe, expect, it } from 'vitest'
import { byForce, verifyAll } from '../properties/by-force.ts'
import { FRAMES } from '../properties/frames.ts'
import { filterOf } from '../properties/random-ir.ts'

const missing = ['unshare', 'mount', 'bpftool'].find(
  (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
)
const WHY = process.getuid?.() !== 0 ? 'not root' : missing ? `no ${missing}` : undefined
const folder = mkdtempSync(join(tmpdir(), 'netsieve-divided-'))
afterAll(() => rmSync(folder, { recursive: true }))

type Generated = ReturnType<typeof generate>

/** Loads programs in turn and runs each over frames: the return values, or what bpftool says of a program that is not loaded. */
function inKernel(programs: readonly Generated[], frames: readonly Uint8Array[]): (number[] | string)[] {
  for (const [i, bytes] of frames.entries()) writeFileSync(join(folder, `frame${i}`), bytes)
  for (const [i, generated] of programs.entries()) {
    const object = objectOf({ ...generated, source: source('rules', ''), syntax: 'nft' })
    writeFileSync(join(folder, `${i}.o`), writeElf(object))
  }
  const script = `mount -t bpf bpf /sys/fs/bpf
for i in ${programs.map((_, i) => i).join(' ')}; do
  echo "program $i"
  mkdir /sys/fs/bpf/maps
  bpftool prog load $i.o /sys/fs/bpf/prog pinmaps /sys/fs/bpf/maps 2>error || { tr '\\n' ' ' <error; echo; continue; }
  for f in ${frames.map((_, i) => i).join(' ')}; do bpftool -j prog run pinned /sys/fs/bpf/prog data_in frame$f repeat 1; done
  rm -r /sys/fs/bpf/prog /sys/fs/bpf/maps
done`
  const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1e8,
  })
  const told = stdout.split(/^program \d+\n/m).slice(1)
  if (told.length !== programs.length) throw new Error(stderr)
  return told.map((text) => {
    const lines = text.trim().split('\n')
    return lines.every((line) => line.startsWith('{'))
      ? lines.map((line) => (JSON.parse(line) as { retval: number }).retval)
      : text
  })
}

const inMachine = (generated: Generated, frames: readonly Uint8Array[]): number[] => {
  const machine = load(generated.insns, generated)
  return frames.map((bytes) => machine.run(bytes).r0)
}

describe.skipIf(WHY !== undefined)(`in the running kernel${WHY ? ` (skipped: ${WHY})` : ''}`, () => {
  const frames = FRAMES.filter((bytes) => bytes.length >= 34).slice(0, 12)

  it.each(['xdp', 'sched_cls'] as const)('%s: random filters, divided by force', (type: ProgTypeName) => {
    const filters = (['nft-ip', 'xt-ip', 'nft-netdev'] as const)
      .flatMap((view) => fc.sample(filterOf(view), { numRuns: 15, seed: 20_261_127 }))
      .filter((filter: Filter) => check(filter).value !== undefined)
    const programs = filters.map((filter, i) =>
      byForce(filter, { type }, { part: 30, inline: 0, depth: i % 3, program: i % 2 ? 100 : 1_000_000 }),
    )
    expect(programs.filter((each) => each.programs).length).toBeGreaterThan(5)
    expect(programs.filter(({ functions }) => functions!.length > 2).length).toBeGreaterThan(10)
    expect(inKernel(programs, frames)).toEqual(programs.map((program) => inMachine(program, frames)))
  })

  it('20,000 rules of masks and lengths', () => {
    const rules = Array.from({ length: 20_000 }, (_, i) => `ip saddr & 0.0.255.255 == 0.0.${i >> 8}.${i & 255} tcp dport < ${1000 + (i % 50)} meta length > ${i % 40} drop`) // biome-ignore format: a rule
    const text = `table ip t { chain c { type filter hook prerouting priority 0; policy accept;\n${rules.join('\n')}\n} }`
    const generated = generate(readRules(source('rules', text)).value!, { type: 'xdp' })
    expect(generated.programs).toHaveLength(1)
    expect(verifyAll(generated).status).toBe('accepted')
    const packets = [0, 1, 257, 9_999, 19_999, 20_001].flatMap((id) =>
      [80, 2000].map((port) => {
        const bytes = new Uint8Array(60)
        bytes.set([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 10, 9, id >> 8, id & 255, 10, 0, 0, 1, 0, 1, port >> 8, port & 255], 12) // biome-ignore format: a header
        return bytes
      }),
    )
    const verdicts = inMachine(generated, packets)
    expect(verdicts.filter((verdict) => verdict === PROG_TYPES.xdp.returns.drop)).toHaveLength(5)
    expect(inKernel([generated], packets)).toEqual([verdicts])
  })
})
