// Where filters are asked, from the order in which they were added: by hook, chain and priority. Source: net/sched/cls_api.c (tc_new_tfilter,
// tcf_auto_prio) of Linux 6.18.

import type { Diagnostics } from '@netsieve/diag'
import type { Action } from './actions.ts'
import type { Frame } from './frame.ts'

export const TC_HOOKS = ['ingress', 'egress'] as const

/** A filter without a priority goes before all that have 0x8000 or more: the newest is asked first. */
const AUTO_FROM = 0x8000
const AUTO_FIRST = 0xc000

export interface Placed extends Frame {
  /** Filters of one priority are of one kind. */
  readonly kind: string
}

/** The filters at a hook; what is elsewhere is told. */
export function atHook<F extends Frame>(filters: readonly F[], hook: string, diagnostics: Diagnostics): F[] {
  const here = filters.filter((filter) => filter.hook === hook)
  if (!TC_HOOKS.some((each) => each === hook))
    diagnostics.error('rules/hook', `tc has no hook ${hook}`, undefined, {
      expected: TC_HOOKS.map((each) => `'${each}'`),
    })
  else if (here.length === 0) {
    const [other] = filters
    const message = other ? `there is no filter at ${hook}` : 'there is no filter'
    diagnostics.error('rules/empty', message, other?.span, other && { hint: `this one is at ${other.hook}: --hook ${other.hook} asks it` }) // biome-ignore format: one message
    return here
  }
  for (const filter of filters) {
    if (filter.hook !== hook)
      diagnostics.warning('tc/other-hook', `this filter is at ${filter.hook}: left out`, filter.span)
    if (filter.dev !== here[0]?.dev && filter.dev !== undefined && here[0]?.dev !== undefined)
      diagnostics.error(
        'rules/unsupported',
        `unsupported: filters of several devices (${here[0].dev} and ${filter.dev})`,
        filter.span,
      )
  }
  return here
}

export const chainName = (hook: string, number: number) => (number === 0 ? hook : `${hook}/${number}`)

/** The chains that packets can come to, from chain 0 on; one that a filter goes to without filters of its own is empty. */
export function reached(
  filters: readonly (Frame & { readonly action: Action })[],
  diagnostics: Diagnostics,
): readonly number[] {
  const found = new Set([0])
  const chains = byChain(filters)
  for (const chain of found)
    for (const { action } of chains.get(chain) ?? [])
      if (action.verdict.kind === 'goto') found.add(Number(action.verdict.chain))
  for (const { chain, span } of filters.filter((each) => !found.has(each.chain)))
    diagnostics.warning('tc/unreached', `no packet comes to chain ${chain}: this filter is left out`, span)
  return [...found]
}

/** The filters of each chain, in their order. */
export function byChain<F extends Frame>(filters: readonly F[]): ReadonlyMap<number, readonly F[]> {
  const found = new Map<number, F[]>()
  for (const filter of filters) {
    const those = found.get(filter.chain) ?? []
    if (those.push(filter) === 1) found.set(filter.chain, those)
  }
  return found
}

/** Filters of a chain by priority, lowest first; of one priority in the order of adding. Those that Linux would refuse are diagnostics. */
export function byPriority<F extends Placed>(
  filters: readonly F[],
  diagnostics: Diagnostics,
): ReadonlyMap<number, readonly F[]> {
  const found = new Map<number, F[]>()
  let lowestAbove: number | undefined
  for (const filter of filters) {
    const prio = filter.prio || (lowestAbove === undefined ? AUTO_FIRST : lowestAbove - 1)
    if (prio >= AUTO_FROM) lowestAbove = Math.min(lowestAbove ?? prio, prio)
    else if (filter.prio === 0) {
      diagnostics.error('tc/no-prio', 'there is no priority left to choose', filter.span)
      continue
    }
    const others = found.get(prio) ?? []
    const [first] = others
    if (first && (first.protocol !== filter.protocol || first.kind !== filter.kind)) {
      const what = first.protocol === filter.protocol ? 'kind' : 'protocol'
      diagnostics.error('tc/prio-protocol', `priority ${prio} holds filters of another ${what}`, filter.prioSpan, {
        notes: [{ message: 'such as this one', span: first.protocolSpan }],
      })
      continue
    }
    if (others.push(filter) === 1) found.set(prio, others)
  }
  return new Map([...found].sort(([a], [b]) => a - b))
}
