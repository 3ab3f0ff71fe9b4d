// What our code generator emits: the programs of the recorded rulesets and of random filters, each as every program type that has all it asks for.

import type { Insn, MapDef, ProgTypeName } from '@netsieve/asm'
import { beyondType, generate } from '@netsieve/codegen'
import { check, type Filter, VIEWS, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { recorded } from '../golden/recorded.ts'
import { filterOf } from '../properties/random-ir.ts'

const TYPES: readonly ProgTypeName[] = ['xdp', 'sched_cls', 'socket_filter', 'cgroup_skb', 'netfilter']
const SEED = 20_261_127

export interface Emitted {
  readonly name: string
  readonly type: ProgTypeName
  readonly insns: readonly Insn[]
  readonly maps: readonly MapDef[]
}

/** `each`: random filters of each view, and pcap expressions among the rulesets. */
export function* emitted(each: number): Generator<Emitted> {
  for (const { name, filter } of recorded(each)) yield* programs(name, filter)
  for (const view of Object.keys(VIEWS) as ViewName[]) {
    const filters = fc.sample(filterOf(view), { numRuns: each, seed: SEED }).filter((filter) => check(filter).value)
    for (const [i, filter] of filters.entries()) yield* programs(`random filter ${i} of view ${view}`, filter)
  }
}

function* programs(name: string, filter: Filter): Generator<Emitted> {
  for (const type of TYPES) {
    if (beyondType(filter, type).length > 0) continue
    const { insns, maps } = generate(filter, { type })
    yield { name, type, insns, maps }
  }
}
