// Programs that are divided into functions, and into several programs, as objects that bpftool loads into the running kernel: it accepts them, libbpf fills
// the array that leads from program to program, and they return what the machine's do. Needs root, bpftool and namespaces; skipped, and said so, without.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decisionOf, PROG_TYPES, type ProgTypeName, writeElf } from '@netsieve/asm'
import { beyondType, generate, generateC } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, evaluate, type Filter } from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { objectOf, readRules } from 'netsieve'
import { afterAll, describe, expect, it } from 'vitest'
import { compileC, NO_CLANG } from '../c/clang.ts'
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
/** A program in the kernel's hands: an object that libbpf loads. */
type Loadable = Generated | { readonly object: Uint8Array }

/** Loads programs in turn and runs each over frames: the return values, or what bpftool says of a program that is not loaded. */
function inKernel(programs: readonly Loadable[], frames: readonly Uint8Array[]): (number[] | string)[] {
  for (const [i, bytes] of frames.entries()) writeFileSync(join(folder, `frame${i}`), bytes)
  for (const [i, one] of programs.entries()) {
    const object = 'object' in one ? one.object : writeElf(objectOf({ ...one, source: source('rules', ''), syntax: 'nft' })) // biome-ignore format: one choice
    writeFileSync(join(folder, `${i}.o`), object)
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

  it.skipIf(NO_CLANG).each(['xdp', 'sched_cls', 'socket_filter', 'cgroup_skb'] as const)(
    `C as %s: random filters, and 1,000 rules${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`,
    { timeout: 300_000 },
    (type) => {
      const rules = Array.from({ length: 1000 }, (_, i) => `ip saddr & 0.0.255.255 == 0.0.${i >> 8}.${i & 255} tcp dport < ${1000 + (i % 50)} meta length > ${i % 40} drop`) // biome-ignore format: a rule
      const long = readRules(source('rules', `table ip t { chain c { type filter hook prerouting priority 0; policy accept;\n${rules.join('\n')}\n} }`)) // biome-ignore format: one call
      const filters = [long.value!, ...fc.sample(filterOf('nft-ip'), { numRuns: 12, seed: 20_261_128 })]
        .filter((filter: Filter) => check(filter).value !== undefined && beyondType(filter, type).length === 0)
        .map((filter, i) => ({ filter, text: generateC(filter, { type, divide: true, from: `filter ${i}` }).value }))
        .filter((one): one is { filter: Filter; text: string } => one.text !== undefined)
      expect(filters.length).toBeGreaterThan(3)
      const bytes = [...frames, ...[1, 999].map((id) => buildPacket(`eth / ipv4(src=10.9.${id >> 8}.${id & 255}) / tcp(dport=80)`).value!.data)] // biome-ignore format: one list
      const asked = bytes.filter((one) => one[12] === 8 && one[13] === 0)
      const objects = filters.map(({ text }) => ({ object: compileC(text, { debug: true }) }))
      // A test run of a socket filter starts behind the first header.
      const told = inKernel(objects, type === 'socket_filter' ? asked.map((one) => new Uint8Array([...one.subarray(0, 14), ...one])) : asked) // biome-ignore format: one call
      for (const [i, { filter, text }] of filters.entries()) {
        const meant = asked.map((one) => evaluate(filter, one).decision)
        const got = told[i]!
        if (typeof got === 'string') throw new Error(`${got}\n${text}`)
        expect([i, got.map((value) => decisionOf(type, value))]).toEqual([i, meant])
      }
    },
  )

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
