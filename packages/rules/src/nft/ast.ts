// A ruleset as a tree with spans: tables with their chains and sets as they are after all statements; rules as steps in their order.

import type { Source, Span } from '@netsieve/diag'
import type { Hook, Word } from '../shared/index.ts'

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'netdev' | 'arp' | 'bridge'

export interface Ruleset {
  readonly source: Source
  readonly tables: readonly Table[]
}

export interface Table {
  readonly family: NftFamily
  readonly name: string
  readonly span: Span
  readonly chains: Map<string, Chain>
  readonly sets: Map<string, NamedSet>
  /** Counters, limits and quotas that rules name. */
  readonly objects: Map<string, Kept>
}

export interface Chain {
  readonly name: string
  readonly span: Span
  hook?: HookSpec
  policy?: { readonly verdict: 'accept' | 'drop'; readonly span: Span }
  rules: Rule[]
}

export interface HookSpec {
  readonly type: 'filter' | 'nat' | 'route'
  readonly hook: Hook
  readonly priority: number
  readonly span: Span
}

export interface NamedSet {
  readonly name: string
  readonly span: Span
  /** Of each component of the keys: the type's name, or the field that `typeof` names. Empty where it is not understood. */
  types: readonly (Word | Selector)[]
  /** Of a map: `verdict`, or the type of its numbers, or the field that `typeof` names. */
  data?: Word | Selector
  unsupported?: { readonly what: string; readonly span: Span }
  interval: boolean
  /** Where it says that its elements go after a time. */
  timeout?: Span
  /** After which time, in nanoseconds. */
  lifetime?: bigint
  /** How many elements it has room for. */
  size?: number
  /** Rules add to it. */
  dynamic?: true
  /** Rules add to it that count connections by its keys. */
  counted?: true
  autoMerge: boolean
  elements: Value[]
}

export interface Rule {
  readonly text: string
  readonly span: Span
  readonly steps: readonly Step[]
}

export type Operator = '' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '!'

/** `tcp dport`, `meta l4proto`: a header and a field of it. */
export interface Selector {
  readonly header: Word
  readonly field: Word
  /** Of the addresses of a routing header: which one, from 1. */
  readonly index?: Word
  /** Of a hash: what is hashed. */
  readonly of?: readonly Selector[]
  /** `& 0xff | 1`: what is made of its bits. */
  readonly bits?: readonly Bits[]
}

/** One operation on bits, with a constant. */
export interface Bits {
  readonly operator: Word
  readonly value: Value
}

