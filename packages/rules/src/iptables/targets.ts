// Targets of iptables that do more than accept, drop or go on to a chain.
// Sources: iptables-extensions(8), what the programs answer, and verdicts of the real tools (test/golden/state).

import type { Diagnostics, Span } from '@netsieve/diag'
import { field, type Term } from '@netsieve/ir'
import { IPPROTO, type MetadataId } from '@netsieve/packet'
import { type IpFamily, readNumber, split, type Word } from '../shared/index.ts'
import type { Target } from './ast.ts'
import { readSetTarget } from './ipset-target.ts'
import type { Option } from './matches.ts'
import type { OptionRow } from './options.ts'
import { readTold, TOLD_OPTIONS } from './told.ts'

const one = (...names: readonly string[]): OptionRow[] => names.map((name) => ({ names: [name], min: 1, max: 1 }))
const two = (...names: readonly string[]): OptionRow[] => names.map((name) => ({ names: [name], min: 2, max: 2 }))
const none = (...names: readonly string[]): OptionRow[] => names.map((name) => ({ names: [name], min: 0, max: 0 }))

/** Targets that are understood, with their options. */
export const TARGET_OPTIONS: Readonly<Record<string, readonly OptionRow[]>> = {
  REJECT: one('reject-with'),
  NFQUEUE: [...one('queue-num', 'queue-balance'), ...none('queue-bypass', 'queue-cpu-fanout')],
  MARK: one('set-mark', 'set-xmark', 'and-mark', 'or-mark', 'xor-mark'),
  CONNMARK: [
    ...one('set-mark', 'set-xmark', 'and-mark', 'or-mark', 'xor-mark'),
    ...none('save-mark', 'restore-mark'),
    ...one('nfmask', 'ctmask', 'mask', 'left-shift-mark', 'right-shift-mark'),
  ],
  CLASSIFY: one('set-class'),
  NOTRACK: [],
  SET: [
    ...two('add-set', 'del-set', 'map-set'),
    ...one('timeout'),
    ...none('exist', 'map-mark', 'map-prio', 'map-queue'),
  ],
  ...TOLD_OPTIONS,
}

/** CT_STATES: a packet that connection tracking leaves alone. */
const UNTRACKED = 64n

const ALL = 0xffffffffn
const constant = (value: bigint): Term => ({ kind: 'const', value })

/** A target with its options as steps, or undefined after saying what is wrong. */
export function readTarget(
  name: Word,
  options: readonly Option[],
  context: TargetContext,
  diagnostics: Diagnostics,
): Target | undefined {
  const { span } = name
  const wrong = (message: string, at: Span = span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/target', message, at, { ...(expected && { expected }) })
    return undefined
  }
  const given = (option: string) => options.find((each) => each.name === option)
  switch (name.text) {
    case 'NOTRACK':
    case 'CT':
      if (name.text === 'CT' && !given('notrack')) return readTold(name, options, context, diagnostics)
      return { kind: 'steps', steps: [{ kind: 'set', field: 'ct.state', term: constant(UNTRACKED), span }], span }
    case 'REJECT': {
      const answer = given('reject-with')?.values[0]
      const known = ANSWERS[context.family]
      const text = answer
        ? known[answer.text]
        : context.family === 'ipv4'
          ? 'icmp port-unreachable'
          : 'icmpv6 port-unreachable'
      if (text === undefined) return wrong(`\`${answer!.text}\` is no answer`, answer!.span, Object.keys(known))
      if (text === 'tcp reset' && context.protocol !== BigInt(IPPROTO.tcp))
        return wrong('a TCP reset needs -p tcp', answer!.span)
      return {
        kind: 'steps',
        steps: [{ kind: 'verdict', verdict: { kind: 'act', act: 'reject', args: [text] }, span }],
        span,
      }
    }
    case 'NFQUEUE': {
      if (given('queue-cpu-fanout') && !given('queue-balance'))
        return wrong('--queue-cpu-fanout needs --queue-balance', given('queue-cpu-fanout')!.span)
      const args = readQueues(given('queue-num'), given('queue-balance'), diagnostics)
      if (args === undefined) return undefined
      const act = given('queue-bypass') ? ('queue-bypass' as const) : ('queue' as const)
      return { kind: 'steps', steps: [{ kind: 'verdict', verdict: { kind: 'act', act, args: [args] }, span }], span }
    }
    case 'CLASSIFY': {
      const word = given('set-class')?.values[0]
      const found = word && /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(word.text)
      if (!found) return wrong('CLASSIFY needs --set-class with a class such as 1:10', word?.span ?? span)
      const value = (BigInt(`0x${found[1]}`) << 16n) | BigInt(`0x${found[2]}`)
      return { kind: 'steps', steps: [{ kind: 'set', field: 'meta.priority', term: constant(value), span }], span }
    }
    case 'SET':
      return readSetTarget(name, options, diagnostics)
    case 'MARK':
    case 'CONNMARK':
      return readMark(name, options, diagnostics)
    default:
      return readTold(name, options, context, diagnostics)
  }
}

