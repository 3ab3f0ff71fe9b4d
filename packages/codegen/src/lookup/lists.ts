// Rules of a chain one after the other that ask about the same few numbers, as one decision: the numbers are loaded once, and the first box
// that holds them all tells the rule. Each rule keeps its own exits, so a run still ends where the rule that decided stands.

import type { Label } from '@netsieve/asm'
import {
  type Chain,
  type Filter,
  placeOf,
  type Range,
  type Rule,
  type Step,
  type Term,
  termsIn,
  type View,
  type ViewName,
} from '@netsieve/ir'
import { callsOf } from '../outline.ts'
import { excluded, type Path } from '../path.ts'
import { constantOf } from '../predicates.ts'
import type { RuleScope } from '../rules.ts'
import { type Scope, seenAs } from '../scope.ts'
import { number } from '../terms.ts'
import { type Asked, decidingRules, Questions, type RuleBox, type RuleBoxes, sideOf } from './boxes.ts'
import { allLeft, type Left, mayCut, sortLeft, told } from './left.ts'
import type { Maps } from './maps.ts'
import { cut, type Pieces } from './pieces.ts'
import { MOST_COMPONENTS, scan } from './scan.ts'
import { compareTree } from './sets.ts'
import { type Column, vectors } from './vectors.ts'

/** Rules in a row, as boxes over the same numbers. */
export interface Run {
  /** How many rules of the chain it stands for. */
  readonly length: number
  readonly asked: readonly Asked[]
  readonly boxes: readonly Taken[]
  /** The same rules for packets of which less is left than they ask for, where that may drop the packet; undefined if those are no boxes. */
  readonly others: readonly { readonly left: Left; readonly run: Run }[] | undefined
  /** It decides packets that have so many bytes from the network header on; others end at the first rule that asks for more. */
  readonly needs?: number
}

/** A box, and what takes its packets. */
interface Taken {
  readonly box: RuleBox
  readonly rule: Rule
  /** What the rule does, or that it drops for asking. */
  readonly what: readonly Step[] | 'cut'
}

/** No run: the next rule is compiled by itself. */
export const ALONE: Run = { length: 0, asked: [], boxes: [], others: [] }

/** The longest run that begins at a rule; of length 0 if that rule cannot be in one. */
export function runFrom(scope: RuleScope, rules: readonly Rule[], from: number): Run {
  if (scope.path.view.missing === 'reject') return rejecting(scope, rules, from)
  const terms = new Set<Term>()
  const dropping = drops(scope.path.view)
  const run = gather(scope, { rules, from, to: rules.length }, undefined, (rule, deciding) => {
    if (scope.alone?.(rule) || mayCutElsewhere(scope, rule)) return false
    for (let i = 0; i < deciding.length; i++) {
      const each = deciding[i]!.rule
      if (each !== rule && mayCutElsewhere(scope, each)) return false
    }
    if (!dropping) return true
    addTerms(rule, terms)
    for (const each of deciding) if (each.rule !== rule) addTerms(each.rule, terms)
    return true
  })
  if (run.length === 0 || ![...terms].some((term) => mayCut(scope.path, term))) return run
  const others: NonNullable<Run['others']>[number][] = []
  for (const left of allLeft(scope.path, terms)) {
    const other = gather(scope, { rules, from, to: from + run.length }, left)
    if (other.length < run.length && !isFull(other.boxes)) return { ...run, others: undefined }
    others.push({ left, run: other })
  }
  return { ...run, others }
}

function addTerms({ steps }: Rule, terms: Set<Term>): void {
  for (const step of steps) for (const term of termsIn(step)) terms.add(term)
}

/** The last box takes every packet. */
const isFull = (boxes: readonly Taken[]): boolean => boxes.at(-1)?.box.length === 0

