// Rules as boxes: the numbers that a rule's comparisons ask of each term. A rule that lies in the boxes of rules above it is never come to.

import { bitLength } from '@netsieve/packet'
import type { Chain, Pred, Range, Rule } from '../types.ts'
import type { ViewName } from '../views.ts'
import { negated, normal } from './constants.ts'
import { blockPrefix, complement, intersect, isSubset, regionOf, topOf } from './regions.ts'
import { changesNothing } from './walk.ts'

interface Side {
  readonly bits: number
  readonly ranges: readonly Range[]
}
type Box = ReadonlyMap<string, Side>

/** A rule that others cover. */
export interface Covered {
  readonly rule: Rule
  readonly chain: Chain
  /** One rule that has it all, or several that have it together. */
  readonly by: readonly Rule[]
}

/** What all packets that a rule matches have; whether all that have it match; and whether there are none. */
interface Boxed {
  readonly box: Map<string, Side>
  whole: boolean
  empty: boolean
}

function boxOf({ steps }: Rule): Readonly<Boxed> & { readonly box: Box } {
  const boxed: Boxed = { box: new Map(), whole: true, empty: false }
  for (const step of steps) if (step.kind === 'match') narrow(boxed, normal(step.pred), step.view)
  return boxed
}

function narrow(boxed: Boxed, pred: Pred, view: ViewName | undefined): void {
  if (pred.kind === 'and') {
    for (const arg of pred.args) narrow(boxed, arg, view)
    return
  }
  if (pred.kind === 'not' && pred.arg.kind === 'or') {
    for (const arg of pred.arg.args) narrow(boxed, negated(arg), view)
    return
  }
  const region = regionOf(pred)
  if (!region) {
    if (!(pred.kind === 'const' && pred.value)) boxed.whole = false
    return
  }
  const key = view ? `${view} ${region.key}` : region.key
  const before = boxed.box.get(key)
  const side = before ? { bits: region.bits, ranges: intersect(before.ranges, region.ranges) } : region
  boxed.box.set(key, side)
  if (side.ranges.length === 0) boxed.empty = true
}

/** Whether a rule, where its matches hold, is the end of a packet's way through the chain. */
function ends({ steps }: Rule): boolean {
  const verdict = steps.find((step) => step.kind === 'verdict' || step.kind === 'vmap')
  return verdict?.kind === 'verdict' && verdict.verdict.kind !== 'continue' && verdict.verdict.kind !== 'jump'
}

function calls({ steps }: Rule): boolean {
  return steps.some((step) => step.kind === 'vmap' || (step.kind === 'verdict' && 'chain' in step.verdict))
}

/** Chains of at most so many rules are searched for several rules that cover one together. */
const SEVERAL = 512

/**
 * The rules of a chain that rules above them cover, with those. A rule that is covered covers nothing itself.
 * @param setting called chains may set metadata
 */
export function coveredRules(chain: Chain, setting: boolean): Covered[] {
  const out: Covered[] = []
  let above = new Index()
  let list: Entry[] = []
  for (const rule of chain.rules) {
    if (!rule.steps.every(changesNothing) || (setting && calls(rule))) {
      // A mark that changes: the same question may have another answer from here on.
      above = new Index()
      list = []
      continue
    }
    const { box, whole, empty } = boxOf(rule)
    // Asks what no packet has: never come to for a reason of its own.
    if (empty) continue
    const one = above.cover(box)
    const by = one ? [one] : chain.rules.length <= SEVERAL ? together(box, list) : undefined
    if (by) out.push({ rule, chain, by })
    else if (whole && ends(rule)) {
      const entry = { rule, box }
      above.add(entry)
      list.push(entry)
    }
  }
  return out
}

interface Entry {
  readonly rule: Rule
  readonly box: Box
}

function isIn(inner: Box, outer: Box): boolean {
  for (const [key, { ranges }] of outer) {
    const side = inner.get(key)
    if (!side || !isSubset(side.ranges, ranges)) return false
  }
  return true
}

/** Shapes of boxes that are told apart, and rules of one shape and place that are looked at, at most. */
const MOST_SHAPES = 256
const MOST_ALIKE = 64

