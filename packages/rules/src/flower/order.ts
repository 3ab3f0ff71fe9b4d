// The order in which Linux asks filters of one priority, from the order in which they were added: by mask, the mask that came first first; of
// one mask in the order of adding. Source: net/sched/cls_flower.c (fl_classify) of Linux 6.18.

import type { Diagnostics } from '@netsieve/diag'
import { byPriority } from '../tc/index.ts'
import type { FlowerFilter, Key } from './ast.ts'

/** The filters of one priority: they have one protocol; keys and handles are unique. */
interface Bucket {
  readonly byKeys: Map<string, FlowerFilter>
  readonly byHandle: Map<number, FlowerFilter>
  /** In the order of adding, with the mask that each compares under. */
  readonly filters: Map<FlowerFilter, string>
}

/** The filters as Linux holds them, first asked first. Filters that Linux would refuse are diagnostics. */
export function inOrder(filters: readonly FlowerFilter[], diagnostics: Diagnostics): FlowerFilter[] {
  return [...byPriority(filters, diagnostics)].flatMap(([prio, those]) => {
    const bucket: Bucket = { byKeys: new Map(), byHandle: new Map(), filters: new Map() }
    for (const filter of those) add(bucket, filter, prio, diagnostics)
    return byMask(bucket)
  })
}

function add(bucket: Bucket, filter: FlowerFilter, prio: number, diagnostics: Diagnostics): void {
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
