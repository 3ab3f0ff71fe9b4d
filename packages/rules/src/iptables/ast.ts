// What iptables, ip6tables and iptables-save text says, as a tree with spans: commands in the order of the text.

import type { Source, Span } from '@netsieve/diag'
import type { Pred, Step } from '@netsieve/ir'
import type { FieldId, ListName } from '@netsieve/packet'
import type { IpFamily, Network, Word } from '../shared/index.ts'
import type { IcmpTest } from './icmp.ts'
import type { SetTest } from './ipset-match.ts'
import type { FieldKey } from './key.ts'
import type { U32Test } from './u32.ts'

export interface Ruleset {
  readonly source: Source
  readonly commands: readonly Command[]
  /** Its commands are iptables-legacy's by name: it means what that makes of them unless another profile is asked for. */
  readonly legacy: boolean
}

export type Command = Line & Action

interface Line {
  readonly family: IpFamily
  readonly table: string
  readonly span: Span
}

export type Action =
  /** `*filter` of iptables-save: the table starts empty. */
  | { readonly kind: 'table' }
  /** `-P` and `:CHAIN POLICY`. */
  | { readonly kind: 'policy'; readonly chain: Word; readonly policy: 'accept' | 'drop' }
  | { readonly kind: 'new'; readonly chain: Word }
  | { readonly kind: 'remove'; readonly chain?: Word }
  | { readonly kind: 'flush'; readonly chain?: Word }
  | { readonly kind: 'rename'; readonly chain: Word; readonly to: Word }
  | { readonly kind: 'append'; readonly chain: Word; readonly rule: RuleSpec }
  | { readonly kind: 'insert' | 'replace'; readonly chain: Word; readonly position: number; readonly rule: RuleSpec }
  | { readonly kind: 'delete'; readonly chain: Word; readonly rule: RuleSpec }
  | { readonly kind: 'deleteAt'; readonly chain: Word; readonly position: number }

export interface RuleSpec {
  /** The line as the user wrote it. */
  readonly text: string
  readonly span: Span
  /** Addresses, protocol and fragment first, as the kernel looks at them; then the matches in the order of the line. */
  readonly matches: readonly Match[]
  /** Modules and targets, which not every table and chain may have. */
  readonly uses?: readonly Use[]
  /** Absent: the rule only counts. */
  readonly target?: Target
}

/** A match or target by its name. */
export interface Use {
  readonly name: string
  readonly span: Span
}

export interface PortTest {
  readonly negated: boolean
  readonly lo: bigint
  readonly hi: bigint
  readonly span: Span
}

export interface FlagTest {
  readonly negated: boolean
  readonly mask: bigint
  readonly value: bigint
  readonly span: Span
}

export type PortModule = 'tcp' | 'udp' | 'sctp' | 'dccp'

export type Match =
  | {
      readonly kind: 'address'
      readonly side: 'src' | 'dst'
      readonly negated: boolean
      readonly networks: readonly Network[]
      readonly span: Span
    }
  | { readonly kind: 'protocol'; readonly negated: boolean; readonly protocol: bigint; readonly span: Span }
  | { readonly kind: 'fragment'; readonly negated: boolean; readonly span: Span }
  | {
      readonly kind: 'transport'
      readonly module: PortModule
      readonly sport?: PortTest
      readonly dport?: PortTest
      readonly flags?: FlagTest
      /** An option of TCP or DCCP that is there or not. */
      readonly entry?: { readonly type: number; readonly negated: boolean }
      /** What is asked of the chunks of SCTP. */
      readonly chunks?: { readonly pred: Pred; readonly negated: boolean }
      readonly dccpTypes?: { readonly types: readonly bigint[]; readonly negated: boolean }
      readonly span: Span
    }
  /** A module that looks at one header: all of its tests must hold. */
  | { readonly kind: 'header'; readonly module: string; readonly tests: readonly HeaderTest[]; readonly span: Span }
  | {
      readonly kind: 'multiport'
      readonly side: 'sport' | 'dport' | 'either'
      readonly negated: boolean
      readonly ranges: readonly { readonly lo: bigint; readonly hi: bigint }[]
      readonly span: Span
    }
  /** A message of ICMP or, of ip6tables, ICMPv6; without a type any whose header is whole. */
  | { readonly kind: 'icmp'; readonly negated: boolean; readonly test: IcmpTest; readonly span: Span }
  /** A field that has a value under a mask, or lies in a range. */
  | {
      readonly kind: 'field'
      readonly field: FieldId
      readonly negated: boolean
      readonly test: FieldTest
      readonly span: Span
    }
  /** Any of these states of the connection (bits of ct.state), or of these marks of address translation (bits of ct.status). */
  | {
      readonly kind: 'state'
      readonly negated: boolean
      readonly state: bigint
      readonly status: bigint
      readonly span: Span
    }
  | { readonly kind: 'u32'; readonly negated: boolean; readonly tests: readonly U32Test[]; readonly span: Span }
  | { readonly kind: 'kept'; readonly kept: Kept; readonly span: Span }
  /** The packet is in a set of ipset's. */
  | { readonly kind: 'set'; readonly test: SetTest; readonly span: Span }
  /** What iptables has and this front-end does not: an error only where packets can come to the rule. */
  | { readonly kind: 'unsupported'; readonly what: string; readonly span: Span }

