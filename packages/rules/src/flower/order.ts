// The order in which Linux asks filters, from the order in which they were added: by priority; of one priority by mask, the mask that came
// first first; of one mask in the order of adding. Sources: net/sched/cls_api.c (tc_new_tfilter, tcf_auto_prio), cls_flower.c (fl_classify).

import type { Diagnostics } from '@netsieve/diag'
import type { FlowerFilter, Key } from './ast.ts'

interface Added {
  readonly filter: FlowerFilter
  readonly prio: number
}

const AUTO_FROM = 0x8000
const AUTO_FIRST = 0xc000

/** The filters as Linux holds them, first asked first. Filters that Linux would refuse are diagnostics. */
export function inOrder(filters: readonly FlowerFilter[], diagnostics: Diagnostics): FlowerFilter[] {
  const added: Added[] = []
  for (const filter of filters) {
    const prio = filter.prio || autoPrio(added)
    const same = added.filter((other) => other.prio === prio)
    if (refused({ filter, prio }, same, diagnostics)) continue
    const old = filter.handle === 0 ? undefined : same.find((other) => other.filter.handle === filter.handle)
    if (old) added.splice(added.indexOf(old), 1)
    added.push({ filter, prio })
  }
  const masks = new Map<string, number>()
  for (const { filter } of added) if (!masks.has(maskOf(filter))) masks.set(maskOf(filter), masks.size)
  const rank = ({ filter }: Added) => masks.get(maskOf(filter))!
  return added
    .map((each, index) => ({ each, index }))
    .sort((a, b) => a.each.prio - b.each.prio || rank(a.each) - rank(b.each) || a.index - b.index)
    .map(({ each }) => each.filter)
}

/** A filter without a priority goes before all that have 0x8000 or more: the newest is asked first. */
function autoPrio(added: readonly Added[]): number {
  const above = added.map(({ prio }) => prio).filter((prio) => prio >= AUTO_FROM)
  return above.length > 0 ? Math.min(...above) - 1 : AUTO_FIRST
}

function refused({ filter, prio }: Added, same: readonly Added[], diagnostics: Diagnostics): boolean {
  const other = same.find((each) => each.filter.protocol !== filter.protocol)
  if (other) {
    diagnostics.error('flower/prio-protocol', `priority ${prio} holds filters of another protocol`, filter.prioSpan, {
      notes: [{ message: 'such as this one', span: other.filter.protocolSpan }],
    })
    return true
  }
  const twin = same.find((each) => keyOf(each.filter) === keyOf(filter))
  const sameHandle = same.find((each) => filter.handle !== 0 && each.filter.handle === filter.handle)
  const clash = filter.verb === 'add' ? (sameHandle ?? twin) : twin === sameHandle ? undefined : twin
  if (!clash) return false
  const what = clash === sameHandle && clash !== twin ? 'handle' : 'keys'
  diagnostics.error('flower/exists', `priority ${prio} has a filter of the same ${what} already`, filter.span, {
    notes: [{ message: 'this one', span: clash.filter.span }],
  })
  return true
}

/** What a filter compares, without the values. */
function maskOf(filter: FlowerFilter): string {
  return signature(filter, false)
}

function keyOf(filter: FlowerFilter): string {
  return signature(filter, true)
}

function signature({ keys, prio, protocol }: FlowerFilter, values: boolean): string {
  const parts = keys.map((key) => constraintText(key, values)).filter((part) => part !== '')
  return [`${prio}`, `${protocol}`, ...parts.sort()].join(' ')
}

/** The empty text for an empty mask: Linux does not know such a key from one that was not given. */
function constraintText({ name, constraint }: Key, values: boolean): string {
  switch (constraint.kind) {
    case 'masked':
      return constraint.mask === 0n ? '' : `${name}/${constraint.mask}${values ? `=${constraint.value}` : ''}`
    case 'range':
      return `${name}-${values ? `${constraint.lo}-${constraint.hi}` : ''}`
    case 'flags':
      return `${name}:${constraint.flags.map((flag) => (values ? flag : flag.replace(/^no/, ''))).sort()}`
  }
}
