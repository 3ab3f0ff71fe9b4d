// The order in which Linux asks filters, from the order in which they were added: by priority; of one priority by mask, the mask that came
// first first; of one mask in the order of adding. Sources: net/sched/cls_api.c (tc_new_tfilter, tcf_auto_prio), cls_flower.c (fl_classify).

import type { Diagnostics } from '@netsieve/diag'
import type { FlowerFilter, Key } from './ast.ts'

/** The filters of one priority: they have one protocol; keys and handles are unique. */
interface Bucket {
  readonly byKeys: Map<string, FlowerFilter>
  readonly byHandle: Map<number, FlowerFilter>
  /** In the order of adding, with the mask that each compares under. */
  readonly filters: Map<FlowerFilter, string>
}

const AUTO_FROM = 0x8000
const AUTO_FIRST = 0xc000

/** The filters as Linux holds them, first asked first. Filters that Linux would refuse are diagnostics. */
export function inOrder(filters: readonly FlowerFilter[], diagnostics: Diagnostics): FlowerFilter[] {
  const buckets = new Map<number, Bucket>()
  // A filter without a priority goes before all that have 0x8000 or more: the newest is asked first.
  let lowestAbove: number | undefined
  for (const filter of filters) {
    const prio = filter.prio || (lowestAbove === undefined ? AUTO_FIRST : lowestAbove - 1)
    if (prio >= AUTO_FROM) lowestAbove = Math.min(lowestAbove ?? prio, prio)
    else if (filter.prio === 0) {
      diagnostics.error('flower/no-prio', 'there is no priority left to choose', filter.span)
      continue
    }
    const bucket = buckets.get(prio) ?? { byKeys: new Map(), byHandle: new Map(), filters: new Map() }
    buckets.set(prio, bucket)
    add(bucket, filter, prio, diagnostics)
  }
  return [...buckets].sort(([a], [b]) => a - b).flatMap(([, bucket]) => byMask(bucket))
}

function add(bucket: Bucket, filter: FlowerFilter, prio: number, diagnostics: Diagnostics): void {
  const [other] = bucket.filters.keys()
  if (other && (other.protocol !== filter.protocol || other.matchall !== filter.matchall)) {
    const what = other.protocol === filter.protocol ? 'kind' : 'protocol'
    diagnostics.error('flower/prio-protocol', `priority ${prio} holds filters of another ${what}`, filter.prioSpan, {
      notes: [{ message: 'such as this one', span: other.protocolSpan }],
    })
    return
  }
  const keys = signature(filter, true)
  const twin = bucket.byKeys.get(keys)
  const old = filter.handle === 0 ? undefined : bucket.byHandle.get(filter.handle)
  const replaces = filter.verb === 'replace' && old !== undefined
  const clash = replaces ? (twin === old ? undefined : twin) : (old ?? twin)
  if (clash) {
    const what = clash === twin ? 'keys' : 'handle'
    diagnostics.error('flower/exists', `priority ${prio} has a filter of the same ${what} already`, filter.span, {
      notes: [{ message: 'this one', span: clash.span }],
    })
    return
  }
  if (replaces) {
    bucket.filters.delete(old)
    bucket.byKeys.delete(signature(old, true))
  }
  bucket.filters.set(filter, signature(filter, false))
  bucket.byKeys.set(keys, filter)
  if (filter.handle !== 0) bucket.byHandle.set(filter.handle, filter)
}

function byMask({ filters }: Bucket): FlowerFilter[] {
  const groups = new Map<string, FlowerFilter[]>()
  for (const [filter, mask] of filters) {
    const group = groups.get(mask)
    if (group) group.push(filter)
    else groups.set(mask, [filter])
  }
  return [...groups.values()].flat()
}

/** What a filter compares: its masks, and if asked the values under them. */
function signature({ keys }: FlowerFilter, values: boolean): string {
  const parts = keys.map((key) => constraintText(key, values)).filter((part) => part !== '')
  return parts.sort().join(' ')
}

/** The empty text for an empty mask: Linux does not know such a key from one that was not given. */
function constraintText({ name: key, depth, constraint }: Key, values: boolean): string {
  const name = depth === undefined ? key : `${key}.${depth}`
  switch (constraint.kind) {
    case 'masked':
      return constraint.mask === 0n ? '' : `${name}/${constraint.mask}${values ? `=${constraint.value}` : ''}`
    case 'range':
      return `${name}-${values ? `${constraint.lo}-${constraint.hi}` : ''}`
    case 'flags':
      return `${name}:${constraint.flags.map((flag) => (values ? flag : flag.replace(/^no/, ''))).sort()}`
  }
}
