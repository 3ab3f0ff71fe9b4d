// evaluate(ir, packet) = run(generate(ir), packet) for sets, maps, verdict maps and lists of rules; the generated code is accepted.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, evaluate, print, type ViewName } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { FRAMES } from './frames.ts'
import { Random, setFilter } from './random-sets.ts'

/** Programs of each kind; a tenth of what other properties run, since these are large. */
const RUNS = Math.ceil(Number(process.env.NETSIEVE_RUNS ?? 40) / 10)
const FRAMES_EACH = 100
const CASES = [
  ['nft-ip', 'xdp'],
  ['nft-ip', 'socket_filter'],
  ['nft-netdev', 'sched_cls'],
  ['xt-ip', 'xdp'],
  ['pcap', 'xdp'],
  ['ethtool', 'xdp'],
] as const satisfies readonly (readonly [ViewName, ProgTypeName])[]

/** A frame of a capture, perhaps with bytes changed, perhaps cut. */
function frameOf(random: Random): Uint8Array {
  const frame = random.one(FRAMES).slice()
  for (let changes = random.below(3); changes > 0; changes--)
    frame[random.below(Math.min(80, frame.length))] = random.below(256)
  return random.chance(20) ? frame.slice(0, random.below(frame.length + 1)) : frame
}

describe.each(CASES)('view %s as %s', (view, type) => {
  it.each(Array.from({ length: RUNS }, (_, i) => i * 31 + 7))(
    'seed %i: decides as evaluate does, and is accepted',
    (seed) => {
      const filter = setFilter(view, seed)
      expect(check(filter).diagnostics).toEqual([])
      const { insns, maps } = generate(filter, { type })
      const { status, message } = verify(insns, { type, maps })
      expect({ status, message }).toEqual({ status: 'accepted', message: undefined })
      const random = new Random(seed)
      const machine = load(insns, { type, maps, engine: seed % 2 === 0 ? 'jit' : 'interpreter', patience: 0 })
      for (let i = 0; i < FRAMES_EACH; i++) {
        const bytes = frameOf(random)
        const { r0, exit, fault } = machine.run(bytes)
        const got = fault ? fault.reason : `${decisionOf(type, r0)} by ${insns[exit!]?.origin?.rule}`
        const { decision, rule } = evaluate(filter, bytes)
        if (got === `${decision} by ${rule}`) continue
        const text = Buffer.from(bytes).toString('hex')
        throw new Error(`program: ${got}, meaning: ${decision} by ${rule}\n${print(filter)}\nframe ${text}`)
      }
    },
  )
})
