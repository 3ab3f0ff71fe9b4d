// Frames from text, and filters of one rule, for the tests of this package.

import {
  type BaseChain,
  type Chain,
  type Decision,
  evaluate,
  type Filter,
  match,
  type Pred,
  type Rule,
  type Step,
  type ViewName,
  verdict,
} from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'

/** A frame from the packet builder's text; `cut` keeps that many bytes of it. */
export function frame(text: string, cut?: number): Uint8Array {
  const { value, diagnostics } = buildPacket(text)
  if (!value) throw new Error(`${text}: ${diagnostics.map(({ message }) => message).join('; ')}`)
  return value.data.subarray(0, cut)
}

export function rule(id: number, ...steps: readonly Step[]): Rule {
  return { id, text: `rule ${id}`, steps }
}

export function base(chain: string, view: ViewName, more: Partial<BaseChain> = {}): BaseChain {
  return { chain, hook: 'input', view, family: 'any', policy: 'accept', ...more }
}

export function filter(bases: readonly BaseChain[], chains: Readonly<Record<string, readonly Rule[]>>): Filter {
  const list: Chain[] = Object.entries(chains).map(([name, rules]) => ({ name, rules }))
  return { syntax: 'nft', profile: 'nft-6.18', base: bases, chains: list }
}

/** A filter that drops what matches, and lets the rest pass. */
export function dropping(view: ViewName, pred: Pred): Filter {
  return filter([base('c', view)], { c: [rule(0, match(pred), verdict('drop'))] })
}

/** What became of a frame by a rule that drops what matches: `match`, `no`, or why else it was decided. */
export function told(view: ViewName, pred: Pred, bytes: Uint8Array): string {
  return word(evaluate(dropping(view, pred), bytes))
}

function word({ decision, by }: Decision): string {
  if (by === 'rule') return decision === 'drop' ? 'match' : 'accepted'
  return by === 'policy' ? 'no' : by
}
