// A filter of the IR as an eBPF program.

import type { Insn, MapDef, ProgTypeName } from '@netsieve/asm'
import type { Filter } from '@netsieve/ir'
import type { MetadataLayout } from '@netsieve/packet'
import { divided, PLANS } from './divide.ts'
import { Emitter, NOTHING, R } from './emitter.ts'
import type { ProgramSet } from './functions.ts'
import { fitsWhole, LONGEST_LINEAR, LONGEST_WHOLE, TOO_LONG, TooLong } from './limits.ts'
import type { Plan } from './outline.ts'
import { baseChain } from './rules.ts'
import { type Shared, sharedBy, startScope, toRules } from './shared.ts'
import { fillLocals } from './told.ts'
import { beyondType } from './type.ts'

export interface GenerateOptions {
  readonly type: ProgTypeName
  /** Count packets and bytes of each rule, in the map `netsieve_counters`. */
  readonly counters?: boolean
  /** Compile rules one after the other even where they are a list that one decision stands for. */
  readonly oneByOne?: boolean
  /** Divide the program into functions in this way, even where it could be one. */
  readonly plan?: Plan
}

/** A generated program with what it needs beside it. */
export interface Generated extends ProgramSet {
  readonly type: ProgTypeName
  readonly maps: readonly MapDef[]
  /** What is to be written to the map `netsieve_meta` before each packet; absent if the program reads nothing from there. */
  readonly metadata?: MetadataLayout
}

/**
 * Compiles a checked filter. Each instruction's `origin` tells the rule, policy or header it is for; the origin of the exit that ends a
 * run is what decided the packet. A program that the kernel would refuse for its length is divided into functions, and those into programs (divide.ts).
 * @throws TooLong if that does not help
 * @throws Error for a filter that `check` or `beyondType` refuses
 */
export function generate(filter: Filter, options: GenerateOptions): Generated {
  const { type, counters = false, oneByOne = false, plan } = options
  const beyond = beyondType(filter, type)
  if (beyond.length > 0) throw new Error(beyond[0]!.message)
  const fresh = () => sharedBy(filter, type, { counters, oneByOne })
  let shared = fresh()
  const whole = plan ? undefined : undivided(shared)
  if (whole) return done(shared, { insns: whole })
  for (const each of plan ? [plan] : PLANS) {
    shared = fresh()
    const [first, ...programs] = divided(shared, each) ?? []
    if (first) return done(shared, { ...first, ...(programs.length > 0 && { programs }) })
  }
  throw new TooLong(TOO_LONG)
}

function done(shared: Shared, code: ProgramSet): Generated {
  const { name, maps, layout } = shared
  return { type: name, ...code, maps: maps.finish(), ...(layout && { metadata: layout }) }
}

/** The program as one function; undefined if it is too long for that. */
function undivided(shared: Shared): Insn[] | undefined {
  try {
    const insns = whole(shared)
    return fitsWhole(insns) ? insns : undefined
  } catch (long) {
    if (long instanceof TooLong) return undefined
    throw long
  }
}

function whole(shared: Shared): Insn[] {
  const { filter, access, locals, type } = shared
  const e = new Emitter()
  e.origin = { text: 'program start' }
  access.prologue(e)
  const [first] = filter.base
  for (const [field, slot] of locals) if (first) fillLocals(startScope(shared, e, first), field, slot)
  let inRuns = 0
  const longest = shared.oneByOne ? LONGEST_LINEAR.oneByOne : LONGEST_LINEAR.usual
  const grows = (size: number, run: number): void => {
    inRuns += run
    if (size - inRuns > longest || size > LONGEST_WHOLE) throw new TooLong('the program is too long for one function')
  }
  const begins = (size: number): void => {
    if (size > LONGEST_WHOLE) throw new TooLong('the program is too long for one function')
  }
  const most = () => Math.min(longest + inRuns, LONGEST_WHOLE)
  const starts = filter.base.map(() => e.label('base'))
  const pass = e.label('pass')
  for (const [i, base] of filter.base.entries()) {
    e.bind(starts[i]!)
    if (!e.reachable) break
    e.flow = { ...NOTHING, link: e.flow.link }
    const next = starts[i + 1]
    const exits = { unseen: next ?? pass, onAccept: next }
    toRules(shared, startScope(shared, e, base), base, exits, (scope) => baseChain({ ...scope, begins, grows, most }))
    // What this base chain put off to the end must stand before the next one starts: its accepts jump forward.
    e.runDeferred()
  }
  e.bind(pass)
  e.origin = { text: 'not seen by any chain' }
  e.put((c) => c.mov(R.RET, type.returns.pass))
  e.exit()
  return e.finish()
}