/** Rules from the first on, as long as they are boxes over few enough numbers, and `good`. */
function gather(
  scope: RuleScope,
  { rules, from, to }: { readonly rules: readonly Rule[]; readonly from: number; readonly to: number },
  left: Left | undefined,
  good: (rule: Rule, deciding: readonly RuleBoxes[]) => boolean = () => true,
): Run {
  const known = decided(scope, left)
  const way = new Way(scope)
  const asked: Asked[] = []
  /** By key. */
  const places: number[] = []
  const boxes: Taken[] = []
  let length = 0
  let askedBefore = 0
  /** Nothing comes behind a box that takes every packet. */
  let full = false
  const take = (box: RuleBox, rule: Rule, what: Taken['what']): void => {
    const rest = full ? undefined : way.left(box)
    if (!rest) return
    full = rest.length === 0
    boxes.push({ box: rest, rule, what })
    for (let j = 0; j < rest.length; j++) {
      const side = rest[j]!
      const place = places[side.key]
      if (place === undefined) places[side.key] = asked.push(side) - 1
      else if (place >= askedBefore) asked[place] = side
    }
  }
  for (let i = from; i < to && !full; i++) {
    const rule = rules[i]!
    const deciding = known(rule)
    if (!deciding || !good(rule, deciding)) break
    const before = boxes.length
    askedBefore = asked.length
    for (let j = 0; j < deciding.length; j++) {
      const { rule: by, cuts, boxes: whole, rest } = deciding[j]!
      for (let k = 0; k < cuts.length; k++) take(cuts[k]!, by, 'cut')
      for (let k = 0; k < whole.length; k++) take(whole[k]!, by, rest)
    }
    if (asked.length > MOST_COMPONENTS) {
      boxes.length = before
      asked.length = askedBefore
      break
    }
    length++
  }
  return { length, asked, boxes, others: [] }
}

/** Where a number that is not there ends the program: rules that ask for nothing but words, of which packets have all or end at the first that they have not. */
function rejecting(scope: RuleScope, rules: readonly Rule[], from: number): Run {
  if (!scope.path.net) return ALONE
  let needs = 0
  const run = gather(scope, { rules, from, to: rules.length }, undefined, (rule, deciding) => {
    const end = bytesOf(rule)
    if (end === undefined || scope.alone?.(rule) || deciding.some((each) => each.rule !== rule)) return false
    needs = Math.max(needs, end)
    return true
  })
  return needs > 0 ? { ...run, needs } : run
}

/** Where the bytes end that a rule asks for, from the network header on, if it asks for nothing that may be missing elsewhere. */
function bytesOf({ steps }: Rule): number | undefined {
  let end = 0
  for (const step of steps) {
    if (step.kind !== 'match') continue
    for (const term of termsIn(step)) {
      if (term.kind === 'load' && term.base === 'net' && !term.index) end = Math.max(end, term.offset + term.bytes)
      else if (term.kind === 'field' && term.field !== 'meta.protocol') return undefined
      else if (term.kind === 'load' || term.kind === 'raw' || term.kind === 'find' || term.kind === 'walk')
        return undefined
      else if (term.kind === 'mapped' || term.kind === 'bin') return undefined
    }
  }
  return end
}

/** The rules that a rule stands for, if they are boxes. What is called counts too, where rules are counted. */
function decided(scope: RuleScope, left: Left | undefined): (rule: Rule) => readonly RuleBoxes[] | undefined {
  const { maps, sets, base, filter, state, path } = scope
  // What is told of numbers depends on the way only where something is left out.
  const way = left ? ` ${JSON.stringify(left)} ${path.kind} ${path.l4proto === 'slot'}` : ''
  const known = maps.once(`boxes ${base.view}${way}`, () => new Map<Rule, readonly RuleBoxes[] | 'none'>())
  const place = {
    questions: maps.once(`questions ${base.view}`, () => new Questions(base.view)),
    sets,
    view: base.view,
    ...(left && { told: (term: Term, view: ViewName | undefined) => told(seenAs(scope, view).path, left, term) }),
    chains: state.counters === undefined ? chainsOf(maps, filter) : NO_CHAINS,
    calls: maps.once(callsOf, () => callsOf(filter)),
  }
  return (rule) => {
    let found = known.get(rule)
    if (!found) {
      found = decidingRules(rule, place) ?? 'none'
      known.set(rule, found)
    }
    return found === 'none' ? undefined : found
  }
}

const NO_CHAINS: ReadonlyMap<string, Chain> = new Map()
/** The chains of a filter by their names. */
export const chainsOf = (maps: Maps, filter: Filter): ReadonlyMap<string, Chain> =>
  maps.once(filter, () => new Map(filter.chains.map((chain) => [chain.name, chain])))

/** The boxes on one way through the program: what that tells is not asked. */
class Way {
  private readonly scope: Scope
  /** By the key of what is asked. */
  private readonly known: Seen[] = []

  constructor(scope: Scope) {
    this.scope = scope
  }

  /** What is left of a box to be asked; undefined if it holds no packet. */
  left(box: RuleBox): RuleBox | undefined {
    let left: Asked[] | undefined
    for (let i = 0; i < box.length; i++) {
      const asked = box[i]!
      const { told, path, excludes } = this.known[asked.key] ?? this.look(asked)
      if (told === undefined) {
        if ((excludes || asked.ranges.length === 0) && hasNone(path, asked)) return undefined
        left?.push(asked)
        continue
      }
      if (told === 'missing' && path.view.missing !== 'zero') return undefined
      const value = told === 'missing' ? 0n : told
      if (!asked.ranges.some(({ lo, hi }) => lo <= value && value <= hi)) return undefined
      left ??= box.slice(0, i)
    }
    return left ?? box
  }

