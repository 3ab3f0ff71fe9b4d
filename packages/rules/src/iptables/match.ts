// One match of a rule as steps of the IR. The two programs differ: iptables-legacy asks the kernel's xt modules, which look at whole headers
// and drop cut packets; iptables-nft 1.8.9 writes addresses, protocols and ports as nft expressions and calls the xt modules for the rest.
// What it writes was read off `nft --debug=netlink list ruleset`.

import type { Diagnostics } from '@netsieve/diag'
import {
  and,
  between,
  cmp,
  exists,
  FALSE,
  field,
  find,
  inRanges,
  load,
  masked,
  maskedEqual,
  match,
  not,
  or,
  type Pred,
  type Step,
  type Term,
  type ViewName,
} from '@netsieve/ir'
import { CT_STATES, type FieldId, prefixMask } from '@netsieve/packet'
import { addressBits, type IpFamily, type Network, networkPrefix } from '../shared/index.ts'
import type { HeaderTest, Match, PortTest } from './ast.ts'
import { HEADER_MODULES } from './headers.ts'
import type { IcmpTest } from './icmp.ts'
import { u32Pred } from './u32.ts'

export const XT_PROFILES = ['xt-nft', 'xt-legacy'] as const
export type XtProfile = (typeof XT_PROFILES)[number]

export function lowerMatch(
  each: Exclude<Match, { kind: 'kept' | 'set' }>,
  family: IpFamily,
  profile: XtProfile,
  diagnostics: Diagnostics,
): Step[] {
  const steps = (...preds: readonly Pred[]): Step[] => preds.map((pred) => ({ ...match(pred), span: each.span }))
  const negate = (pred: Pred, negated: boolean) => (negated ? not(pred) : pred)
  switch (each.kind) {
    case 'address':
      return steps(...address(each, family, profile, diagnostics))
    case 'protocol':
      return steps(cmp('meta.l4proto', each.negated ? '!=' : '==', each.protocol))
    case 'fragment':
      return steps(cmp('ipv4.fragoff', each.negated ? '==' : '!=', 0))
    case 'transport':
      if (profile === 'xt-legacy') return steps(...moduleTransport(each))
      return byModule(each) ? compatible(steps(...moduleTransport(each))) : steps(...nftTransport(each, diagnostics))
    case 'multiport': {
      const ports = { sport: ['th.sport'], dport: ['th.dport'], either: ['th.sport', 'th.dport'] } as const
      const found = steps(negate(or(...ports[each.side].map((id) => inRanges(id, each.ranges))), each.negated))
      return profile === 'xt-nft' ? compatible(found) : found
    }
    case 'icmp': {
      const found = steps(negate(icmpPred(each.test, family), each.negated))
      return profile === 'xt-nft' ? compatible(found) : found
    }
    case 'header': {
      const found = each.tests.flatMap((test) =>
        test.kind === 'sound' ? [...steps(not(test.pred)), DROPPED] : steps(headerPred(test, family)),
      )
      if (HEADER_MODULES[each.module]?.mild)
        return seenBy(found, profile === 'xt-nft' ? 'xt-compat-mild' : 'xt-ip-mild')
      return profile === 'xt-nft' ? compatible(found) : found
    }
    case 'u32': {
      const found = steps(u32Pred(each.tests, each.negated))
      return profile === 'xt-nft' ? compatible(found) : found
    }
    case 'field':
      return steps(negate(fieldPred(each), each.negated))
    case 'state':
      return steps(negate(statePred(each), each.negated))
    case 'unsupported':
      diagnostics.error('iptables/unsupported', `unsupported: ${each.what}`, each.span)
      return []
  }
}

/** What stands before it, when it holds, drops the packet whatever the rest of the rule says: it becomes a rule of its own. */
export const DROPPED: Step = { kind: 'verdict', verdict: { kind: 'drop' } }

type Of<Kind extends Match['kind']> = Extract<Match, { kind: Kind }>

function address(
  { side, negated, networks, span }: Of<'address'>,
  family: IpFamily,
  profile: XtProfile,
  diagnostics: Diagnostics,
): Pred[] {
  const id: FieldId = `${family}.${side}`
  const everything = networks.some(({ mask }) => mask === 0n)
  if (everything && !negated) return []
  if (everything && profile === 'xt-nft')
    diagnostics.error('iptables/never', 'no address is outside of this network: iptables-nft refuses the rule', span)
  const pred = inNetworks(id, networks)
  return [negated ? not(pred) : pred]
}

/** The module reads the whole header first, whatever is asked of it. */
function icmpPred({ type, code }: IcmpTest, family: IpFamily): Pred {
  const proto = family === 'ipv4' ? 'icmp' : 'icmp6'
  if (type === undefined) return between(`${proto}.type`, 0, 255)
  const same = cmp(`${proto}.type`, '==', type)
  return code === undefined ? same : and(same, cmp(`${proto}.code`, '==', code))
}

function fieldPred({ field: id, test }: Pick<Of<'field'>, 'field' | 'test'>): Pred {
  if (!('mask' in test)) return test.lo <= test.hi ? between(id, test.lo, test.hi) : FALSE
  // A value with bits outside of its mask is nobody's.
  return (test.value & ~test.mask) === 0n ? maskedEqual(id, test.value, test.mask) : FALSE
}

function headerPred(test: HeaderTest, family: IpFamily): Pred {
  const pred = asked(test, family)
  return test.negated ? not(pred) : pred
}

