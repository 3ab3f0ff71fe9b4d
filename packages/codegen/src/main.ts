// The main function of a program that is divided. It comes by places in the filter: calls the part of each and goes where that says. Which places
// it has is found out first, depth first, so that it goes on as packets do until it is full; then they are written in an order in which all
// jumps go forward.

import type { Label } from '@netsieve/asm'
import { Emitter, NOTHING, R } from './emitter.ts'
import { compacted } from './frame.ts'
import type { Made } from './functions.ts'
import { type Handover, tailCall } from './handover.ts'
import { KEPT_CONTEXT, type Part, type Parts } from './parts.ts'
import { called, goneOn, keyOf, type Place, returned, startOf } from './places.ts'
import { byPolicy } from './rules.ts'
import { type Shared, startScope } from './shared.ts'
import { fillLocals } from './told.ts'

/** With so many functions a program begins no further place: parts may have many. */
const MANY_FUNCTIONS = 128
/** The same of places: what is called from many is in the main function many times. */
const MANY_PLACES = 2000

/** What a main function has to do with the other programs of its set. */
export interface Others {
  /** No program has gone before. */
  readonly first: boolean
  /** Whether a program starts at a place. */
  readonly isStart: (place: Place) => boolean
  /** Makes a place the start of a program, if it is not: how to go on there. */
  readonly goOn: (place: Place) => { readonly map: number; readonly handover: Handover; readonly number: number }
  /** How fields have been handed on; undefined in the first program. */
  readonly handover: Handover | undefined
}

interface Node {
  readonly place: Place
  readonly label: Label
  /** Undefined where the policy decides. */
  readonly part: Part | undefined
  readonly ways: { readonly [way in 'next' | 'end' | 'accepted']: Place | undefined } & {
    readonly calls: readonly Place[]
  }
}

/** The main function of the program that starts at a place; what it calls is among the parts then. */
export function mainFunction(shared: Shared, parts: Parts, start: Place, others: Others): Made {
  return new Main(shared, parts, others).make(start)
}

class Main {
  private readonly shared: Shared
  private readonly parts: Parts
  private readonly others: Others
  private readonly e = new Emitter()
  private readonly context: number
  private readonly nodes = new Map<string, Node>()
  /** The nodes, each behind those that it leads to. */
  private readonly order: Node[] = []
  /** Places that are in other programs, by their keys. */
  private readonly outside = new Map<string, { readonly place: Place; readonly label: Label }>()

  constructor(shared: Shared, parts: Parts, others: Others) {
    this.shared = shared
    this.parts = parts
    this.others = others
    this.context = shared.access.keepsContext ? R.CTX : KEPT_CONTEXT
  }

  make(start: Place): Made {
    const { e, others } = this
    const failed = e.label('failed')
    e.origin = { text: 'program start' }
    this.prologue(failed)
    this.enter(start)
    for (const node of this.order.reverse()) this.write(node)
    for (const { place, label } of this.outside.values()) {
      e.bind(label)
      if (!e.reachable) continue
      e.flow = NOTHING
      const { map, handover, number } = others.goOn(place)
      e.origin = { text: `on to program ${number}` }
      handover.give(e, this.context, failed)
      tailCall(e, this.context, map, number)
      e.goto(failed)
    }
    e.bind(failed)
    e.origin = { text: 'a program of the set is not there' }
    e.put((c) => c.mov(R.RET, this.shared.type.returns.drop))
    e.exit()
    return { name: 'main', ...compacted(e.finish()) }
  }

  private prologue(failed: Label): void {
    const { e, others } = this
    const { access, locals, filter } = this.shared
    // Where the rules' prologue uses the context up, it is kept for calls.
    if (!access.keepsContext) e.put((c) => c.mov(KEPT_CONTEXT, { reg: 1 }))
    if (access.keepsContext || (others.first && locals.size > 0)) access.prologue(e)
    const [first] = filter.base
    if (!others.first) others.handover?.take(e, this.context, failed)
    else if (first) for (const [field, slot] of locals) fillLocals(startScope(this.shared, e, first), field, slot)
  }

  /** Takes a place in, with what it leads to, as far as there is room. */
  private enter(place: Place): void {
    const key = keyOf(place)
    if (this.nodes.has(key) || this.outside.has(key)) return
    if (this.nodes.size > 0 && place.rules.length > 0 && (this.isFull || this.others.isStart(place))) {
      this.outside.set(key, { place, label: this.e.label('outside') })
      return
    }
    const node = this.nodeOf(place)
    this.nodes.set(key, node)
    const { calls, next, end, accepted } = node.ways
    for (const to of [...calls, next, end, accepted]) if (to) this.enter(to)
    this.order.push(node)
  }

  private get isFull(): boolean {
    const { effort, functions, plan } = this.parts
    return effort >= plan.program || functions.length >= MANY_FUNCTIONS || this.nodes.size >= MANY_PLACES
  }

  private nodeOf(place: Place): Node {
    const { filter } = this.shared
    const label = this.e.label('place')
    const base = filter.base[place.base]!
    const following = filter.base[place.base + 1]
    const behind = following && startOf(place.base + 1, following)
    const top = place.rules.at(-1)
    if (!top) {
      const accepted = base.policy === 'accept' ? behind : undefined
      return { place, label, part: undefined, ways: { next: undefined, end: undefined, accepted, calls: [] } }
    }
    const part = this.parts.part(base, top.chain, top.from)
    const [up, on] = [returned(place), goneOn(place, part.to)]
    const back = { next: part.to < this.parts.rulesOf(top.chain).length ? on : up, end: up }
    const calls = part.calls.map(({ chain, back: to }) => called(back[to], chain))
    const ways = {
      next: part.gives.has('next') ? on : undefined,
      end: part.gives.has('end') ? up : undefined,
      accepted: part.gives.has('accepted') ? behind : undefined,
      calls,
    }
    return { place, label, part, ways }
  }

  private labelOf(place: Place): Label {
    const key = keyOf(place)
    return (this.nodes.get(key) ?? this.outside.get(key)!).label
  }

  private write({ place, label, part, ways }: Node): void {
    const { e } = this
    const { filter, type } = this.shared
    const base = filter.base[place.base]!
    const to = (way: Place | undefined) => way && this.labelOf(way)
    e.bind(label)
    if (!e.reachable) return
    e.flow = NOTHING
    if (!part) return byPolicy({ e, base, type, onAccept: to(ways.accepted) })
    this.parts.call(startScope(this.shared, e, base), part, place.rules.at(-1)!.chain, {
      next: to(ways.next),
      end: to(ways.end),
      accepted: to(ways.accepted),
      calls: ways.calls.map((each) => this.labelOf(each)),
    })
  }
}