/** `5`, or `5-7` of a `--queue-balance 5:7`; the first queue if neither is given. Undefined after an error. */
function readQueues(one: Option | undefined, more: Option | undefined, diagnostics: Diagnostics): string | undefined {
  const option = more ?? one
  if (!option) return '0'
  const [word] = option.values as readonly [Word]
  const limits = { what: 'a queue', max: 0xffff, octal: true }
  const wrong = (message: string, at: Span): undefined => {
    diagnostics.error('iptables/target', message, at, { expected: ['--queue-num NUMBER', '--queue-balance FIRST:LAST'] }) // biome-ignore format: one call
    return undefined
  }
  if (one && more) return wrong('NFQUEUE takes one of --queue-num and --queue-balance', more.span)
  if (one) return readNumber(word, limits, diagnostics)?.toString()
  const [first, last] = split(word, ':')
  if (!last) return wrong(`\`${word.text}\` is no range of queues`, word.span)
  const [from, to] = [readNumber(first, limits, diagnostics), readNumber(last, limits, diagnostics)]
  if (from === undefined || to === undefined) return undefined
  return from < to ? `${from}-${to}` : wrong('this range ends before it starts', word.span)
}

export interface TargetContext {
  readonly family: IpFamily
  /** The protocol that the rule asks for. */
  readonly protocol: bigint | undefined
}

/** Answers of REJECT by their names, with those that they are short for. */
const ANSWERS: Readonly<Record<IpFamily, Readonly<Record<string, string>>>> = {
  ipv4: {
    'icmp-net-unreachable': 'icmp net-unreachable',
    'net-unreach': 'icmp net-unreachable',
    'icmp-host-unreachable': 'icmp host-unreachable',
    'host-unreach': 'icmp host-unreachable',
    'icmp-proto-unreachable': 'icmp prot-unreachable',
    'proto-unreach': 'icmp prot-unreachable',
    'icmp-port-unreachable': 'icmp port-unreachable',
    'port-unreach': 'icmp port-unreachable',
    'icmp-net-prohibited': 'icmp net-prohibited',
    'net-prohib': 'icmp net-prohibited',
    'icmp-host-prohibited': 'icmp host-prohibited',
    'host-prohib': 'icmp host-prohibited',
    'icmp-admin-prohibited': 'icmp admin-prohibited',
    'admin-prohib': 'icmp admin-prohibited',
    'tcp-reset': 'tcp reset',
    'tcp-rst': 'tcp reset',
  },
  ipv6: {
    'icmp6-no-route': 'icmpv6 no-route',
    'no-route': 'icmpv6 no-route',
    'icmp6-adm-prohibited': 'icmpv6 admin-prohibited',
    'adm-prohibited': 'icmpv6 admin-prohibited',
    'icmp6-addr-unreachable': 'icmpv6 addr-unreachable',
    'addr-unreach': 'icmpv6 addr-unreachable',
    'icmp6-port-unreachable': 'icmpv6 port-unreachable',
    'port-unreach': 'icmpv6 port-unreachable',
    'icmp6-policy-fail': 'icmpv6 policy-fail',
    'policy-fail': 'icmpv6 policy-fail',
    'icmp6-reject-route': 'icmpv6 reject-route',
    'reject-route': 'icmpv6 reject-route',
    'tcp-reset': 'tcp reset',
  },
}

