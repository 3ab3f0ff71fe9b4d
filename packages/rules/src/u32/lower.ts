// tc u32 filters to IR: words loaded and compared in their order. A word that is not all there ends the search of its priority. A table that is
// linked to is a chain that is called: Linux goes on behind the link where no filter of the table decides. Source: net/sched/cls_u32.c
// (u32_classify) of Linux 6.18.

import { Diagnostics, type Outcome, type Span } from '@netsieve/diag'
import {
  between,
  type Chain,
  cmp,
  type Filter,
  field,
  load,
  masked,
  type Pred,
  type Rule,
  type SetDef,
  type Step,
  verdict,
} from '@netsieve/ir'
import type { LowerOptions } from '../front.ts'
import { atHook, chainName, reached } from '../tc/index.ts'
import type { Key, Offset, U32Ast, U32Filter } from './ast.ts'
import { bucketOf, lowestBit } from './hash.ts'
import { AT_NET, beyond, distance, type Place, placeName, word, wordPred } from './places.ts'
import { inBucket, type Root, type Table, type Tables, tablesOf } from './tables.ts'

/** Links inside links at most (TC_U32_MAXDEPTH). */
const MOST_LINKS = 8

/** Lists at most that are there once more: a bucket is one for each place that links have it count from. */
const MOST_COPIES = 5000

export function lower(ast: U32Ast, { hook = 'ingress' }: LowerOptions): Outcome<Filter> {
  const diagnostics = new Diagnostics()
  const here = atHook(ast.filters, hook, diagnostics)
  const tables = tablesOf(here, diagnostics)
  const chains = reached(here, diagnostics)
  if (diagnostics.hasErrors) return { diagnostics: diagnostics.list }
  const lowering = new Lowering(ast, hook, tables, diagnostics)
  for (const number of chains) lowering.chain(number)
  return diagnostics.outcome<Filter>({
    syntax: 'u32',
    profile: 'u32',
    base: [{ chain: hook, hook, view: 'u32', family: 'any', policy: 'accept' }],
    chains: lowering.chains,
    ...(lowering.sets.length > 0 && { sets: lowering.sets }),
  })
}

/** Where the filters of a list count bytes from, and how packets came to the list. */
interface Way {
  /** Of all keys, and of those at `nexthdr+`. */
  readonly at: Place
  readonly nexthdr: Place
  readonly root: Root
  /** The tables that linked to one another. */
  readonly tables: readonly Table[]
  readonly chain: number
  /** Its priority is a chain of its own. */
  readonly apart?: true
}

function protocolStep({ root: { protocol, protocolSpan } }: Way): Step[] {
  if (protocol === 'all') return []
  return [{ kind: 'match', pred: cmp('meta.protocol', '==', protocol), span: protocolSpan }]
}

class Lowering {
  readonly chains: Chain[] = []
  readonly sets: SetDef[] = []
  private readonly hook: string
  private readonly tables: Tables
  private readonly diagnostics: Diagnostics
  private readonly ids: ReadonlyMap<U32Filter, number>
  /** Numbers of rules for filters that are there once more, since their table is come to in several ways. */
  private next: number
  private readonly told = new Set<Span>()
  /** Names of the chains that are tables' buckets. */
  private readonly lists = new Set<string>()
  /** The buckets that they are, by their places. */
  private readonly buckets = new Set<string>()
  /** Those of the maps that lead to them. */
  private readonly maps = new Set<string>()
  /** Where words lie may depend on the protocol, so tables that are linked to are apart for each. */
  private readonly protocols: ReadonlySet<Root['protocol']>

  constructor({ filters }: U32Ast, hook: string, tables: Tables, diagnostics: Diagnostics) {
    this.hook = hook
    this.tables = tables
    this.protocols = new Set([...tables.roots.values()].flatMap((roots) => roots.map(({ protocol }) => protocol)))
    this.diagnostics = diagnostics
    this.ids = new Map(filters.map((filter, id) => [filter, id]))
    this.next = filters.length
  }

  chain(chain: number): void {
    const roots = this.tables.roots.get(chain) ?? []
    const rules = roots.flatMap((root, i) => {
      const way: Way = { at: AT_NET, nexthdr: AT_NET, root, tables: [root.table], chain }
      const filters = inBucket(root.table, 0)
      const { protocol } = root
      // Tables alone are asked nothing.
      const follows = roots.slice(i + 1).some((other) => inBucket(other.table, 0).length > 0 && ([other.protocol, protocol].includes('all') || other.protocol === protocol)) // biome-ignore format: one condition
      return follows ? this.apart(filters, way) : this.list(filters, way)
    })
    this.chains.push({ name: chainName(this.hook, chain), rules })
  }

