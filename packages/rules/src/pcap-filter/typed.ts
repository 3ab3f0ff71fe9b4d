// What a frame's type, once asked, tells of later tests: most primitives ask for it anew, with a part for each type that they may be about.

import { FALSE, type Pred, TRUE } from '@netsieve/ir'

type Joined = Extract<Pred, { kind: 'and' | 'or' }>

/** The type that a predicate tells where it holds. */
function typeIn(pred: Pred): bigint | undefined {
  if (pred.kind === 'cmp') return isOfType(pred) && pred.test === '==' ? pred.value : undefined
  if (pred.kind !== 'and') return undefined
  for (let i = 0; i < pred.args.length; i++) {
    const type = typeIn(pred.args[i]!)
    if (type !== undefined) return type
  }
  return undefined
}

const isOfType = ({ term }: Pred & { kind: 'cmp' }): boolean => term.kind === 'field' && term.field === 'eth.type'

/** A predicate without tests of a type that `and` has asked before, and without parts that are about others: the same outcome on every packet. */
export function typed(pred: Pred): Pred {
  return new Typed().known(pred, undefined)
}

class Typed {
  /** By the type that is known. Parts that stand there several times stay one. */
  private readonly made = new Map<bigint | undefined, Map<Pred, Pred>>()

  known(pred: Pred, type: bigint | undefined): Pred {
    if (pred.kind === 'cmp') {
      if (type === undefined || !isOfType(pred) || pred.test !== '==') return pred
      return pred.value === type ? TRUE : FALSE
    }
    if (pred.kind !== 'and' && pred.kind !== 'or' && pred.kind !== 'not') return pred
    let made = this.made.get(type)
    if (!made) {
      made = new Map()
      this.made.set(type, made)
    }
    const before = made.get(pred)
    if (before) return before
    const now = pred.kind === 'not' ? this.negated(pred, type) : this.joined(pred, type)
    made.set(pred, now)
    return now
  }

  private negated(pred: Pred & { kind: 'not' }, type: bigint | undefined): Pred {
    const arg = this.known(pred.arg, type)
    if (arg.kind === 'const') return arg.value ? FALSE : TRUE
    return arg === pred.arg ? pred : { kind: 'not', arg }
  }

  private joined(pred: Joined, type: bigint | undefined): Pred {
    const decides = pred.kind === 'or'
    const args: Pred[] = []
    let here = type
    let same = true
    for (let i = 0; i < pred.args.length; i++) {
      const arg = pred.args[i]!
      const now = this.known(arg, here)
      same &&= now === arg && now.kind !== 'const'
      if (now.kind === 'const' && now.value !== decides) continue
      args.push(now)
      if (now.kind === 'const') break
      if (!decides) here ??= typeIn(now)
    }
    if (same) return pred
    if (args.length === 0) return decides ? FALSE : TRUE
    return args.length === 1 ? args[0]! : { kind: pred.kind, args }
  }
}