/** All numbers of one prefix of a term: `shift` bits behind it. */
interface Block {
  readonly key: string
  readonly shift: number
  /** Of the term and the shift. */
  readonly id: number
}

interface Shape {
  readonly blocks: readonly Block[]
  readonly places: Map<string, Entry[]>
}

/** Boxes by shape (which terms have a prefix of which length), and in each shape by those prefixes: what may cover a box is found at one place a shape. */
class Index {
  private readonly shapes = new Map<string, Shape>()
  private readonly blocks = new Map<string, (Block | undefined)[]>()
  private ids = 0

  add(entry: Entry): void {
    const blocks: Block[] = []
    for (const [key, { bits, ranges }] of entry.box) {
      const prefix = ranges.length === 1 ? blockPrefix(ranges[0]!, bits) : undefined
      if (prefix !== undefined) blocks.push(this.block(key, bits - prefix))
    }
    blocks.sort((a, b) => a.id - b.id)
    const name = blocks.map(({ id }) => id).join()
    const shape = this.shapes.get(name) ?? { blocks, places: new Map<string, Entry[]>() }
    if (!this.shapes.has(name) && this.shapes.size >= MOST_SHAPES) return
    this.shapes.set(name, shape)
    const place = placeIn(shape, entry.box)
    const there = shape.places.get(place)
    if (!there) shape.places.set(place, [entry])
    else if (there.length < MOST_ALIKE) there.push(entry)
  }

  private block(key: string, shift: number): Block {
    const shifts = this.blocks.get(key) ?? []
    this.blocks.set(key, shifts)
    shifts[shift] ??= { key, shift, id: this.ids++ }
    return shifts[shift]
  }

  /** A rule whose box has another. */
  cover(box: Box): Rule | undefined {
    const spans = new Map<string, number>()
    for (const [key, { ranges }] of box) spans.set(key, spanOf(ranges))
    for (const shape of this.shapes.values()) {
      // All numbers of each side have one prefix in common.
      if (!shape.blocks.every(({ key, shift }) => shift >= (spans.get(key) ?? Number.POSITIVE_INFINITY))) continue
      const found = shape.places.get(placeIn(shape, box))?.find((entry) => isIn(box, entry.box))
      if (found) return found.rule
    }
    return undefined
  }
}

/** The prefixes of a box that a shape tells apart. */
function placeIn({ blocks }: Shape, box: Box): string {
  return blocks.map(({ key, shift }) => box.get(key)!.ranges[0]!.lo >> BigInt(shift)).join()
}

/** So many bits at the end differ among the numbers of ranges that are not empty. */
function spanOf(ranges: readonly Range[]): number {
  return bitLength(ranges[0]!.lo ^ ranges.at(-1)!.hi)
}

/** Pieces that are left of a box at most, before the search is given up. */
const MOST_PIECES = 128

/** Rules that have a box together: what they leave of it is nothing. */
function together(box: Box, entries: readonly Entry[]): Rule[] | undefined {
  let left: Box[] = [box]
  const by: Rule[] = []
  for (const entry of entries) {
    if (![...entry.box.keys()].every((key) => box.has(key))) continue
    const rest = left.flatMap((piece) => without(piece, entry.box) ?? [piece])
    if (rest.length !== left.length || rest.some((piece, i) => piece !== left[i])) by.push(entry.rule)
    if (rest.length === 0) return by
    if (rest.length > MOST_PIECES) return undefined
    left = rest
  }
  return undefined
}

/** What a box leaves of a piece, in boxes; undefined if they have nothing in common. */
function without(piece: Box, box: Box): Box[] | undefined {
  const out: Box[] = []
  let inside = piece
  for (const [key, { ranges, bits }] of box) {
    const side = inside.get(key)!
    const common = intersect(side.ranges, ranges)
    if (common.length === 0) return undefined
    const outside = intersect(side.ranges, complement(ranges, topOf(bits)))
    if (outside.length > 0) out.push(new Map(inside).set(key, { bits, ranges: outside }))
    inside = new Map(inside).set(key, { bits, ranges: common })
  }
  return out
}
