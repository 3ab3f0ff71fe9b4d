// A filter that is too long for one function, as several, and where one program cannot hold them as several programs that go on in one another by
// tail calls. The main function of a program (main.ts) comes by places in the filter, whose rules are functions (parts.ts). A place that a program has no
// room for starts a program of its own, so the next program need be told nothing but what rules have set (handover.ts).

import { LIMITS } from '@netsieve/asm'
import type { Rule } from '@netsieve/ir'
import { fits, linked, type ProgramCode } from './functions.ts'
import { type Handover, handoverOf, programsMap } from './handover.ts'
import { TOO_LONG, TooLong, tooLongFrom } from './limits.ts'
import { chainsOf } from './lookup/lists.ts'
import { mainFunction } from './main.ts'
import { type Outlined, outlined, type Plan } from './outline.ts'
import { Parts } from './parts.ts'
import { keyOf, type Place, startOf } from './places.ts'
import type { Shared } from './shared.ts'

/** Instructions that a verifier is thought to process of a program (see Parts), of LIMITS.verifierInsns: some rules take twice as many. */
const PROGRAM = 600_000

/**
 * Tried in this order: functions that call functions take stack, small parts take functions. Of a part of 12,000 slots a verifier puts off 7,000 branches at
 * most, so it does not find it too complex.
 */
export const PLANS: readonly Plan[] = [
  [12_000, 100],
  [16_000, 400],
  [64_000, 1600],
].flatMap(([part, inline]) => [4, 2, 1, 0].map((depth) => ({ part: part!, inline: inline!, depth, program: PROGRAM })))

/** The programs, the first first; undefined if one does not fit the kernel's limits in this way. @throws TooLong if none will */
export function divided(shared: Shared, plan: Plan): readonly ProgramCode[] | undefined {
  return new Division(shared, plan).make()
}

/** A program by the place that it starts with. */
interface Started {
  readonly number: number
  readonly place: Place
  /** Tail calls that lead to it, on the way that was found first. */
  readonly depth: number
  /** The programs that it goes on in. */
  readonly next: Set<Started>
}

class Division {
  private readonly shared: Shared
  private readonly plan: Plan
  private readonly outlined: Outlined
  private readonly programs = new Map<string, Started>()
  private map: number | undefined
  private handover: Handover | undefined
  private functions = 0

  constructor(shared: Shared, plan: Plan) {
    this.shared = shared
    this.plan = plan
    // Functions that do not keep their context call no others.
    this.outlined = outlined(shared.filter, shared.access.keepsContext ? plan : { ...plan, depth: 0 })
  }

  make(): readonly ProgramCode[] | undefined {
    const { shared, programs } = this
    const out: ProgramCode[] = []
    this.start(startOf(0, shared.filter.base[0]!), 0)
    for (const started of programs.values()) {
      const code = this.program(started)
      if (!code) return undefined
      out.push(code)
    }
    const [first] = programs.values()
    if (longestWay(first!) > LIMITS.tailCalls) throw new TooLong(TOO_LONG)
    if (this.map !== undefined) shared.maps.fill(this.map, programsMap(out.length))
    return out
  }

  private program(started: Started): ProgramCode | undefined {
    const { shared, plan, programs } = this
    const parts = new Parts(shared, plan, this.outlined, this.functions)
    const made = mainFunction(shared, parts, started.place, {
      first: started.number === 0,
      isStart: (place) => programs.has(keyOf(place)),
      goOn: (place) => {
        const next = this.start(place, started.depth + 1)
        started.next.add(next)
        this.map ??= shared.maps.reserve()
        this.handover ??= handoverOf(shared)
        return { map: this.map, handover: this.handover, number: next.number }
      },
      handover: this.handover,
    })
    this.functions += parts.functions.length
    const all = [made, ...parts.functions]
    return all.length <= LIMITS.functions && fits(all) ? linked(shared, all) : undefined
  }

  private firstOf({ rules }: Place): Rule | undefined {
    const stretch = rules.at(-1)
    return stretch && chainsOf(this.shared.maps, this.shared.filter).get(stretch.chain)?.rules[stretch.from]
  }

  private start(place: Place, depth: number): Started {
    const key = keyOf(place)
    const known = this.programs.get(key)
    if (known) return known
    if (depth > LIMITS.tailCalls) throw tooLongFrom(this.firstOf(place))
    const started = { number: this.programs.size, place, depth, next: new Set<Started>() }
    this.programs.set(key, started)
    return started
  }
}

/** Tail calls on the longest way from a program on. No way comes by a program twice: rules go on, and calls are in no circle. */
function longestWay(from: Started, known = new Map<Started, number>()): number {
  const before = known.get(from)
  if (before !== undefined) return before
  const length = Math.max(0, ...[...from.next].map((next) => 1 + longestWay(next, known)))
  known.set(from, length)
  return length
}
