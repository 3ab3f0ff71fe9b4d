// Rules of a chain one after the other that ask about the same few numbers, as one decision: the numbers are loaded once, and the first box
// that holds them all tells the rule. Each rule keeps its own exits, so a run still ends where the rule that decided stands.

import type { Label } from '@netsieve/asm'
import { type Chain, type Filter, placeOf, type Rule, type Step, type Term, termsIn } from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'
import { callsOf } from '../outline.ts'
import { excluded, type Path } from '../path.ts'
import { constantOf } from '../predicates.ts'
import type { RuleScope } from '../rules.ts'
import { type Scope, seenAs } from '../scope.ts'
import { number } from '../terms.ts'
import { type Asked, decidingRules, type RuleBox, type RuleBoxes, sideOf } from './boxes.ts'
import type { Maps } from './maps.ts'
import { cut, type Pieces } from './pieces.ts'
import { MOST_COMPONENTS, scan } from './scan.ts'
import { compareTree } from './sets.ts'
import { type Box, vectors } from './vectors.ts'

/** Rules in a row, as boxes over the same numbers. */
export interface Run {
  /** How many rules of the chain it stands for. */
  readonly length: number
  readonly asked: readonly Asked[]
  readonly boxes: readonly { readonly box: RuleBox; readonly rule: Rule; readonly rest: readonly Step[] }[]
}

/** The longest run that begins at a rule; of length 0 if that rule cannot be in one. */
export function runFrom(scope: RuleScope, rules: readonly Rule[], from: number): Run {
  const asked = new Map<string, Asked>()
  const boxes: Run['boxes'][number][] = []
  let length = 0
  // Where a number that is not there ends the program, it does so at the first rule that asks.
  if (scope.path.view.missing === 'reject') return { length, asked: [], boxes }
  const way = new Way(scope)
  for (; from + length < rules.length; length++) {
    const rule = rules[from + length]!
    if (mayDrop(scope, rule) || scope.alone?.(rule)) break
    const deciding = decidingOf(scope, rule)
    if (!deciding || deciding.some((each) => each.rule !== rule && mayDrop(scope, each.rule))) break
    const here: Run['boxes'][number][] = []
    const added = new Map<string, Asked>()
    for (const each of deciding) {
      for (const whole of each.boxes) {
        const box = way.left(whole)
        if (!box) continue
        here.push({ box, rule: each.rule, rest: each.rest })
        for (const side of box) if (!asked.has(side.key)) added.set(side.key, side)
      }
    }
    if (asked.size + added.size > MOST_COMPONENTS) break
    for (const [key, each] of added) asked.set(key, each)
    for (const each of here) boxes.push(each)
    // Nothing comes behind a rule that takes every packet.
    if (here.some(({ box }) => box.length === 0)) {
      length++
      break
    }
  }
  return { length, asked: [...asked.values()], boxes }
}

/** The rules that a rule stands for, if they are boxes. What is called counts too, where rules are counted. */
function decidingOf({ maps, sets, base, filter, state }: RuleScope, rule: Rule): readonly RuleBoxes[] | undefined {
  const known = maps.once(`boxes ${base.view}`, () => new Map<Rule, readonly RuleBoxes[] | undefined>())
  if (!known.has(rule)) {
    const place = {
      sets,
      view: base.view,
      chains: state.counters === undefined ? chainsOf(maps, filter) : NO_CHAINS,
      calls: maps.once(callsOf, () => callsOf(filter)),
    }
    known.set(rule, decidingRules(rule, place))
  }
  return known.get(rule)
}

const NO_CHAINS: ReadonlyMap<string, Chain> = new Map()
const chainsOf = (maps: Maps, filter: Filter): ReadonlyMap<string, Chain> =>
  maps.once(filter, () => new Map(filter.chains.map((chain) => [chain.name, chain])))

/** The boxes on one way through the program: what that tells is not asked. */
class Way {
  private readonly scope: Scope
  /** By the key of what is asked: as whom the packet is seen, and the number if that is told. */
  private readonly known = new Map<string, { readonly path: Path; readonly told: ReturnType<typeof constantOf> }>()

  constructor(scope: Scope) {
    this.scope = scope
  }