  private look(asked: Asked): Seen {
    const seen = seenAs(this.scope, asked.view)
    const { path } = seen
    const told = absent(path, asked) ? 'missing' : constantOf(seen, asked.term)
    const found: Seen = { path, told, excludes: path.kind === 'other' }
    this.known[asked.key] = found
    return found
  }
}

/** As whom a way sees the packet where a number is asked for. */
interface Seen {
  readonly path: Path
  /** The number, if the way tells it. */
  readonly told: ReturnType<typeof constantOf>
  /** Some numbers may be none of this way's. */
  readonly excludes: boolean
}

/** No packet of this way has one of the numbers. */
function hasNone(path: Path, { term, ranges }: Asked): boolean {
  return ranges.every(({ lo, hi }) => lo === hi && excluded(path, term, lo))
}

/** No packet of this way has the header. */
function absent({ net, transport }: Path, { term }: Asked): boolean {
  const place =
    term.kind === 'field' ? placeOf(term.field) : term.kind === 'load' || term.kind === 'raw' ? term : undefined
  return place?.base === 'transport' ? transport === 'absent' : place?.base === 'net' && !net
}

const drops = ({ chainDrops, cutDrops }: View): boolean => chainDrops || cutDrops.length > 0

/** A step that sees the packet by a view of its own may drop it for asking: what is left of the packet is not told there. */
function mayCutElsewhere(scope: RuleScope, { steps }: Rule): boolean {
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!
    if (step.kind !== 'match' || step.view === undefined) continue
    const { path } = seenAs(scope, step.view)
    if (!drops(path.view)) continue
    for (const term of termsIn(step)) if (mayCut(path, term)) return true
  }
  return false
}

/** Whether packets of this way can be taken by any rule of a run. */
export function takesAny({ boxes, others }: Run): boolean {
  return boxes.length > 0 || !others || others.some(({ run }) => run.boxes.length > 0)
}

/** Exits that a run has at least: to know that they are too many takes no tables. */
export function exitsOf({ asked, boxes }: Run): number {
  // Of one number, rules that others stand before have none.
  if (asked.length < 2) return 0
  return boxes.reduce((count, { rule }, i) => count + (boxes[i - 1]?.rule === rule ? 0 : 1), 0)
}

/** Whether a run takes less time as a decision than rule by rule, in instructions. */
export function worthwhile({ asked, boxes, others }: Run): boolean {
  const rules = boxes.length
  if (!others || asked.length === 0 || rules < 6) return false
  if (asked.length === 1) return true
  const searches = asked.reduce((sum, { bits }) => sum + searchCost(bits, rules), 0)
  const joins = Math.ceil(rules / 64) * 2 * asked.length
  // Of a rule two or three instructions are run until one of its tests fails, and half of the list until a rule takes the packet.
  return 20 + 12 * asked.length + searches + joins < 3 * rules
}

function searchCost(bits: number, rules: number): number {
  if (bits <= 16) return 6
  return Math.ceil(Math.log2(2 * rules + 1)) * (bits > 48 ? 22 : 5)
}

/** Where control leaves a run. */
interface Exits {
  /** Emits what the rule does that takes the packet, or that it drops it for asking. */
  readonly decide: (rule: Rule, what: readonly Step[] | 'cut') => void
  /** No rule takes it. */
  readonly next: Label
}

/** Emits a run: a decision for packets that are whole, and others for those that are not, where that matters. */
export function emitRun(scope: RuleScope, name: string, run: Run, exits: Exits): void {
  const { e, path } = scope
  const others = run.others ?? []
  const labels = new Map(others.map(({ left }) => [left, e.label(left.kind)]))
  sortLeft(e, path, [...labels.keys()], (left) => labels.get(left)!)
  decision(scope, name, run, exits)
  for (const { left, run: other } of others) {
    e.bind(labels.get(left)!)
    if (!e.reachable) continue
    if (left.kind === 'some') e.know({ avail: left.from })
    decision(scope, `${name} ${JSON.stringify(left)}`, other, exits)
  }
}

