// Before tc and socket filters the kernel takes the outermost VLAN tag off a frame and keeps it beside: the verdict stays that of the frame on the
// wire.

import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, evaluate, type Filter, print, termsOf, VIEWS, type ViewName } from '@netsieve/ir'
import { FIELDS, PROTOCOLS } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frame } from './frames.ts'
import { filterOf } from './random-ir.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 15)

const taggedFrame = fc
  .tuple(frame, fc.constantFrom(0x8100, 0x88a8), fc.oneof(fc.constantFrom(0, 5, 0x2005, 0xe000), fc.nat(0xffff)))
  .filter(([bytes]) => bytes.length >= 14)
  .map(([bytes, tpid, tci]) => {
    const tag = [tpid >> 8, tpid & 0xff, tci >> 8, tci & 0xff]
    return {
      bytes,
      vlan: { tci, proto: tpid },
      wire: Uint8Array.from([...bytes.subarray(0, 12), ...tag, ...bytes.subarray(12)]),
    }
  })

/** Terms that no rule asks of tagged frames: libpcap's transport header without its ethertype, an index into the link header. */
function asked(view: ViewName, filter: Filter): boolean {
  for (const term of termsOf(filter)) {
    if (term.kind === 'load' && term.index && term.base !== 'transport') return false
    if (VIEWS[view].tags !== 'fixed') continue
    if (term.kind === 'load' && term.base === 'transport') return false
    if (term.kind === 'field' && PROTOCOLS[FIELDS[term.field].proto].base === 'transport') return false
  }
  return true
}

describe.each(Object.keys(VIEWS) as ViewName[])('view %s', (view) => {
  it.each(['sched_cls', 'socket_filter'] as const)('%s', (type) => {
    let judged = 0
    fc.assert(
      fc.property(filterOf(view), fc.array(taggedFrame, { minLength: 40, maxLength: 40 }), (filter, frames) => {
        fc.pre(check(filter).value !== undefined && asked(view, filter))
        const { insns, maps } = generate(filter, { type })
        expect(verify(insns, { type, maps })).toMatchObject({ status: 'accepted' })
        const machine = load(insns, { type, maps })
        for (const { bytes, vlan, wire } of frames) {
          const { r0, fault } = machine.run(bytes, { vlan })
          const got = fault ? fault.reason : decisionOf(type, r0)
          const { decision } = evaluate(filter, wire)
          if (got !== decision) {
            throw new Error(
              `program: ${got}, meaning: ${decision}\n${print(filter)}\nframe ${Buffer.from(wire).toString('hex')}`,
            )
          }
          judged++
        }
      }),
      { numRuns: RUNS, seed: 20_261_123 },
    )
    expect(judged).toBeGreaterThan(RUNS * 5)
  })
})