function asked(test: HeaderTest, family: IpFamily): Pred {
  switch (test.kind) {
    case 'pred':
    case 'sound':
      return test.pred
    case 'field':
      return fieldPred(test)
    case 'entry':
      return exists(find(test.list, test.type))
    case 'whole': {
      const end = bin('add', find('tcp', test.type), test.bytes)
      return { kind: 'relation', left: end, test: '<=', right: bin('lsh', field('tcp.doff'), 2n) }
    }
    case 'bit': {
      // Of IPv4 the module looks behind the header whatever is there: also into later fragments.
      const behind = bin('lsh', masked(load('net', 0, 1), 0xfn), 2n)
      const byte = (offset: number) =>
        family === 'ipv4' ? load('net', offset, 1, behind) : load('transport', offset, 1)
      return and(between(byte(test.bytes - 1), 0, 255), cmp(masked(byte(test.offset), test.mask), '!=', 0))
    }
    case 'all':
      return and(...test.tests.map((each) => headerPred(each, family)))
    case 'any':
      return or(...test.tests.map((each) => headerPred(each, family)))
  }
}

const bin = (op: 'add' | 'lsh', left: Term, right: bigint): Term => ({ kind: 'bin', op, left, right: { kind: 'const', value: right } }) // biome-ignore format: one value

/** What belongs to no connection (INVALID, UNTRACKED) has no marks of address translation either: they are not asked of it. */
function statePred({ state, status }: Of<'state'>): Pred {
  const any = (id: FieldId, bits: bigint) => cmp(masked(field(id), bits), '!=', 0)
  const { new: fresh, established, related } = CT_STATES
  const translated = and(any('ct.state', BigInt(fresh | established | related)), any('ct.status', status))
  return or(...(state !== 0n ? [any('ct.state', state)] : []), ...(status !== 0n ? [translated] : []))
}

/** Prefixes become one set of ranges; other masks stay comparisons. */
function inNetworks(id: FieldId, networks: readonly Network[]): Pred {
  if (networks.length === 1) return maskedEqual(id, networks[0]!.value, networks[0]!.mask)
  const prefixes = networks.filter((network) => networkPrefix(network) !== undefined)
  const others = networks.filter((network) => networkPrefix(network) === undefined)
  const ranges = prefixes.map(({ family, value, mask }) => {
    const bits = addressBits(family)
    return { lo: value, hi: value | (prefixMask(bits, bits) ^ mask) }
  })
  const preds = others.map(({ value, mask }) => maskedEqual(id, value, mask))
  return or(...(ranges.length > 0 ? [inRanges(id, ranges)] : []), ...preds)
}

function portPred(id: FieldId, { negated, lo, hi }: PortTest): Pred {
  if (lo === 0n && hi > 0n && hi < 65535n) return cmp(id, negated ? '>' : '<=', hi)
  const pred = lo === hi ? cmp(id, '==', lo) : between(id, lo, hi)
  return negated ? not(pred) : pred
}

const isFull = (test: PortTest | undefined) => test === undefined || (test.lo === 0n && test.hi === 65535n)

/** The xt modules read the whole header first: a field over its full range asks for that where no test does. */
function moduleTransport({ module, sport, dport, flags, entry, chunks, dccpTypes }: Of<'transport'>): Pred[] {
  const preds: Pred[] = []
  if (sport) preds.push(portPred(`${module}.sport`, sport))
  if (dport) preds.push(portPred(`${module}.dport`, dport))
  if (flags) {
    const pred = cmp(masked(field('tcp.flags'), flags.mask), '==', flags.value)
    preds.push(flags.negated ? not(pred) : pred)
  }
  if (dccpTypes) {
    const pred = inRanges('dccp.type', dccpTypes.types.map((type) => ({ lo: type, hi: type }))) // biome-ignore format: a call
    preds.push(dccpTypes.negated ? not(pred) : pred)
  }
  if (preds.length === 0) preds.push(between(`${module}.dport`, 0, 65535))
  if (chunks) preds.push(chunks.negated ? not(chunks.pred) : chunks.pred)
  if (entry && module !== 'udp') {
    const pred = exists(find(module, entry.type))
    preds.push(entry.negated ? not(pred) : pred)
  }
  return preds
}

/** iptables-nft 1.8.9 writes tests of TCP and UDP ports and flags as nft expressions, and calls the module where that would say nothing. */
function byModule({ module, sport, dport, flags, entry }: Of<'transport'>): boolean {
  const nothing = [sport, dport].every((test) => isFull(test) && !test?.negated) && !flags
  return nothing || entry !== undefined || module === 'sctp' || module === 'dccp'
}

function nftTransport({ module, sport, dport, flags }: Of<'transport'>, diagnostics: Diagnostics): Pred[] {
  const preds: Pred[] = []
  if (flags && flags.mask !== 0n) {
    const pred = cmp(masked(field('tcp.flags'), flags.mask), flags.negated ? '!=' : '==', flags.value)
    preds.push(pred)
  }
  for (const [id, test] of [
    [`${module}.sport`, sport],
    [`${module}.dport`, dport],
  ] as const) {
    if (!test) continue
    if (!isFull(test)) preds.push(portPred(id, test))
    else if (test.negated)
      diagnostics.warning(
        'iptables/lost',
        'iptables-nft 1.8.9 loses `! 0:65535`: the rule matches as if it were not there',
        test.span,
      )
  }
  return preds
}

/** Matches that iptables-nft leaves to the kernel's xt modules, which see cut headers and fragments in their own way. */
function compatible(steps: readonly Step[]): Step[] {
  return seenBy(steps, 'xt-compat')
}

export function seenBy(steps: readonly Step[], view: ViewName): Step[] {
  return steps.map((step) => (step.kind === 'match' ? { ...step, view } : step))
}
