// Map operations and packet helpers in both engines, against what the kernel answered to the same programs.
// NETSIEVE_RECORD=1 with NETSIEVE_ORACLE asks the running kernel again and writes the goldens.

import { readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { encode, type MapDef } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'
import { NO_ORACLE, Oracle, oracleMap } from './oracle.ts'
import { SEQUENCES, type Sequence } from './sequences.ts'

interface Answer {
  /** Why the verifier refused the program; there is nothing else then. */
  readonly refused?: string
  readonly r0?: number
  readonly data?: string
  readonly maps?: readonly unknown[]
}
interface Golden {
  readonly kernel: string
  readonly answers: Readonly<Record<string, Answer>>
}

const place = (name: string): URL => new URL(`${name}.golden.json`, import.meta.url)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

async function ask(oracle: Oracle, { type, program, maps, frames }: Sequence): Promise<Answer> {
  const answer = await oracle.ask({
    op: 'run', type, hex: hex(encode(program)), maps: maps.map(oracleMap), frames: frames.map(hex), data_out: 'all', dump_maps: true, log: false,
  }) // biome-ignore format: a request
  if (answer.error) throw new Error(answer.error)
  if (!answer.accepted) return { refused: answer.reason ?? '' }
  const { retvals, data_out, maps: dumps } = answer.run!
  return {
    r0: retvals[0]!,
    data: data_out![0]!,
    maps: dumps!.map((entries) => entries.toSorted()).filter((_, i) => kept(maps[i]!)),
  }
}

function answerOf({ type, program, maps, frames, world = {} }: Sequence, engine: 'interpreter' | 'jit'): Answer {
  const machine = load(program, { type, maps, engine, patience: 0, cpus: 2, world })
  const run = machine.run(frames[0]!)
  expect(run.fault).toBeUndefined()
  return {
    r0: run.r0,
    data: hex(run.packet ?? frames[0]!),
    maps: maps
      .filter(kept)
      .map(({ name }) => machine.map(name).toJSON())
      .map(dumped),
  }
}

/** Maps of many zeros that no program changes are left out. */
function kept({ name }: MapDef): boolean {
  return name !== 'large'
}

/** As bpf(2) lists a map: queues, stacks and Bloom filters have no keys to go through. */
function dumped({ type, entries }: { type: string; entries: readonly (readonly [string, unknown])[] }): unknown {
  return type === 'queue' || type === 'stack' ? [] : entries.toSorted()
}

test.each(SEQUENCES.maps!().map((sequence) => [sequence.name, sequence] as const))(
  'JSON of %s, and back',
  (_, sequence) => {
    const { program, type, maps, frames } = sequence
    const machine = load(program, { type, maps, cpus: 2 })
    machine.run(frames[0]!)
    const json = JSON.stringify(machine.map('map'))
    const other = load(program, { type, maps, cpus: 2 })
    other.map('map').load(JSON.parse(json))
    const sorted = (text: string): unknown => JSON.parse(text).entries.toSorted()
    if (maps[1]!.type === 'queue' || maps[1]!.type === 'stack') expect(JSON.stringify(other.map('map'))).toBe(json)
    else expect(sorted(JSON.stringify(other.map('map')))).toEqual(sorted(json))
  },
)

describe.each(Object.keys(SEQUENCES))('%s', (name) => {
  const sequences = SEQUENCES[name]!()
  test.runIf(process.env.NETSIEVE_RECORD && !NO_ORACLE)('record', async () => {
    const oracle = new Oracle(['taskset', '-c', '0'])
    const answers: Record<string, Answer> = {}
    for (const sequence of sequences) answers[sequence.name] = await ask(oracle, sequence)
    oracle.close()
    writeFileSync(place(name), `${JSON.stringify({ kernel: release(), answers }, null, 1)}\n`)
  })

  const { answers }: Golden = JSON.parse(readFileSync(place(name), 'utf8'))
  const accepted = sequences.filter((sequence) => answers[sequence.name]?.refused === undefined)
  test('most were accepted', () => expect(accepted.length).toBeGreaterThan(sequences.length * 0.8))
  describe.each(['interpreter', 'jit'] as const)('%s', (engine) => {
    test.each(accepted.map((sequence) => [sequence.name, sequence] as const))('%s', (_, sequence) => {
      expect(answerOf(sequence, engine)).toEqual(answers[sequence.name])
    })
  })
})
