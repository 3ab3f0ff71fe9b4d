// The one filter language that every rule syntax lowers into. Values only: what they mean is in evaluate.ts and reading.ts.
//
//   Filter ─ base chains (where packets enter, in order) ─ chains ─ rules ─ steps ─ predicates ─ terms
//
// A predicate is true, false, or not decidable because a field is not there to be loaded. What that does (this rule does not match,
// the packet is dropped, the whole program rejects) is data of the view (views.ts): never a silent false, and `not` does not flip it.

import type { Span } from '@netsieve/diag'
import type { FieldId, ListName, MetadataId, ProtocolName, ValueKind } from '@netsieve/packet'
import type { ActName } from './acts.ts'
import type { ProfileName, ViewName } from './views.ts'

/** A number computed from the packet. Unsigned, exact; arithmetic (`bin`) wraps at 32 bits. */
export type Term =
  | { readonly kind: 'field'; readonly field: FieldId }
  /** `bytes` bytes, big endian, at `offset` (+ `index`) from a base of the view. */
  | {
      readonly kind: 'load'
      readonly base: 'link' | 'net' | 'transport'
      readonly offset: number
      readonly bytes: number
      readonly index?: Term
    }
  /** `bits` bits from bit `bit` of a base on (+ `index` bytes), wherever they lie in their bytes. */
  | {
      readonly kind: 'raw'
      readonly base: 'link' | 'net' | 'transport'
      readonly bit: number
      readonly bits: number
      readonly index?: Term
    }
  | Find
  /** The packet's length on the wire, link header included. */
  | { readonly kind: 'length' }
  | { readonly kind: 'const'; readonly value: bigint }
  | { readonly kind: 'mask'; readonly term: Term; readonly mask: bigint }
  | { readonly kind: 'bin'; readonly op: BinOp; readonly left: Term; readonly right: Term }
  /** The number that a map holds for a key; missing where it holds none. */
  | { readonly kind: 'mapped'; readonly terms: readonly Term[]; readonly map: string }
  | Hashed
  /** Which headers stand in an IPv6 packet, as bits (headers.ts); not there where one is cut off before its length, and for IPv4. */
  | { readonly kind: 'headers' }
  /**
   * The protocol number that libpcap's walk over headers ends at: `until`, or the first that it does not walk over. It starts at the network
   * header `net` bytes into the frame and goes on over authentication headers and, for IPv6, the extension headers without data (walk-headers.ts).
   */
  | { readonly kind: 'walk'; readonly family: 'ipv4' | 'ipv6'; readonly net: number; readonly until: number }

/**
 * The hash of some numbers, 32 bits (jhash.ts). Each is its lowest `bytes` bytes as they lie in a packet, or where `host` says so in the memory of a
 * little-endian machine; of several each fills words of four bytes.
 */
export interface Hashed {
  readonly kind: 'jhash'
  readonly parts: readonly { readonly term: Term; readonly bytes: number; readonly host?: true }[]
  readonly seed: number
}

/** Chunks by their types and flags, in two bytes: `head & mask` is the value of one of these pairs, or (`none`) of none of them. */
export interface Heads {
  readonly heads: readonly { readonly mask: number; readonly value: number }[]
  readonly none: boolean
}

/**
 * Bytes from the start of a list's header to its first entry of a type: an option, an extension header, a chunk. Not there if there is none, or if
 * the entry itself says that it is shorter than `bytes`.
 */
export interface Find {
  readonly kind: 'find'
  readonly list: ListName
  readonly type: number | Heads
  readonly bytes: number
}

/**
 * These bytes (in hexadecimal) lie somewhere in the packet, the first at `from` bytes from the network header or behind, the last before `to`.
 * `nocase`: letters of either case (ISO 8859-1, as the kernel's ctype has it). False where there is no network header.
 */
export interface Contains {
  readonly kind: 'contains'
  readonly from: number
  readonly to: number
  readonly bytes: string
  readonly nocase: boolean
}

export type BinOp = 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'and' | 'or' | 'xor' | 'lsh' | 'rsh'
export type Test = '==' | '!=' | '<' | '<=' | '>' | '>='

/** Inclusive at both ends. */
export interface Range {
  readonly lo: bigint
  readonly hi: bigint
}