/** One decision; numbers that are asked for are known to drop nothing. */
function decision(scope: RuleScope, name: string, run: Run, { decide, next }: Exits): void {
  const { e, path, maps } = scope
  // A rule of several boxes stands behind the search, since more than one way leads to it.
  const shared = { does: new Map<Rule, Label>(), cut: new Map<Rule, Label>() }
  const labelsOf = (what: Taken['what']) => (what === 'cut' ? shared.cut : shared.does)
  const found = (i: number): void => {
    const { rule, what } = run.boxes[i]!
    const alone = (other: Taken | undefined) => other?.rule !== rule || labelsOf(other.what) !== labelsOf(what)
    if (alone(run.boxes[i - 1]) && alone(run.boxes[i + 1])) return decide(rule, what)
    const label = labelsOf(what).get(rule) ?? e.label('rule')
    labelsOf(what).set(rule, label)
    e.goto(label)
  }
  const [only] = run.asked
  if (run.boxes.length === 0) e.goto(next)
  else if (!only) found(0)
  else if (run.asked.length === 1 && only.bits <= 63) oneNumber(scope, run, only, found, next)
  else {
    const made = maps.once(
      `list ${name} ${scope.base.view} ${path.kind} ${path.tagBeside} ${path.net} ${path.transport} ${run.boxes.length}`,
      () => {
        const bits = run.asked.map((each) => each.bits)
        return vectors(maps, bits, columnsOf(run), run.boxes.length, path.view.missing === 'zero')
      },
    )
    scan(scope, made, run.asked, { missing: next, cut: next }, found, next)
  }
  for (const { rule, what } of run.boxes) {
    const label = labelsOf(what).get(rule)
    if (!label || !labelsOf(what).delete(rule)) continue
    e.bind(label)
    if (e.reachable) decide(rule, what)
  }
}

/** What boxes ask, number by number. */
function columnsOf({ asked, boxes }: Run): Column[] {
  const columns = asked.map(() => new Array<readonly Range[] | undefined>(boxes.length).fill(undefined))
  const places: number[] = []
  for (const [i, { key }] of asked.entries()) places[key] = i
  for (let i = 0; i < boxes.length; i++) {
    const { box } = boxes[i]!
    for (let j = 0; j < box.length; j++) columns[places[box[j]!.key]!]![i] = box[j]!.ranges
  }
  return columns
}

/** All boxes ask about the same number: the first box of each of its pieces, told apart by comparisons. */
function oneNumber(scope: RuleScope, run: Run, asked: Asked, found: (box: number) => void, next: Label): void {
  const { e, path } = scope
  const last = run.boxes.length - 1
  const always = run.boxes[last]!.box.length === 0
  const pieces = firstBoxes(run, asked, always ? last : undefined)
  const labels = new Map<number, Label>()
  const to = (held: number): Label => {
    if (held === 0) return next
    const known = labels.get(held) ?? e.label('box')
    labels.set(held, known)
    return known
  }
  const missing = path.view.missing === 'zero' ? pieces.classes[0]! : always ? last + 1 : 0
  number(seenAs(scope, asked.view), asked.term, { missing: to(missing), cut: next })
  compareTree(e, pieces, to)
  for (const [held, label] of labels) {
    e.bind(label)
    if (e.reachable) found(held - 1)
  }
}

/** Classes are the first box plus 1. */
function firstBoxes({ boxes }: Run, { key, bits }: Asked, always: number | undefined): Pieces {
  const held = boxes.map(({ box }) => sideOf(box, key)?.ranges)
  const open = new FirstOf(boxes.length)
  return cut(bits, held, {
    enter: (index) => open.turn(index),
    leave: (index) => open.turn(index),
    classOf: () => (open.first() ?? always ?? -1) + 1,
  })
}

/** A set of numbers that knows its lowest one: bits, and above them words that say which of 32 below have any. */
class FirstOf {
  private readonly levels: Uint32Array[] = []

  constructor(size: number) {
    for (let count = size; ; count = Math.ceil(count / 32)) {
      this.levels.push(new Uint32Array(Math.ceil(count / 32)))
      if (count <= 32) return
    }
  }

  turn(number: number): void {
    let at = number
    this.levels[0]![at >> 5]! ^= 1 << (at & 31)
    for (let depth = 1; depth < this.levels.length; depth++) {
      at >>= 5
      const level = this.levels[depth]!
      const bit = 1 << (at & 31)
      if (this.levels[depth - 1]![at] === 0) level[at >> 5]! &= ~bit
      else level[at >> 5]! |= bit
    }
  }

  first(): number | undefined {
    let at = 0
    for (let depth = this.levels.length - 1; depth >= 0; depth--) {
      const word = this.levels[depth]![at]!
      if (word === 0) return undefined
      at = at * 32 + (31 - Math.clz32(word & -word))
    }
    return at
  }
}