  /**
   * The list of a priority that others of its protocol follow: where a word is not there, they are asked. It is a chain that such packets return
   * from before the word is loaded; elsewhere the view's rejection does the same.
   */
  private apart(filters: readonly U32Filter[], way: Way): Rule[] {
    const { root, chain } = way
    const name = `${chainName(this.hook, chain)} ${root.prio}`
    let known = 0
    const rules = this.list(filters, { ...way, apart: true }).flatMap((rule, i): Rule[] => {
      const { keys, link, action, actionSpan, mark } = filters[i]!
      if (link) this.unsupported(link.span, 'a link in a priority that others of the protocol follow', [{ message: 'the protocol of both', span: root.protocolSpan }], 'give them one priority') // biome-ignore format: one call
      if (action.verdict.kind === 'goto') this.unsupported(actionSpan, 'goto chain in a priority that others of the protocol follow', [], 'give them one priority') // biome-ignore format: one call
      const guards: Rule[] = []
      let here = known
      for (const [j, { offset }] of keys.entries()) {
        if (offset + 4 <= here) continue
        here = offset + 4
        const before = rule.steps.slice(0, j + (mark ? 1 : 0))
        if (before.length === 0) known = here
        const short: Step = { kind: 'match', pred: cmp('meta.length', '<', here) }
        guards.push({ ...rule, id: this.next++, steps: [...before, short, verdict('return')] })
      }
      return [...guards, rule]
    })
    this.chains.push({ name, rules })
    const [first] = filters
    if (!first) return []
    const steps: Step[] = [...protocolStep(way), { kind: 'verdict', verdict: { kind: 'jump', chain: name } }]
    return [{ id: this.next++, text: first.text, span: first.span, steps }]
  }

  private readonly used = new Set<number>()

  private list(filters: readonly U32Filter[], way: Way): Rule[] {
    let moved: Span | undefined
    return filters.map((filter): Rule => {
      const { text, span } = filter
      const key = filter.keys.find(({ nexthdr }) => nexthdr)
      // Where the last link led to is kept, whether its table decided or not.
      if (key && moved) this.unsupported(key.span, 'nexthdr+ in a list where a filter before has a link with an offset', [{ message: 'this one', span: moved }]) // biome-ignore format: one call
      if (filter.link) moved ??= filter.offset?.span ?? (this.moves(filter.link.table) ? filter.link.span : undefined)
      const steps = this.steps(filter, way)
      const own = this.ids.get(filter)!
      const id = this.used.has(own) ? this.next++ : own
      this.used.add(id)
      return { id, text, span, steps }
    })
  }

  /** Whether filters of a table have links with offsets. */
  private moves(number: number, seen = new Set<number>()): boolean {
    const table = this.tables.byNumber.get(number)
    if (!table || seen.has(number)) return false
    seen.add(number)
    const filters = [...table.filters.values()].flatMap((list) => [...list.values()])
    return filters.some(
      ({ link, offset }) => offset !== undefined || (link !== undefined && this.moves(link.table, seen)),
    )
  }

  private steps(filter: U32Filter, way: Way): Step[] {
    const { mark, indev, action, actionSpan, classid, link, terminal } = filter
    const out: Step[] = way.apart || way.tables.length > 1 ? [] : protocolStep(way)
    const match = (pred: Pred, span: Span) => out.push({ kind: 'match', pred, span })
    if (mark) match(cmp(masked(field('meta.mark'), mark.mask), '==', mark.value), mark.span)
    for (const key of filter.keys) match(this.key(key, way), key.span)
    if (link) return [...out, ...this.link(filter, link, way)]
    if (!terminal) {
      this.diagnostics.warning(
        'u32/nothing',
        'this filter has neither action nor class: it decides nothing',
        filter.span,
      )
      return out
    }
    if (indev) match(cmp('meta.iifname', '==', indev.value), indev.span)
    for (const { words, span } of action.copies) out.push({ kind: 'log', words, span })
    const end = action.verdict
    if (end.kind === 'goto') {
      if (way.tables.length > 1) this.unsupported(actionSpan, 'goto chain in a table that is linked to')
      out.push({ kind: 'verdict', verdict: { kind: 'goto', chain: chainName(this.hook, Number(end.chain)) }, span: actionSpan }) // biome-ignore format: one step
    } else if (end.kind === 'accept' && classid !== undefined)
      out.push({ kind: 'verdict', verdict: { kind: 'act', act: 'class', args: [classid] }, span: actionSpan })
    else out.push({ kind: 'verdict', verdict: end, span: actionSpan })
    return out
  }

  private key(key: Key, way: Way): Pred {
    if (key.nexthdr && way.tables.length === 1)
      this.diagnostics.warning('u32/nexthdr', 'no link has led anywhere: nexthdr+0 is the start of the network header', key.span, { hint: 'a table that is linked to by an `offset` knows where the next header starts; `match ip dport` takes it to be at 20' }) // biome-ignore format: one message
    const place = key.nexthdr ? way.nexthdr : way.at
    const pred = wordPred(key, place, way.root.protocol)
    if (pred) return pred
    this.unsupported(key.span, key.offset < 0 ? 'bytes before the Ethernet header, or counted back from a linked place' : `bytes at ${key.offset}`) // biome-ignore format: one call
    return { kind: 'const', value: false }
  }

