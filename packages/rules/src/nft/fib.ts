// `fib daddr type local`: what routing says of an address. Of some IPv4 addresses that is certain; of others it is metadata.

import { and, cmp, FALSE, inRanges, not, or, type Pred } from '@netsieve/ir'
import { ADDRESS_TYPES, ETHERTYPE, type FieldId } from '@netsieve/packet'
import { CERTAIN_TYPES } from '../shared/index.ts'
import type { NftFamily } from './ast.ts'

/** The field that holds an address's type, and the IPv4 address. */
const ADDRESS: Readonly<Partial<Record<FieldId, FieldId>>> = {
  'fib.saddr.type': 'ipv4.src',
  'fib.daddr.type': 'ipv4.dst',
}

const OTHERS = Object.values(ADDRESS_TYPES).filter((type) => type !== ADDRESS_TYPES.multicast)

/** Whether the answer is certain of some addresses: what the metadata says counts for the others alone. */
export function isPartlyCertain(field: FieldId, family: NftFamily): boolean {
  return ADDRESS[field] !== undefined && family !== 'ip6'
}

/** What is asked of an address's type, with the answer where it is certain. */
export function withCertain(field: FieldId, asked: Pred, family: NftFamily): Pred {
  const address = ADDRESS[field]
  if (!address || !isPartlyCertain(field, family)) return asked
  const ranges = CERTAIN_TYPES.ipv4
  const yes = ranges.filter(({ type }) => holds(asked, BigInt(type)))
  const other = not(inRanges(address, ranges))
  // Other addresses are never multicast, which may be all that is asked.
  const left = OTHERS.filter((type) => holds(asked, BigInt(type))).length
  const told = left === 0 ? FALSE : left === OTHERS.length ? other : and(other, asked)
  const ipv4 = yes.length === 0 ? told : left === 0 ? inRanges(address, yes) : or(inRanges(address, yes), told)
  if (family === 'ip') return ipv4
  const isIpv4 = cmp('meta.protocol', '==', ETHERTYPE.ipv4)
  return or(and(isIpv4, ipv4), and(not(isIpv4), asked))
}

/** Whether a predicate over one field holds for a value of it. @throws Error for one that asks for more */
function holds(pred: Pred, value: bigint): boolean {
  switch (pred.kind) {
    case 'not':
      return !holds(pred.arg, value)
    case 'in':
      return pred.ranges.some(({ lo, hi }) => lo <= value && value <= hi)
    case 'cmp': {
      const left = pred.term.kind === 'mask' ? value & pred.term.mask : value
      const sign = left < pred.value ? -1 : left > pred.value ? 1 : 0
      const signs = { '==': [0], '!=': [-1, 1], '<': [-1], '<=': [-1, 0], '>': [1], '>=': [0, 1] }
      return signs[pred.test].includes(sign)
    }
    default:
      throw new Error(`a type of address is not asked for by ${pred.kind}`)
  }
}
