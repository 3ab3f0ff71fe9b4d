// Rules as boxes: the numbers that a rule's comparisons ask of each term. A rule that lies in the boxes of rules above it is never come to.

import { bitLength } from '@netsieve/packet'
import type { Chain, Pred, Range, Rule } from '../types.ts'
import type { ViewName } from '../views.ts'
import { negated, normal as normalOf } from './constants.ts'
import { factKey } from './facts.ts'
import { blockPrefix, complement, intersect, isSubset, regionOf, topOf } from './regions.ts'
import { changesNothing } from './walk.ts'

interface Side {
  readonly bits: number
  readonly ranges: readonly Range[]
}
/** By the term's key, with the view of a step's own; each key once. */
interface Box {
  readonly keys: readonly string[]
  readonly sides: readonly Side[]
}

function sideOf({ keys, sides }: Box, key: string): Side | undefined {
  const at = keys.indexOf(key)
  return at < 0 ? undefined : sides[at]
}

function withSide({ keys, sides }: Box, key: string, side: Side): Box {
  return { keys, sides: sides.with(keys.indexOf(key), side) }
}

/** A rule that others cover. */
export interface Covered {
  readonly rule: Rule
  readonly chain: Chain
  /** One rule that has it all, or several that have it together. */
  readonly by: readonly Rule[]
}

/** What all packets that a rule matches have; whether all that have it match; and whether there are none. */
interface Boxed {
  readonly keys: string[]
  readonly sides: Side[]
  whole: boolean
  empty: boolean
}

function boxOf({ steps }: Rule, normal: (pred: Pred) => Pred): Readonly<Boxed> {
  const boxed: Boxed = { keys: [], sides: [], whole: true, empty: false }
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!
    if (step.kind === 'match') narrow(boxed, normal(step.pred), step.view)
  }
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
  const key = factKey(view, region.key)
  const at = boxed.keys.indexOf(key)
  if (at < 0) {
    boxed.keys.push(key)
    boxed.sides.push(region)
    if (region.ranges.length === 0) boxed.empty = true
    return
  }
  const ranges = intersect(boxed.sides[at]!.ranges, region.ranges)
  boxed.sides[at] = { bits: region.bits, ranges }
  if (ranges.length === 0) boxed.empty = true
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
 * @param normal gives the normal form of a rule's predicate
 */
export function coveredRules(chain: Chain, setting: boolean, normal: (pred: Pred) => Pred = normalOf): Covered[] {
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
    const box = boxOf(rule, normal)
    // Asks what no packet has: never come to for a reason of its own.
    if (box.empty) continue
    const one = above.cover(box)
    const by = one ? [one] : chain.rules.length <= SEVERAL ? together(box, list) : undefined
    if (by) out.push({ rule, chain, by })
    else if (box.whole && ends(rule)) {
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

function isIn(inner: Box, { keys, sides }: Box): boolean {
  for (let i = 0; i < keys.length; i++) {
    const side = sideOf(inner, keys[i]!)
    if (!side || !isSubset(side.ranges, sides[i]!.ranges)) return false
  }
  return true
}

/** Shapes of boxes that are told apart, and rules of one shape and place that are looked at, at most. */
const MOST_SHAPES = 256
const MOST_ALIKE = 64

/** All numbers of one prefix of a term: `shift` bits behind it. */
interface Block {
  /** The number of the term's key. */
  readonly term: number
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
  /** In the order in which they were found. */
  private readonly list: Shape[] = []
  private readonly terms = new Map<string, number>()
  private readonly blocks: (Block | undefined)[][] = []
  private ids = 0
  /** By term, of the box that is looked at: its side, and how many bits of that differ. */
  private readonly sides: (Side | undefined)[] = []
  private readonly spans: number[] = []
  private box: Box | undefined

  add(entry: Entry): void {
    this.look(entry.box)
    const blocks: Block[] = []
    for (let term = 0; term < this.sides.length; term++) {
      const side = this.sides[term]
      const prefix = side?.ranges.length === 1 ? blockPrefix(side.ranges[0]!, side.bits) : undefined
      if (prefix !== undefined) blocks.push(this.block(term, side!.bits - prefix))
    }
    blocks.sort((a, b) => a.id - b.id)
    let name = ''
    for (let i = 0; i < blocks.length; i++) name += `${blocks[i]!.id} `
    let shape = this.shapes.get(name)
    if (!shape) {
      if (this.list.length >= MOST_SHAPES) return
      shape = { blocks, places: new Map() }
      this.shapes.set(name, shape)
      this.list.push(shape)
    }
    const place = this.placeIn(shape)
    const there = shape.places.get(place)
    if (!there) shape.places.set(place, [entry])
    else if (there.length < MOST_ALIKE) there.push(entry)
  }

  private block(term: number, shift: number): Block {
    this.blocks[term] ??= []
    const shifts = this.blocks[term]
    shifts[shift] ??= { term, shift, id: this.ids++ }
    return shifts[shift]
  }

  /** A rule whose box has another. */
  cover(box: Box): Rule | undefined {
    this.look(box)
    for (let i = 0; i < this.list.length; i++) {
      const shape = this.list[i]!
      if (!this.fits(shape)) continue
      const found = shape.places.get(this.placeIn(shape))?.find((entry) => isIn(box, entry.box))
      if (found) return found.rule
    }
    return undefined
  }

  private look(box: Box): void {
    if (this.box === box) return
    this.box = box
    const { keys, sides } = box
    this.sides.fill(undefined)
    this.spans.fill(Number.POSITIVE_INFINITY)
    for (let i = 0; i < keys.length; i++) {
      let term = this.terms.get(keys[i]!)
      if (term === undefined) {
        term = this.terms.size
        this.terms.set(keys[i]!, term)
      }
      this.sides[term] = sides[i]!
      this.spans[term] = spanOf(sides[i]!.ranges)
    }
  }

  /** All numbers of each side have one prefix in common. */
  private fits({ blocks }: Shape): boolean {
    for (let i = 0; i < blocks.length; i++) {
      const { term, shift } = blocks[i]!
      if (shift < this.spans[term]!) return false
    }
    return true
  }

  /** The prefixes of the box that a shape tells apart. */
  private placeIn({ blocks }: Shape): string {
    let place = ''
    for (let i = 0; i < blocks.length; i++) {
      const { term, shift } = blocks[i]!
      const { bits, ranges } = this.sides[term]!
      const { lo } = ranges[0]!
      place += bits <= 48 ? `${Math.floor(Number(lo) / 2 ** shift)} ` : `${lo >> BigInt(shift)} `
    }
    return place
  }
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
    if (!entry.box.keys.every((key) => box.keys.includes(key))) continue
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
  for (let i = 0; i < box.keys.length; i++) {
    const key = box.keys[i]!
    const { ranges, bits } = box.sides[i]!
    const side = sideOf(inside, key)!
    const common = intersect(side.ranges, ranges)
    if (common.length === 0) return undefined
    const outside = intersect(side.ranges, complement(ranges, topOf(bits)))
    if (outside.length > 0) out.push(withSide(inside, key, { bits, ranges: outside }))
    inside = withSide(inside, key, { bits, ranges: common })
  }
  return out
}