  /** What is left of a box to be asked; undefined if it holds no packet. */
  left(box: RuleBox): RuleBox | undefined {
    let left: Asked[] | undefined
    for (let i = 0; i < box.length; i++) {
      const asked = box[i]!
      const { path, told } = this.look(asked)
      if (told === undefined) {
        if (asked.ranges.every(({ lo, hi }) => lo === hi && excluded(path, asked.term, lo))) return undefined
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

  private look(asked: Asked) {
    const before = this.known.get(asked.key)
    if (before) return before
    const seen = seenAs(this.scope, asked.view)
    const found = {
      path: seen.path,
      told: absent(seen.path, asked) ? 'missing' : constantOf(seen, asked.term),
    } as const
    this.known.set(asked.key, found)
    return found
  }
}

/** No packet of this way has the header. */
function absent({ net, transport }: Path, { term }: Asked): boolean {
  const place =
    term.kind === 'field' ? placeOf(term.field) : term.kind === 'load' || term.kind === 'raw' ? term : undefined
  return place?.base === 'transport' ? transport === 'absent' : place?.base === 'net' && !net
}

/** What a rule asks may drop the packet, though it may not match: also where its boxes, which hold what matches, do not tell. */
function mayDrop(scope: RuleScope, rule: Rule): boolean {
  return rule.steps.some((step) => {
    if (step.kind !== 'match') return false
    const { path } = seenAs(scope, step.view)
    const { chainDrops, cutDrops } = path.view
    if (!chainDrops && cutDrops.length === 0) return false
    for (const term of termsIn(step)) if (mayCut(path, term)) return true
    return false
  })
}

/** Asking for a number may drop the packet: at the first rule that asks, whatever the others say. */
function mayCut({ view, kind, l4proto }: Path, term: Term): boolean {
  if (term.kind !== 'field') return false
  if (term.field === 'meta.l4proto') return view.chainDrops && kind === 'ipv6' && l4proto === 'slot'
  const { proto } = FIELDS[term.field]
  return (view.cutDrops as readonly string[]).includes(proto)
}

/** Whether a run takes less time as a decision than rule by rule, in instructions. */
export function worthwhile({ asked, boxes }: Run): boolean {
  const rules = boxes.length
  if (asked.length === 0 || rules < 6) return false
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

/**
 * Emits a run; control leaves at what `decide` emits for the rule that takes the packet, or at `next`.
 * @param cut where a packet goes that is dropped for asking: never, since no run asks so
 */
export function emitRun(
  scope: RuleScope,
  name: string,
  run: Run,
  {
    decide,
    next,
    cut: dropped,
  }: { readonly decide: (rule: Rule, rest: readonly Step[]) => void; readonly next: Label; readonly cut: Label },
): void {
  const { e, path, maps } = scope
  // A rule of several boxes stands behind the search, since more than one way leads to it.
  const shared = new Map<Rule, Label>()
  const found = (i: number): void => {
    const { rule, rest } = run.boxes[i]!
    if (run.boxes[i - 1]?.rule !== rule && run.boxes[i + 1]?.rule !== rule) return decide(rule, rest)
    const label = shared.get(rule) ?? e.label('rule')
    shared.set(rule, label)
    e.goto(label)
  }
  const [only] = run.asked
  if (only && run.asked.length === 1 && only.bits <= 63) oneNumber(scope, run, only, found, next, dropped)
  else {
    const made = maps.once(
      `list ${name} ${scope.base.view} ${path.kind} ${path.tagBeside} ${path.net} ${path.transport} ${run.boxes.length}`,
      () => {
        const boxes = run.boxes.map(({ box }): Box => run.asked.map(({ key }) => sideOf(box, key)?.ranges))
        return vectors(maps, run.asked.map(({ bits }) => bits), boxes, path.view.missing === 'zero') // biome-ignore format: one call
      },
    )
    scan(scope, made, run.asked, { missing: next, cut: dropped }, found, next)
  }
  for (const { rule, rest } of run.boxes) {
    const label = shared.get(rule)
    if (!label || !shared.delete(rule)) continue
    e.bind(label)
    if (e.reachable) decide(rule, rest)
  }
}

/** All boxes ask about the same number: the first box of each of its pieces, told apart by comparisons. */
function oneNumber(
  scope: RuleScope,
  run: Run,
  asked: Asked,
  found: (box: number) => void,
  next: Label,
  dropped: Label,
): void {
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
  number(seenAs(scope, asked.view), asked.term, { missing: to(missing), cut: dropped })
  compareTree(e, pieces, to)
  for (const [held, label] of labels) {
    e.bind(label)
    if (e.reachable) found(held - 1)
  }
}

/** Classes are the first box plus 1. */
function firstBoxes({ boxes }: Run, { key, bits }: Asked, always: number | undefined): Pieces {
  const held = boxes.flatMap(({ box }, index) => (sideOf(box, key)?.ranges ?? []).map((range) => ({ ...range, index })))
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