/** Which bits of the two marks `--save-mark` and `--restore-mark` are about. */
const MASKS: readonly string[] = ['nfmask', 'ctmask', 'mask']

/** A mark without the bits of a mask, exclusively with bits of the other mark. */
function carried(to: MetadataId, cleared: bigint, from: MetadataId, taken: bigint): Term {
  const under = (id: MetadataId, bits: bigint): Term =>
    bits === ALL ? field(id) : { kind: 'bin', op: 'and', left: field(id), right: constant(bits) }
  const other = under(from, taken)
  return cleared === ALL ? other : { kind: 'bin', op: 'xor', left: under(to, ALL ^ cleared), right: other }
}

/** MARK and CONNMARK: the bits of a mask are cleared, then the value is taken exclusively with them. */
function readMark(name: Word, options: readonly Option[], diagnostics: Diagnostics): Target | undefined {
  const { span } = name
  const conn = name.text === 'CONNMARK'
  const target: MetadataId = conn ? 'ct.mark' : 'meta.mark'
  const given = (name: string) => options.find((each) => each.name === name)
  const shift = given('left-shift-mark') ?? given('right-shift-mark')
  if (shift) return { kind: 'unsupported', what: `--${shift.name}`, name: name.text, span: shift.span }
  const masks = options.filter(({ name }) => MASKS.includes(name))
  const [option, more] = options.filter((each) => !masks.includes(each))
  const [which] = masks
  if (which && option?.name !== 'save-mark' && option?.name !== 'restore-mark') {
    diagnostics.error('iptables/target', `--${which.name} is for --save-mark and --restore-mark`, which.span)
    return undefined
  }
  if (!option || more) {
    diagnostics.error('iptables/target', `${name.text} takes one of its options`, more?.span ?? span, {
      expected: TARGET_OPTIONS[name.text]!.map((each) => `--${each.names[0]}`),
    })
    return undefined
  }
  const steps = (to: MetadataId, term: Term): Target => ({
    kind: 'steps',
    steps: [{ kind: 'set', field: to, term, span }],
    span,
  })
  if (option.name === 'save-mark' || option.name === 'restore-mark') {
    const bits = (side: string) => {
      const word = (given(side) ?? given('mask'))?.values[0]
      return word ? readNumber(word, { what: 'a mask', max: ALL, octal: true }, diagnostics) : ALL
    }
    const [nf, ct] = [bits('nfmask'), bits('ctmask')]
    if (nf === undefined || ct === undefined) return undefined
    return option.name === 'save-mark'
      ? steps('ct.mark', carried('ct.mark', ct, 'meta.mark', nf))
      : steps('meta.mark', carried('meta.mark', nf, 'ct.mark', ct))
  }
  const [word, maskWord] = split(option.values[0]!, '/')
  const masked = option.name === 'set-mark' || option.name === 'set-xmark'
  const value = readNumber(word, { what: 'a mark', max: ALL, octal: true }, diagnostics)
  const mask = maskWord && masked ? readNumber(maskWord, { what: 'a mask', max: ALL, octal: true }, diagnostics) : ALL
  if (maskWord && !masked) diagnostics.error('iptables/target', `--${option.name} takes no mask`, maskWord.span)
  if (value === undefined || mask === undefined || (maskWord && !masked)) return undefined
  const kept: Record<string, bigint> = {
    'set-mark': ALL ^ (mask | value),
    'set-xmark': ALL ^ mask,
    'and-mark': value,
    'or-mark': ALL ^ value,
    'xor-mark': ALL,
  }
  const added = option.name === 'and-mark' ? 0n : value
  const keep = kept[option.name]!
  if (keep === 0n) return steps(target, constant(added))
  const left: Term =
    keep === ALL ? field(target) : { kind: 'bin', op: 'and', left: field(target), right: constant(keep) }
  return steps(target, added === 0n ? left : { kind: 'bin', op: 'xor', left, right: constant(added) })
}
