// What is unusual about a planned frame, in words; and plans without all that. Most differences between tools are in unusual frames only.

import { type FieldId, IPPROTO } from '@netsieve/packet'
import type { Plan, Write } from './frame.ts'

/** Fields whose numbers make a header unsound, a fragment or a tag. */
const STRUCTURE: ReadonlySet<FieldId | undefined> = new Set<FieldId>([
  'vlan.tpid',
  'vlan.tci',
  'ipv4.version',
  'ipv4.ihl',
  'ipv4.length',
  'ipv4.frag',
  'ipv4.mf',
  'ipv4.fragoff',
  'ipv6.version',
  'ipv6.plen',
])
const CHAIN: ReadonlySet<number> = new Set([
  IPPROTO.hopopt,
  IPPROTO.routing,
  IPPROTO.fragment,
  IPPROTO.dstopts,
  IPPROTO.ah,
])
const TAGS = [0x8100n, 0x88a8n, 0x9100n]

function isOdd({ slot, value }: Write): boolean {
  if (STRUCTURE.has(slot.field)) return true
  if (slot.field === 'meta.l4proto' || slot.field === 'ipv6.nexthdr') return CHAIN.has(Number(value))
  return slot.base === 'link' && slot.bit === 96 && TAGS.includes(value)
}

/** The plan of a whole, sound, untagged frame without options, extension headers and fragments. */
export function plainPlan({ cut: _, short: __, ...plan }: Plan): Plan {
  return {
    ...plan,
    tags: [],
    options: 0,
    frag: plan.frag & 0x4000,
    extensions: [],
    oddity: 'none',
    writes: plan.writes.filter((write) => !isOdd(write)),
  }
}

/** What is unusual about a plan's frame; nothing for a plain one. */
export function oddities({ net, tags, options, frag, extensions, oddity, short, cut, writes }: Plan): string[] {
  const out: string[] = []
  if (tags.length > 0) out.push(tags.length === 1 ? 'a VLAN tag' : 'two VLAN tags')
  const v6 =
    writes.some(({ slot }) => slot.proto === 'ipv6') ||
    (net === 'ipv6' && !writes.some(({ slot }) => slot.proto === 'ipv4'))
  if (v6 && extensions.length > 0) out.push(`IPv6 extension headers (${extensions.join(', ')})`)
  if (!v6 && options > 0) out.push('IPv4 options')
  if (!v6 && frag & 0x1fff) out.push('a later fragment')
  else if (!v6 && frag & 0x2000) out.push('a first fragment')
  if (oddity !== 'none') out.push(WORDS[oddity])
  for (const write of writes) if (isOdd(write)) out.push(`${write.slot.field ?? 'the type'} = ${write.value}`)
  if (short !== undefined) out.push('a packet that ends within its transport header')
  if (cut !== undefined) out.push('a frame that is cut')
  return out
}

const WORDS = {
  padding: 'bytes behind the IP packet',
  'length too long': 'an IP length beyond the frame',
  'length too short': 'an IP length below its header',
  ihl: 'an IPv4 header length below 20',
  version: 'a wrong IP version',
} as const
