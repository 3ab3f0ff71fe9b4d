// evaluate(ir, packet) = run(generate(ir), packet) for sets, maps, verdict maps and lists of rules; the generated code is accepted.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, type ViewName } from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { FRAMES } from './frames.ts'
import { judge } from './judge.ts'
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
      const random = new Random(seed)
      const frames = Array.from({ length: FRAMES_EACH }, () => frameOf(random))
      const engine = seed % 2 === 0 ? 'jit' : 'interpreter'
      judge(filter, generate(filter, { type }), frames, [engine])
    },
  )
})