export type Step =
  | { readonly kind: 'verdict'; readonly verdict: 'accept' | 'drop' | 'return' | 'continue'; readonly span: Span }
  | { readonly kind: 'jump' | 'goto'; readonly chain: Word; readonly span: Span }
  | { readonly kind: 'counter'; readonly name?: Word; readonly span: Span }
  | { readonly kind: 'reject' | 'queue' | 'log'; readonly words: string; readonly span: Span }
  /** A limit or quota of the rule's own, or one that the table has. */
  | { readonly kind: 'gate'; readonly kept: Kept | Word; readonly what: 'limit' | 'quota'; readonly span: Span }
  /** `ct count over 20`: of the connections that are counted together, there are more than so many, or not. */
  | { readonly kind: 'connections'; readonly over: boolean; readonly number: bigint; readonly span: Span }
  /** `add @set { ip saddr limit rate 5/second }`, `meter name { … }`: a limit with a bucket for each key, or only the key. */
  | {
      readonly kind: 'buckets'
      readonly set: Word
      /** Of a meter, which is a set of the rule's own: its size, if it says one. */
      readonly meter?: { readonly size?: number }
      readonly key: readonly Selector[]
      readonly limit?: Kept
      readonly connections?: Extract<Step, { kind: 'connections' }>
      /** Nanoseconds. */
      readonly timeout?: bigint
      /** Of a meter: `add`. */
      readonly does: 'add' | 'update' | 'delete'
      readonly counter?: Span
      readonly span: Span
    }
  /** `meta mark set …`: operands with the operators between them. */
  | {
      readonly kind: 'assignment'
      readonly target: string
      readonly operands: readonly Operand[]
      readonly operators: readonly Word[]
      readonly span: Span
    }
  /** `meta mark set ip saddr map …`. */
  | {
      readonly kind: 'mapped'
      readonly target: string
      readonly key: readonly Selector[]
      readonly map: Value
      readonly span: Span
    }
  | {
      readonly kind: 'match'
      /** `ip`, `tcp`, `meta`, … */
      readonly header: Word
      readonly field: Word
      /** Of the addresses of a routing header: which one, from 1. */
      readonly index?: Word
      /** Of a hash: what is hashed. */
      readonly of?: readonly Selector[]
      /** Further components of what is looked up in a set. */
      readonly more?: readonly Selector[]
      readonly bits?: readonly Bits[]
      readonly operator: Operator
      readonly right: Value
      readonly span: Span
    }
  /** `tcp option sack exists`, `exthdr frag missing`: the header's words without the last. */
  | { readonly kind: 'exists'; readonly header: Word; readonly missing: boolean; readonly span: Span }
  | { readonly kind: 'vmap'; readonly key: readonly Selector[]; readonly map: Value; readonly span: Span }
  /** What is told and done by others: to the packet's bytes, where a header and a field are named, or beside it. */
  | { readonly kind: 'told'; readonly words: string; readonly rewrites?: Selector; readonly span: Span }
  | { readonly kind: 'notrack'; readonly span: Span }
  /** What nft has and this front-end does not: an error only where packets can come to the rule. */
  | { readonly kind: 'unsupported'; readonly what: string; readonly span: Span }

export type Operand = { readonly source: string } | { readonly number: Selector } | { readonly value: Value }

/** What is kept from packet to packet. Sizes are bytes, `per` is nanoseconds. */
export type Kept =
  | { readonly kind: 'counter'; readonly packets: bigint; readonly bytes: bigint; readonly span: Span }
  | {
      readonly kind: 'limit'
      readonly over: boolean
      readonly rate: bigint
      readonly per: bigint
      readonly burst: bigint
      readonly unit: 'packets' | 'bytes'
      readonly span: Span
    }
  | {
      readonly kind: 'quota'
      readonly over: boolean
      readonly bytes: bigint
      readonly used: bigint
      readonly span: Span
    }

export type VerdictWord = 'accept' | 'drop' | 'return' | 'continue' | 'jump' | 'goto'

/** The right side of a comparison. Variables are replaced by what they stand for. */
export type Value =
  | { readonly kind: 'word'; readonly text: string; readonly span: Span }
  | { readonly kind: 'range'; readonly lo: Value; readonly hi: Value; readonly span: Span }
  | { readonly kind: 'prefix'; readonly base: Value; readonly length: Word; readonly span: Span }
  /** `syn,ack`: bits of a bit mask. `syn|ack`: bits of whatever it is. */
  | { readonly kind: 'list'; readonly items: readonly Value[]; readonly by: ',' | '|'; readonly span: Span }
  /** `syn / syn,ack`: these bits of those. */
  | { readonly kind: 'flagmask'; readonly value: Value; readonly mask: Value; readonly span: Span }
  | { readonly kind: 'set'; readonly elements: readonly Value[]; readonly span: Span }
  /** `a . b` in a set of several components. */
  | { readonly kind: 'concat'; readonly parts: readonly Value[]; readonly span: Span }
  /** `*`: what no other element holds. */
  | { readonly kind: 'any'; readonly span: Span }
  | { readonly kind: 'verdict'; readonly verdict: VerdictWord; readonly chain?: Word; readonly span: Span }
  /** `key : data` in a map. */
  | { readonly kind: 'mapping'; readonly key: Value; readonly data: Value; readonly span: Span }
  | { readonly kind: 'setref'; readonly name: Word; readonly span: Span }
  | { readonly kind: 'unsupported'; readonly what: string; readonly span: Span }