/** What a match keeps from packet to packet. `per` is nanoseconds. */
export type Kept =
  | {
      readonly kind: 'limit'
      readonly rate: bigint
      readonly per: bigint
      readonly burst: bigint
      readonly keyed?: KeyedBy
    }
  | { readonly kind: 'quota'; readonly bytes: bigint; readonly over: boolean }
  | { readonly kind: 'nth'; readonly every: bigint; readonly before: bigint; readonly over: boolean }
  /** When packets of an address came, in a list that rules of one family share by its name. */
  | {
      readonly kind: 'recent'
      readonly name: string
      readonly does: 'set' | 'check' | 'update' | 'remove'
      readonly over: boolean
      readonly key: FieldKey
      /** Nanoseconds; 0: however long ago. */
      readonly within: bigint
      readonly hits: number
      readonly ttl?: FieldId
      /** `--reap`: addresses that came too long ago are taken out. */
      readonly reap?: Span
    }

/** A bucket for each key, and whether the rule is for packets beyond it. */
export interface KeyedBy {
  /** Rules of one family that give the same name share their buckets. */
  readonly name: string
  /** Fields with their masks; none: one bucket for all packets. */
  readonly key: readonly { readonly field: FieldId; readonly mask: bigint }[]
  readonly over: boolean
  /** Nanoseconds without a packet after which a bucket is forgotten. */
  readonly timeout: bigint
}

/** What is asked of a header: a field, that an entry of a list is there, or several of them. */
export type HeaderTest = { readonly negated?: boolean } & (
  | { readonly kind: 'field'; readonly field: FieldId; readonly test: FieldTest }
  | { readonly kind: 'entry'; readonly list: ListName; readonly type: number }
  | { readonly kind: 'all' | 'any'; readonly tests: readonly HeaderTest[] }
  /** So many bytes of an option of TCP lie inside of the header. */
  | { readonly kind: 'whole'; readonly type: number; readonly bytes: bigint }
  | { readonly kind: 'pred'; readonly pred: Pred }
  /** Must hold, or the packet is dropped. */
  | { readonly kind: 'sound'; readonly pred: Pred }
  /** A bit of a transport header, of which so many bytes are there; where they are not, the rule does not match. */
  | { readonly kind: 'bit'; readonly offset: number; readonly mask: bigint; readonly bytes: number }
)

export type FieldTest = { readonly value: bigint; readonly mask: bigint } | { readonly lo: bigint; readonly hi: bigint }

export type Target =
  | { readonly kind: 'verdict'; readonly verdict: 'accept' | 'drop' | 'return'; readonly span: Span }
  | { readonly kind: 'jump' | 'goto'; readonly chain: Word; readonly span: Span }
  /** What it does, where that needs no name. */
  /** `rewrites`: it changes bytes of the packet too, which nothing here does. */
  | { readonly kind: 'steps'; readonly steps: readonly Step[]; readonly rewrites?: string; readonly span: Span }
  /** A change of a set of ipset's, by the packet. */
  | {
      readonly kind: 'ipset'
      readonly does: 'add' | 'update' | 'delete'
      readonly set: Word
      readonly sides: SetTest['sides']
      /** Until it is forgotten; 0: never. */
      readonly seconds?: bigint
      readonly span: Span
    }
  | { readonly kind: 'unsupported'; readonly what: string; readonly name: string; readonly span: Span }