export type Pred =
  | { readonly kind: 'const'; readonly value: boolean }
  | { readonly kind: 'cmp'; readonly term: Term; readonly test: Test; readonly value: bigint }
  /** In any of the ranges; they are sorted, disjoint and not adjacent. */
  | { readonly kind: 'in'; readonly term: Term; readonly ranges: readonly Range[] }
  /** Both sides computed. */
  | { readonly kind: 'relation'; readonly left: Term; readonly test: Test; readonly right: Term }
  /** A set holds the key. All terms are computed first, in their order. */
  | { readonly kind: 'inSet'; readonly terms: readonly Term[]; readonly set: string }
  /**
   * A list has an entry of a type; a protocol stands for its row's. True or false on every packet, but for a list of another network protocol (not
   * there) and where the view drops packets whose list cannot be walked.
   */
  | { readonly kind: 'exists'; readonly what: ProtocolName | Find }
  | Contains
  | { readonly kind: 'and'; readonly args: readonly Pred[] }
  | { readonly kind: 'or'; readonly args: readonly Pred[] }
  | { readonly kind: 'not'; readonly arg: Pred }
  /** The same, but false where a field is not there. */
  | { readonly kind: 'sure'; readonly arg: Pred }

export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  /** Back to the calling chain; in a base chain its policy. */
  | { readonly kind: 'return' }
  /** On to the next rule, as if there were no verdict. */
  | { readonly kind: 'continue' }
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'goto'; readonly chain: string }
  /** Ends the packet's way as acts.ts has it, with more to it than passing or dropping. */
  | { readonly kind: 'act'; readonly act: ActName; readonly args: readonly string[] }

/** What a rule does, in order: a step after a failed match is not reached. */
export type Step =
  /** `view`: the packet as another part of the tool sees it, with headers at the same places (`samePlaces` in views.ts). */
  | { readonly kind: 'match'; readonly pred: Pred; readonly view?: ViewName; readonly span?: Span }
  /** Counts the packet, for the rule or in a counter that has a name. */
  | { readonly kind: 'count'; readonly counter?: string; readonly span?: Span }
  /** A message with these words is written; nothing else. */
  | { readonly kind: 'log'; readonly words: string; readonly span?: Span }
  /** Tests of what was before: a token bucket has tokens for the packet, a quota is not used up, it is the turn of one in n. */
  | KeyedLimit
  | Gate<'quota'>
  | Gate<'nth'>
  /** The number of the turn, from 0 to `every - 1`, is written to metadata: the next packet gets the next one. `before` is the first one's. */
  | { readonly kind: 'turn'; readonly state: string; readonly field: MetadataId; readonly span?: Span }
  | TableStep
  | RecentStep
  /** Metadata of at most 32 bits has this value from here on. */
  | { readonly kind: 'set'; readonly field: MetadataId; readonly term: Term; readonly span?: Span }
  | { readonly kind: 'verdict'; readonly verdict: Verdict; readonly span?: Span }
  /** The verdict that a map holds for a key; on to the next rule where it holds none. Ends the rule. */
  | { readonly kind: 'vmap'; readonly terms: readonly Term[]; readonly map: string; readonly span?: Span }

/** `over`: it holds where the bucket is empty, the quota used up, the turn another's. The packet is charged for it either way. */
interface Gate<Kind extends 'limit' | 'quota' | 'nth'> {
  readonly kind: Kind
  readonly state: string
  readonly over: boolean
  readonly span?: Span
}

/** With a key, of the bucket that is this key's: the first packet of a key makes one, and ends the rule where there is no room for it. */
type KeyedLimit = Gate<'limit'> & { readonly key?: readonly Term[] }

/**
 * `has`: a table holds the key and has not forgotten it (with `over`: it does not). `add` puts it there, `update` also makes its time begin anew,
 * `delete` takes it out; they hold, but where there is no room for a key.
 */
export interface TableStep {
  readonly kind: 'table'
  readonly state: string
  readonly does: 'has' | 'add' | 'update' | 'delete'
  readonly over: boolean
  readonly key: readonly Term[]
  /** Nanoseconds until what is added or updated is forgotten; 0: never, but what has a time left and is updated is forgotten at once. */
  readonly timeout: bigint
  readonly span?: Span
}

/**
 * When packets of a key came, as xt_recent has it. `set` writes the time down and holds; `check` holds if so many times (`hits`, at least one) are
 * written down, the last so many of them not longer ago than `within` nanoseconds (0: however long); `update` writes the time down too where it
 * is to go on; `remove` forgets the key, and holds if there was one. `over` turns the answer round. `ttl` is
 * written down beside a time; where it is asked for, by all but `set`, keys are told apart by it too.
 */
