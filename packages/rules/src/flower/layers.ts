// Keys of what lies before the network header: tags, MPLS labels, PPPoE sessions, CFM. Linux's flow dissector takes tags off one by one; a tag
// or label that is cut is not dissected, so its fields are 0. Source: net/core/flow_dissector.c, net/sched/cls_flower.c of Linux 6.18.

import { and, cmp, FALSE, field, inRanges, load, masked, not, or, type Pred } from '@netsieve/ir'
import type { FieldId } from '@netsieve/packet'
import type { FlowerFilter, Key } from './ast.ts'
import { KEYS, type KeyName, type KeyRow, LAYERS } from './words.ts'

/** How many tags a filter says that there are before the network header, and the Ethernet type behind them. */
export interface Stack {
  readonly tags: 0 | 1 | 2
  readonly type: number | 'all'
}

export function stackOf({ protocol, keys }: FlowerFilter): Stack {
  for (const [name, tags] of [
    ['cvlan_ethtype', 2],
    ['vlan_ethtype', 1],
  ] as const) {
    const inner = keyValue(keys, name)
    if (inner !== undefined) return { tags, type: Number(inner) }
  }
  return { tags: 0, type: protocol }
}

/** Bytes to the network header. */
export const netOffset = ({ tags }: Stack) => 14 + 4 * tags

export function keyValue(keys: readonly Key[], name: Key['name']): bigint | undefined {
  const constraint = keys.find((key) => key.name === name)?.constraint
  return constraint?.kind === 'masked' ? constraint.value : undefined
}

const length = (bytes: number) => cmp({ kind: 'length' }, '>=', bytes)
const isTag = (id: FieldId): Pred =>
  inRanges(id, [0x8100n, 0x88a8n].map((type) => ({ lo: type, hi: type }))) // biome-ignore format: one list

/** The filter is for a tag: it is whole. So is the one inside that `vlan_ethtype` names. */
export function tagsThere({ protocol, keys }: FlowerFilter): Pred[] {
  if (LAYERS[Number(protocol)] !== 'vlan') return []
  const inner = keyValue(keys, 'vlan_ethtype')
  return [length(inner !== undefined && LAYERS[Number(inner)] === 'vlan' ? 22 : 18)]
}

/** A field of a tag, which is 0 where the tag is not there or cut. */
export function tagKey(name: KeyName, value: bigint): Pred {
  const { field: id, tag }: KeyRow = KEYS[name]
  if (typeof id !== 'string' || tag === undefined) throw new Error(`${name} is no key of a tag`)
  const whole = length(18 + 4 * tag)
  const same = cmp(id, '==', value)
  return value === 0n ? or(not(whole), same) : and(whole, same)
}

/** Types behind the tags, from the frame's own on: one more than tags that are told apart. */
const TYPES = ['eth.type', 'vlan.type', 'vlan1.type', 'vlan2.type', 'vlan3.type'] as const satisfies readonly FieldId[]
export const MAX_TAGS = TYPES.length - 1

/** There are so many tags: each is whole, and what is behind the last is none, or cut. */
export function tagCount(count: number): Pred {
  const there = (tags: number) => and(...TYPES.slice(0, tags).map(isTag), length(14 + 4 * tags))
  const more = not(there(count + 1))
  return count === 0 ? more : and(there(count), ...(count < MAX_TAGS ? [more] : [not(isTag('vlan3.type'))]))
}

/** A label is dissected if it is whole and none before it is the last. */
export function labelThere(depth: number, net: number): Pred {
  const before = Array.from({ length: depth - 1 }, (_, i) => cmp(labelField('mpls.bos', i + 1), '==', 0))
  return and(length(net + 4 * depth), ...before)
}

/** The row of a label by its depth, from 1. */
export function labelField(field: FieldId, depth: number): FieldId {
  return depth === 1 ? field : (field.replace('mpls', `mpls${depth - 1}`) as FieldId)
}

/** A session's header that Linux takes for one: version 1, type 1, code 0, and a protocol number as RFC 1661 has them. */
export function session(net: number): Pred {
  return and(
    length(net + 8),
    cmp('pppoe.version', '==', 1),
    cmp('pppoe.type', '==', 1),
    cmp('pppoe.code', '==', 0),
    cmp(masked(field('ppp.protocol'), 0x0101n), '!=', 0),
  )
}

/** The protocol in a session; a number below 256 may be written in one byte, which is odd then. */
export function pppProtocol(value: bigint): Pred {
  const long = (value & 0x100n) === 0n ? cmp('ppp.protocol', '==', value) : FALSE
  return value <= 0xffn && (value & 1n) === 1n ? or(long, cmp(masked(field('ppp.protocol'), 0xff00n), '==', value << 8n)) : long // biome-ignore format: one choice
}

/** Level and operation stand at the start of the message (IEEE 802.1ag); `mdl` is the upper three bits of its first byte. */
export function cfmKey(name: 'cfm_mdl' | 'cfm_op', value: bigint, net: number): Pred {
  const whole = length(net + 2)
  const same = name === 'cfm_op' ? cmp(load('net', 1, 1), '==', value) : cmp(masked(load('net', 0, 1), 0xe0n), '==', value << 5n) // biome-ignore format: one choice
  return value === 0n ? or(not(whole), same) : and(whole, same)
}
