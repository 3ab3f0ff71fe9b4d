// A filter's program against its meaning: what the properties here have in common.

import { decisionOf } from '@netsieve/asm'
import { type Generated, insnOf } from '@netsieve/codegen'
import { evaluate, type Filter, print } from '@netsieve/ir'
import { type LoadOptions, load } from '@netsieve/vm'
import { verifyAll } from './by-force.ts'

/**
 * Judges frames by a filter's program, which the verifier must accept. @returns what `evaluate` says to each frame. @throws Error where the program
 * decides otherwise, or by another rule, on any of the engines
 */
export function judge(
  filter: Filter,
  generated: Generated,
  frames: readonly Uint8Array[],
  engines: readonly NonNullable<LoadOptions['engine']>[] = ['interpreter'],
): ReturnType<typeof evaluate>[] {
  const { status, message } = verifyAll(generated)
  if (status !== 'accepted') throw new Error(`${status}: ${message}\n${print(filter)}`)
  const meant = frames.map((bytes) => evaluate(filter, bytes))
  for (const engine of engines) {
    const machine = load(generated.insns, { ...generated, engine, patience: 0 })
    for (const [i, bytes] of frames.entries()) {
      const { r0, exit, fault } = machine.run(bytes)
      const got = fault
        ? fault.reason
        : `${decisionOf(generated.type, r0)} by ${insnOf(generated, exit!)?.origin?.rule}`
      const { decision, rule } = meant[i]!
      if (got !== `${decision} by ${rule}`)
        throw new Error(`${engine}: ${got}, meaning: ${decision} by ${rule}\n${print(filter)}\nframe ${Buffer.from(bytes).toString('hex')}`) // biome-ignore format: one message
    }
  }
  return meant
}
