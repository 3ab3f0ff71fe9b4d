// The programs of every recorded ruleset, in the VM: the verifier accepts them, and they judge every frame as the rules mean (which
// netfilter.test.ts and pcap.test.ts hold against the real tools).

import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { evaluate } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { CAPTURES, recorded } from './recorded.ts'

const FILTERS = recorded(60)

it('has the example, netfilter rulesets and pcap expressions', () => {
  expect(FILTERS.length).toBeGreaterThan(100)
})

describe.each(FILTERS)('$name', ({ filter }) => {
  it.each(['xdp', 'sched_cls', 'socket_filter'] as const)('as %s', (type) => {
    const { insns, maps } = generate(filter, { type })
    expect(verify(insns, { type, maps })).toMatchObject({ status: 'accepted' })
    const machine = load(insns, { type, maps, engine: 'jit', patience: 0 })
    const wrong = CAPTURES.flatMap(({ name, frames }) =>
      frames.flatMap((frame, i) => {
        const { r0, fault } = machine.run(frame)
        const got = fault ? fault.reason : decisionOf(type, r0)
        const { decision } = evaluate(filter, frame)
        return got === decision ? [] : [`${name} ${i}: ${got}, meaning ${decision}`]
      }),
    )
    expect(wrong).toEqual([])
  })
})
