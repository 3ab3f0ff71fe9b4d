// Whether it shows that a term is not asked for: by a packet that is dropped, or a program that ends, where the term cannot be loaded.

import { FIELDS, type ListName, protocol } from '@netsieve/packet'
import type { Filter, Step, Term } from '../types.ts'
import { VIEWS, type View } from '../views.ts'
import { termsIn } from '../walk.ts'

/** Tells whether a step may be left out, or asked at another rule, without a trace. */
export type Traceless = (step: Step) => boolean

export function tracelessIn(filter: Filter): Traceless {
  const bases = filter.base.map(({ view, family }) => ({ view: VIEWS[view] as View, family }))
  if (bases.some(({ view }) => view.missing === 'reject')) return () => false
  const chains = bases.some(({ view, family }) => view.chainDrops && family !== 'ipv4')
  const views = [...new Set(bases.map(({ view }) => view))]
  const never = views.every(cutsNothing)
  return (step) => {
    if (never && (step.kind !== 'match' || step.view === undefined)) return true
    const own = step.kind === 'match' && step.view ? [VIEWS[step.view] as View] : views
    for (const term of termsIn(step)) if (own.some((view) => cuts(term, view, chains))) return false
    return true
  }
}

const cutsNothing = ({ lists, chainDrops, cutDrops, tinyDrops }: View): boolean =>
  !lists.drops && !chainDrops && cutDrops.length === 0 && tinyDrops.length === 0

function cuts(term: Term, view: View, chains: boolean): boolean {
  // A search in a list drops where its header is cut, or wrong.
  if (term.kind === 'find') return cutsIn(term.list, view)
  if (term.kind !== 'field') return false
  const { proto } = FIELDS[term.field]
  const { entry } = protocol(proto)
  if (entry && cutsIn(entry.list, view)) return true
  return (chains && term.field === 'meta.l4proto') || view.cutDrops.includes(proto) || view.tinyDrops.includes(proto)
}

function cutsIn(list: ListName, { lists, chainDrops, cutDrops, tinyDrops }: View): boolean {
  return lists.drops || chainDrops || cutDrops.includes(list) || tinyDrops.includes(list)
}
