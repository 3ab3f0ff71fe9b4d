// What `--emit json` says of a program that is divided into functions, loaded by bpf(2) alone: the running kernel takes it, because it is told the types
// of the functions, and it returns what the machine's does. Needs root and Python; skipped, and said so, without.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PROG_TYPES } from '@netsieve/asm'
import { source } from '@netsieve/diag'
import { buildPacket } from '@netsieve/packet'
import { load } from '@netsieve/vm'
import { type Compiled, compile } from 'netsieve'
import { describe, expect, it } from 'vitest'
import { EMITS } from '../../packages/netsieve/src/cli/compile.ts'

const WHY =
  process.getuid?.() !== 0
    ? 'not root'
    : spawnSync('python3', ['--version']).status !== 0
      ? 'no python3'
      : process.arch !== 'x64' && process.arch !== 'arm64'
        ? 'another machine'
        : undefined
const LOADER = fileURLToPath(new URL('load-json.py', import.meta.url))

interface Told {
  readonly values?: readonly number[]
  readonly refused?: string
  readonly log: string
}

function inKernel({ type }: Compiled, program: object, frames: readonly Uint8Array[]): Told {
  const request = {
    program,
    type: PROG_TYPES[type].id,
    frames: frames.map((frame) => Buffer.from(frame).toString('hex')),
  }
  const { stdout, stderr } = spawnSync('python3', [LOADER], { input: JSON.stringify(request), encoding: 'utf8' })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as Told
}

/** Rules that no table stands for. */
function long(rules: number): string {
  const lines = Array.from({ length: rules }, (_, i) => `ip saddr & 0.0.255.255 == 0.0.${i >> 8}.${i & 255} tcp dport < ${1000 + (i % 50)} meta length > ${i % 40} drop`) // biome-ignore format: a rule
  return `table ip t { set s { type ipv4_addr . inet_service; elements = { 10.0.0.1 . 80 } }\nchain c { type filter hook prerouting priority 0; policy accept;\nmeta mark 5 ip daddr . tcp dport @s drop\n${lines.join('\n')}\n} }`
}

describe.skipIf(WHY)(`JSON in the running kernel${WHY ? ` (skipped: ${WHY})` : ''}`, () => {
  const frames = ['0.0', '3.7', '15.159', '15.160', '77.1'].flatMap((end) =>
    [80, 2000].map((port) => buildPacket(`eth / ipv4(src=10.9.${end}) / tcp(dport=${port})`).value!.data),
  )

  it.each(['xdp', 'sched_cls'] as const)('4,000 rules as %s', { timeout: 120_000 }, (type) => {
    const compiled = compile(source('rules', long(4000)), { type }).value!
    const { insns, maps, functions } = compiled
    expect(functions!.length).toBeGreaterThan(2)
    const program = JSON.parse([...(EMITS.json!(compiled) as Iterable<string>)].join('')) as {
      btf: string
      func_info: object[]
    }
    expect(program.func_info).toHaveLength(functions!.length)
    const machine = load(insns, { type, maps })
    const values = frames.map((frame) => machine.run(frame).r0)
    expect(new Set(values).size).toBe(2)
    const told = inKernel(compiled, program, frames)
    expect(told.log).toContain('processed')
    expect(told.values).toEqual(values)
    // It does not take code alone.
    const { btf: _, func_info: __, ...code } = program
    expect(inKernel(compiled, code, frames).refused).toBeDefined()
  })
})
