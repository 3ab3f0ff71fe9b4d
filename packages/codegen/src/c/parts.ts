// How the rules of a long filter are divided into functions: clang's time grows with the square of a function's length, and a verifier that comes to
// the end of a long list remembers every branch before. Each function is global: it is verified by itself, once.

import { type Chain, calledBy, type Filter, type Rule, setsOf, termsIn } from '@netsieve/ir'

/** What rules weigh together in one function, about: one each, and one for each number that they ask for. */
const PART = 600
/** Parts at most, with room for other functions: a program has 256. */
const MOST_PARTS = 200
/** From this weight on a filter is divided. */
const LONG = 150
/** Called chains that weigh less are written where they are called. */
const SHORT = 12
/** Functions of chains that call each other, so deep: the kernel takes frames of eight functions. */
const DEEPEST = 5

/** Which chains are functions, and where they are cut. */
export interface Parts {
  readonly functions: ReadonlySet<string>
  cut(chain: Chain): readonly (readonly Rule[])[]
}

/** None for a filter that is short; `wanted`: whatever its length. */
export function partsOf(filter: Filter, calls: ReadonlyMap<string, number>, wanted?: boolean): Parts | undefined {
  if (wanted === false) return undefined
  const chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
  const sets = setsOf(filter)
  const functions = new Set(filter.base.map(({ chain }) => chain))
  const known = new Map<string, { readonly weight: number; readonly depth: number }>()
  const weightOf = (rule: Rule): { weight: number; depth: number } => {
    const whole = { weight: 1, depth: 0 }
    for (const step of rule.steps) {
      for (const _ of termsIn(step)) whole.weight++
      for (const name of calledBy(step, sets)) {
        const { weight, depth } = chainWeight(name)
        whole.weight += weight
        whole.depth = Math.max(whole.depth, depth)
      }
    }
    return whole
  }
  const allOf = ({ rules }: Chain) =>
    rules
      .map(weightOf)
      .reduce((sum, one) => ({ weight: sum.weight + one.weight, depth: Math.max(sum.depth, one.depth) }), {
        weight: 0,
        depth: 0,
      })
  const chainWeight = (name: string): { readonly weight: number; readonly depth: number } => {
    const before = known.get(name)
    if (before) return before
    const { weight, depth } = allOf(chains.get(name)!)
    const many = (calls.get(name) ?? 0) > 1
    const own = functions.has(name) || (weight > (many ? SHORT : PART) && depth < DEEPEST)
    if (own) functions.add(name)
    const seen = own ? { weight: 1, depth: depth + 1 } : { weight, depth }
    known.set(name, seen)
    return seen
  }
  for (const { chain } of filter.base) chainWeight(chain)
  const all = [...functions].reduce((sum, name) => sum + allOf(chains.get(name)!).weight, 0)
  if (!wanted && all < LONG) return undefined
  const part = Math.max(PART, all / MOST_PARTS)
  return {
    functions,
    cut({ rules }) {
      const parts: Rule[][] = []
      let weight = part
      for (const rule of rules) {
        const { weight: own } = weightOf(rule)
        if (weight + own > part) {
          parts.push([])
          weight = 0
        }
        parts.at(-1)!.push(rule)
        weight += own
      }
      return parts
    },
  }
}
