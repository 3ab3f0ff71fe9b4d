// The words of ethtool's receive filters (ethtool 6.1): flow types and the fields of each.

import type { FieldId } from '@netsieve/packet'

export type ValueForm = 'number' | 'ipv4' | 'ipv6' | 'mac'

export interface FieldRow {
  readonly form: ValueForm
  readonly bits: number
  readonly field: FieldId
  /** Fields that share the first four bytes of the transport header: words of one group may be given together, those of two may not. */
  readonly group?: 'ports' | 'spi' | 'l4data'
}

const port = (field: FieldId): FieldRow => ({ form: 'number', bits: 16, field, group: 'ports' })
const spi = (field: FieldId): FieldRow => ({ form: 'number', bits: 32, field, group: 'spi' })

const IPV4 = {
  'src-ip': { form: 'ipv4', bits: 32, field: 'ipv4.src' },
  'dst-ip': { form: 'ipv4', bits: 32, field: 'ipv4.dst' },
  tos: { form: 'number', bits: 8, field: 'ipv4.tos' },
} as const satisfies Record<string, FieldRow>
const IPV6 = {
  'src-ip': { form: 'ipv6', bits: 128, field: 'ipv6.src' },
  'dst-ip': { form: 'ipv6', bits: 128, field: 'ipv6.dst' },
  tclass: { form: 'number', bits: 8, field: 'ipv6.tclass' },
} as const satisfies Record<string, FieldRow>
const PORTS = { 'src-port': port('th.sport'), 'dst-port': port('th.dport') } as const
/** Of any transport protocol: the first bytes after the IP header, whatever they are. */
const ANY = {
  l4proto: { form: 'number', bits: 8, field: 'meta.l4proto' },
  l4data: { form: 'number', bits: 32, field: 'esp.spi', group: 'l4data' },
  spi: spi('esp.spi'),
  ...PORTS,
} as const satisfies Record<string, FieldRow>

/** Fields of every flow type, and of every one but `ether`. */
const EXTRA = {
  'vlan-etype': { form: 'number', bits: 16, field: 'vlan.tpid' },
  vlan: { form: 'number', bits: 16, field: 'vlan.tci' },
} as const satisfies Record<string, FieldRow>
const DST_MAC = { 'dst-mac': { form: 'mac', bits: 48, field: 'eth.dst' } } as const satisfies Record<string, FieldRow>

export interface FlowType {
  readonly family?: 'ipv4' | 'ipv6'
  /** The transport protocol that the type stands for. */
  readonly protocol?: number
  readonly fields: Readonly<Record<string, FieldRow>>
}

const v4 = (fields: Readonly<Record<string, FieldRow>>, protocol?: number): FlowType => ({
  family: 'ipv4',
  ...(protocol !== undefined && { protocol }),
  fields: { ...IPV4, ...fields, ...EXTRA, ...DST_MAC },
})
const v6 = (fields: Readonly<Record<string, FieldRow>>, protocol?: number): FlowType => ({
  family: 'ipv6',
  ...(protocol !== undefined && { protocol }),
  fields: { ...IPV6, ...fields, ...EXTRA, ...DST_MAC },
})

export const FLOW_TYPES: Readonly<Record<string, FlowType>> = {
  ether: {
    fields: {
      src: { form: 'mac', bits: 48, field: 'eth.src' },
      dst: { form: 'mac', bits: 48, field: 'eth.dst' },
      proto: { form: 'number', bits: 16, field: 'meta.protocol' },
      ...EXTRA,
    },
  },
  ip4: v4(ANY),
  ip6: v6(ANY),
  tcp4: v4(PORTS, 6),
  udp4: v4(PORTS, 17),
  sctp4: v4(PORTS, 132),
  ah4: v4({ spi: spi('ah.spi') }, 51),
  esp4: v4({ spi: spi('esp.spi') }, 50),
  tcp6: v6(PORTS, 6),
  udp6: v6(PORTS, 17),
  sctp6: v6(PORTS, 132),
  ah6: v6({ spi: spi('ah.spi') }, 51),
  esp6: v6({ spi: spi('esp.spi') }, 50),
}

/** Words that are not modelled; said so, never left out. */
export const OTHER_WORDS: readonly string[] = ['user-def', 'vf', 'context']

/** What a rule does: a queue, or one of these numbers. */
export const DISCARD = -1n
export const WAKE = -2n