  /** The table is called, or that of its buckets which the packet's bits lead to. */
  private link(
    filter: U32Filter,
    { table: number, span }: { readonly table: number; readonly span: Span },
    way: Way,
  ): Step[] {
    const table = this.tables.byNumber.get(number)!
    const { offset, hashkey } = filter
    if (way.tables.includes(table)) return this.unsupported(span, 'tables that lead back to themselves')
    if (way.tables.length > MOST_LINKS)
      return this.unsupported(span, `more than ${MOST_LINKS} links inside one another`)
    const moved = offset ? beyond(way.at, offset, way.root.protocol) : way.nexthdr
    const next: Way = {
      ...way,
      tables: [...way.tables, table],
      at: offset?.eat ? moved : way.at,
      nexthdr: moved,
    }
    const jump = (bucket: number) => ({ kind: 'jump', chain: this.call(table, bucket, next, span) }) as const
    const out: Step[] = offset ? this.led(filter, offset, way, next) : []
    if (table.buckets === 1) return [...out, { kind: 'verdict', verdict: jump(0), span }]
    const { at, mask } = hashkey ?? { at: 0, mask: 0 }
    const counted = ((table.buckets - 1) << lowestBit(mask)) & mask
    const elements = [...table.filters.keys()].flatMap((bucket) => {
      const value = (bucket << lowestBit(mask)) >>> 0
      // A bucket that no packet's bits lead to.
      if (bucketOf(value, mask, table.buckets) !== bucket) return []
      return [{ key: [{ lo: BigInt(value), hi: BigInt(value) }], verdict: jump(bucket), span }]
    })
    const name = `${chainName(this.hook, way.chain)}/${number.toString(16)}:${this.wayName(next)} by ${at}/${mask.toString(16)}`
    if (!this.maps.has(name)) this.sets.push({ name, keys: [{ bits: 32 }], data: 'verdict', elements, span })
    this.maps.add(name)
    return [...out, { kind: 'vmap', terms: [masked(word(way.at, at), BigInt(counted >>> 0))], map: name, span }]
  }

  /** What tells the ways to a table apart, as a part of a name. */
  private wayName(way: Way): string {
    const { protocol } = way.root
    const of = protocol === 'all' ? 'all protocols' : `protocol ${protocol.toString(16)}`
    return `${placeName(way)}${this.protocols.size > 1 ? ` for ${of}` : ''}`
  }

  /** The chain that is the bucket of a table, as packets come to it. */
  private call(table: Table, bucket: number, way: Way, span: Span): string {
    const name = `${chainName(this.hook, way.chain)}/${table.number.toString(16)}:${bucket.toString(16)}${this.wayName(way)}`
    if (this.lists.has(name)) return name
    this.lists.add(name)
    this.buckets.add(`${table.number}:${bucket}`)
    if (this.lists.size - this.buckets.size > MOST_COPIES) {
      this.unsupported(span, `links by which buckets count from more than ${MOST_COPIES} places in all`)
      return name
    }
    const filters = inBucket(table, bucket)
    for (const { keys, span } of filters)
      if (keys.length === 0 && way.at !== AT_NET) this.unsupported(span, 'a filter without a word to match in a table that is linked to with `eat`') // biome-ignore format: one call
    this.chains.push({ name, rules: this.list(filters, way) })
    return name
  }

  /** The bytes that tell the offset are there, and it leads into the packet: else Linux goes on behind the link. */
  private led({ keys }: U32Filter, { read, eat, span }: Offset, way: Way, next: Way): Step[] {
    const out: Step[] = []
    if (read) out.push({ kind: 'match', pred: between(load(way.at.base, way.at.add + read.at, 2, way.at.index), 0, 0xffff), span }) // biome-ignore format: one step
    const length = field('meta.length')
    if (eat)
      out.push({ kind: 'match', pred: { kind: 'relation', left: distance(next.at), test: '<', right: length }, span })
    else if (!keys.some(({ offset }) => offset >= 0)) out.push({ kind: 'match', pred: cmp(length, '>', 0), span })
    return out
  }

  private unsupported(
    span: Span,
    what: string,
    notes: readonly { readonly message: string; readonly span: Span }[] = [],
    hint?: string,
  ): [] {
    if (!this.told.has(span)) this.diagnostics.error('rules/unsupported', `unsupported: ${what}`, span, { notes, ...(hint && { hint }) }) // biome-ignore format: one call
    this.told.add(span)
    return []
  }
}
