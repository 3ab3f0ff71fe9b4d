// The tree of a pcap-filter expression: what was written, with inherited qualifiers filled in. Nothing is decided about the packet yet.

import type { Span } from '@netsieve/diag'
import type { BinOp, Test } from '@netsieve/ir'
import type { Kind, LlcType, ProtocolWord } from './words.ts'

export type Direction = 'src' | 'dst' | 'src or dst' | 'src and dst'

/** `tcp dst port`: what an identifier after it means. Identifiers that follow `and` / `or` bare take the last one. */
export interface Qualifiers {
  readonly proto?: ProtocolWord
  readonly dir?: Direction
  readonly kind?: Kind
  readonly span: Span
}

/** What qualifiers apply to. */
export type Identifier =
  | { readonly form: 'number'; readonly value: number }
  /** 1 to 4 numbers with dots: `10.0.0.1`, `172.16`. `bits` is how many bits were given. */
  | { readonly form: 'ipv4'; readonly value: bigint; readonly bits: number; readonly text: string }
  | { readonly form: 'ipv4 prefix'; readonly value: bigint; readonly bits: number; readonly length: number }
  | { readonly form: 'ipv4 mask'; readonly value: bigint; readonly bits: number; readonly mask: bigint }
  | { readonly form: 'ipv6'; readonly value: bigint; readonly length: number; readonly slash: boolean }
  | { readonly form: 'mac'; readonly value: bigint }
  | { readonly form: 'arcnet'; readonly text: string }
  /** A DECnet address, `area.node`, as one number. */
  | { readonly form: 'decnet'; readonly value: number }
  | { readonly form: 'name'; readonly text: string }

export type Expr =
  | { readonly kind: 'and' | 'or'; readonly left: Expr; readonly right: Expr; readonly span: Span }
  | { readonly kind: 'not'; readonly arg: Expr; readonly span: Span }
  | {
      readonly kind: 'id'
      readonly qualifiers: Qualifiers
      readonly id: Identifier
      /** The identifier with its qualifiers, and alone. */
      readonly span: Span
      readonly idSpan: Span
    }
  | { readonly kind: 'protocol'; readonly protocol: ProtocolWord; readonly span: Span }
  | {
      readonly kind: 'cast'
      readonly cast: 'broadcast' | 'multicast'
      readonly protocol: ProtocolWord | undefined
      readonly span: Span
    }
  | { readonly kind: 'size'; readonly test: '<=' | '>='; readonly value: number; readonly span: Span }
  | {
      readonly kind: 'byte'
      readonly index: number
      readonly op: '=' | '<' | '>' | '&' | '|'
      readonly value: number
      readonly span: Span
    }
  | { readonly kind: 'relation'; readonly left: Arith; readonly test: Test; readonly right: Arith; readonly span: Span }
  | { readonly kind: 'encapsulation'; readonly name: Encapsulation; readonly id?: number; readonly span: Span }
  | { readonly kind: 'llc'; readonly type?: LlcType; readonly span: Span }
  | { readonly kind: 'direction'; readonly inbound: boolean; readonly span: Span }
  | { readonly kind: 'ifindex'; readonly value: number; readonly span: Span }
  | { readonly kind: 'ifname'; readonly name: string; readonly span: Span }

export type Encapsulation = 'vlan' | 'mpls' | 'pppoed' | 'pppoes' | 'geneve' | 'vxlan'

export type Arith =
  | { readonly kind: 'number'; readonly value: number; readonly span: Span }
  | { readonly kind: 'length'; readonly span: Span }
  | { readonly kind: 'negate'; readonly arg: Arith; readonly span: Span }
  | { readonly kind: 'binary'; readonly op: BinOp; readonly left: Arith; readonly right: Arith; readonly span: Span }
  | {
      readonly kind: 'accessor'
      readonly protocol: ProtocolWord
      readonly index: Arith
      readonly bytes: 1 | 2 | 4
      readonly span: Span
    }

/** A whole filter; no expression at all matches every packet. */
export interface Ast {
  readonly expr?: Expr
  readonly span: Span
}
