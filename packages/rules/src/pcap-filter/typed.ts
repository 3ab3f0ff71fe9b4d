// What a frame's type, once asked, tells of later tests: most primitives ask for it anew, with a part for each type that they may be about.

import { FALSE, not, type Pred, TRUE } from '@netsieve/ir'

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

function isShallow(pred: Pred): pred is Joined {
  if (pred.kind !== 'and' && pred.kind !== 'or') return false
  for (let i = 0; i < pred.args.length; i++) {
    const { kind } = pred.args[i]!
    if (kind === 'and' || kind === 'or' || kind === 'not') return false
  }
  return true
}

/**
 * A predicate without tests of a type that `and` has asked before, and without parts that are about others: the same outcome on every packet. `(a and b)
 * and c` is `a and b and c`.
 */
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
    // Most parts have no others in them, and are looked at as fast as looked up.
    if (isShallow(pred)) return this.joined(pred, type)
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
    return arg === pred.arg ? pred : not(arg)
  }

  private joined(pred: Joined, type: bigint | undefined): Pred {
    const decides = pred.kind === 'or'
    const args: Pred[] = []
    let here = type
    let same = true
    for (let i = 0; i < pred.args.length; i++) {
      const arg = pred.args[i]!
      const now = this.known(arg, here)
      same &&= now === arg && now.kind !== 'const' && now.kind !== pred.kind
      if (now.kind === 'const' && now.value !== decides) continue
      if (now.kind === pred.kind) for (let j = 0; j < now.args.length; j++) args.push(now.args[j]!)
      else args.push(now)
      if (now.kind === 'const') break
      if (!decides) here ??= typeIn(now)
    }
    if (same) return pred
    if (args.length === 0) return decides ? FALSE : TRUE
    return args.length === 1 ? args[0]! : { kind: pred.kind, args }
  }
}