export interface RecentStep {
  readonly kind: 'recent'
  readonly state: string
  readonly does: 'set' | 'check' | 'update' | 'remove'
  readonly over: boolean
  readonly key: readonly Term[]
  readonly within: bigint
  readonly hits: number
  readonly ttl?: Term
  readonly span?: Span
}

export interface Rule {
  /** Unique in the filter, from 0, in the order of the text. Reports and `origin` name a rule by it. */
  readonly id: number
  /** Rules that this one stands for too: it decides in their name (the pass `merge` joins rules). */
  readonly also?: readonly number[]
  /** The user's words. */
  readonly text: string
  readonly span?: Span
  readonly steps: readonly Step[]
}

export interface Chain {
  readonly name: string
  readonly rules: readonly Rule[]
  readonly span?: Span
}

/** Which packets a base chain is asked about, by network protocol. */
export type Family = 'any' | 'ipv4' | 'ipv6' | 'ip'

/** Where packets enter: a chain, the view of the packet it is given, and what happens at its end. */
export interface BaseChain {
  readonly chain: string
  readonly hook: string
  readonly view: ViewName
  readonly family: Family
  readonly policy: 'accept' | 'drop'
  readonly span?: Span
}

/** One component of a set's keys. `kind` says how its values are written. */
export interface SetKey {
  readonly bits: number
  readonly kind?: ValueKind
}

/** What a map holds for a key. */
export interface ElementData {
  readonly verdict?: Verdict
  readonly value?: bigint
  readonly span?: Span
}

/** Keys of a set: one range for each component, points with `lo = hi`. */
export interface Element extends ElementData {
  readonly key: readonly Range[]
}

/**
 * A set, or a map if it has `data`: a verdict or a number for each element. Elements of one component are disjoint; where those of several
 * overlap, the first that holds a key counts. `catchAll` is for keys that no element holds.
 */
export interface SetDef {
  readonly name: string
  readonly keys: readonly SetKey[]
  readonly data?: 'verdict' | { readonly bits: number }
  readonly elements: readonly Element[]
  readonly catchAll?: ElementData
  readonly span?: Span
}

/** Buckets that are made when their key is first asked for. */
export interface Buckets {
  readonly keys: readonly SetKey[]
  /** So many at most; those that have run out take room until they are asked for again. */
  readonly size: number
  /** Nanoseconds after which one runs out and is full again, since it was made, or since it was last asked for if `refreshed`; 0: never. */
  readonly timeout: bigint
  readonly refreshed: boolean
}

/** What steps keep from packet to packet, with what it holds at first. */
export type StateDef =
  | {
      readonly kind: 'counter'
      readonly name: string
      readonly packets: bigint
      readonly bytes: bigint
      readonly span?: Span
    }
  /**
   * A token bucket: `rate` packets or bytes every `per` nanoseconds. It holds tokens for `burst` packets, or for `rate + burst` bytes, as nft's
   * does, and is full at first.
   */
  | {
      readonly kind: 'limit'
      readonly name: string
      readonly rate: bigint
      readonly per: bigint
      readonly burst: bigint
      readonly unit: 'packets' | 'bytes'
      /** A bucket for each key. */
      readonly each?: Buckets
      readonly span?: Span
    }
  /** Bytes until it is used up, and those that were used before. */
  | {
      readonly kind: 'quota'
      readonly name: string
      readonly bytes: bigint
      readonly used: bigint
      readonly span?: Span
    }
  /** Keys that steps add and look for; so many at most, those of `elements` from the start and for ever. */
  | {
      readonly kind: 'table'
      readonly name: string
      readonly keys: readonly SetKey[]
      readonly size: number
      readonly elements: readonly (readonly bigint[])[]
      readonly span?: Span
    }
  /** Of so many keys the last `stamps` times (a power of two); a further key takes the place of the one that was written down longest ago. */
  | {
      readonly kind: 'recent'
      readonly name: string
      readonly keys: readonly SetKey[]
      readonly size: number
      readonly stamps: number
      readonly span?: Span
    }
  /** One packet in `every`; the first one after `before` others. */
  | {
      readonly kind: 'nth'
      readonly name: string
      readonly every: bigint
      readonly before: bigint
      readonly span?: Span
    }

/** A whole filter. A packet passes if every base chain, in order, accepts it or is not asked; a drop is final. */
export interface Filter {
  readonly syntax: string
  readonly profile: ProfileName
  readonly base: readonly BaseChain[]
  readonly chains: readonly Chain[]
  readonly sets?: readonly SetDef[]
  readonly state?: readonly StateDef[]
}
