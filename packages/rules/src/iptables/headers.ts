// Matches of iptables that look at one header: what their options ask of its fields. Sources: iptables-extensions(8), the modules' help texts.

import type { Diagnostics } from '@netsieve/diag'
import { cmp, not, type Pred } from '@netsieve/ir'
import { type FieldId, type ListName, VALUE_NAMES } from '@netsieve/packet'
import { type IpFamily, parseNumber, split, type Word } from '../shared/index.ts'
import { readAddressRange, readAddressTypes } from './addresses.ts'
import type { HeaderTest } from './ast.ts'
import {
  ROUTE_RESERVED,
  readMobility,
  readOptions,
  readRoute,
  readSegment,
  readSegmentNumber,
  SEGMENTS,
} from './extensions.ts'
import type { OptionRow } from './options.ts'

/** `invert`: the test of the header itself is turned round. `nothing`: it changes no answer. */
type Read = (word: Word | undefined, family: IpFamily, diagnostics: Diagnostics, negated?: boolean) => HeaderTest | 'invert' | 'nothing' | undefined // biome-ignore format: one type

interface HeaderModule {
  /** The family it is for, where there is but one. */
  readonly only?: IpFamily
  /** What its header is: looked for before any option is asked. */
  readonly header?: (family: IpFamily) => readonly HeaderTest[]
  /** It needs `-p` of this protocol; in one family only, if so said. */
  readonly protocol?: {
    readonly number: bigint
    readonly name: string
    readonly in?: IpFamily /** Its options want `-m` too, unless `-p` has this very name. */
    readonly named?: true
  }
  /** A header chain that cannot be followed has no such header, and drops no packet. */
  readonly mild?: true
  /** Options of which a rule has one at most. */
  readonly alone?: readonly (readonly string[])[]
  /** What an option wants before it. */
  readonly after?: Readonly<Record<string, readonly [string, (tests: readonly HeaderTest[]) => boolean]>>
  readonly options: Readonly<Record<string, { readonly values: 0 | 1; readonly negatable?: true; readonly read: Read }>>
}

const entry = (list: ListName, type: number): HeaderTest => ({ kind: 'entry', list, type })
const whole = (field: FieldId, bits: number): HeaderTest => ({ kind: 'field', field, test: { lo: 0n, hi: (1n << BigInt(bits)) - 1n } }) // biome-ignore format: one value
const range = (field: FieldId, lo: bigint, hi: bigint): HeaderTest => ({ kind: 'field', field, test: { lo, hi } })
const is = (field: FieldId, value: bigint): HeaderTest => range(field, value, value)

/** `N`, `N:M`, `:M`, `N:` up to `max`, octal after a 0. */
function numbers(
  word: Word,
  max: bigint,
  diagnostics: Diagnostics,
  ranges = true,
): { lo: bigint; hi: bigint } | undefined {
  const [first, second] = ranges ? split(word, ':') : [word, undefined]
  const read = (part: Word, open: bigint) => (part.text === '' && second ? open : parseNumber(part.text, true))
  const lo = read(first, 0n)
  const hi = second ? read(second, max) : lo
  if (lo !== undefined && hi !== undefined && hi <= max && lo <= hi) return { lo, hi }
  const what = `a number up to ${max}`
  diagnostics.error('iptables/value', `\`${word.text}\` is not ${what}${ranges ? ' or a range' : ''}`, word.span, {
    expected: [what, ...(ranges ? ['FIRST:LAST'] : [])],
  })
  return undefined
}

const inRange =
  (field: FieldId, max: bigint): Read =>
  (word, _, diagnostics) => {
    const found = numbers(word!, max, diagnostics)
    return found && range(field, found.lo, found.hi)
  }

const single =
  (field: (family: IpFamily) => FieldId, max: bigint): Read =>
  (word, family, diagnostics) => {
    const found = numbers(word!, max, diagnostics, false)
    return found && is(field(family), found.lo)
  }

/** Bytes of a header whose length field counts `unit` bytes and leaves `less` of them out: lengths between say nothing true. */
const bytesOf =
  (field: FieldId, unit: bigint, less: bigint): Read =>
  (word, _, diagnostics) => {
    const found = numbers(word!, 0xffffffffn, diagnostics, false)
    if (!found) return undefined
    const units = found.lo / unit - less
    const fits = found.lo % unit === 0n && units >= 0n && units <= 255n
    return fits ? is(field, units) : { kind: 'field', field, test: { lo: 1n, hi: 0n } }
  }

/** Of a routing header, an options header or AH the fixed part is there before anything is asked. */
const EXTENSION = {
  frag: () => [entry('ipv6', 44)],
  hbh: () => [entry('ipv6', 0)],
  dst: () => [entry('ipv6', 60)],
  rt: () => [entry('ipv6', 43)],
} as const

const compared = (field: FieldId): HeaderModule['options'] => {
  const name = field === 'ipv4.ttl' ? 'ttl' : 'hl'
  const than =
    (test: (value: bigint) => readonly [bigint, bigint]): Read =>
    (word, _, diagnostics) => {
      const found = numbers(word!, 255n, diagnostics, false)
      return found && range(field, ...test(found.lo))
    }
  return {
    [`${name}-eq`]: { values: 1, negatable: true, read: than((value) => [value, value]) },
    [`${name}-lt`]: { values: 1, read: than((value) => [0n, value - 1n]) },
    [`${name}-gt`]: { values: 1, read: than((value) => [value + 1n, 255n]) },
  }
}

const tosField = (family: IpFamily): FieldId => (family === 'ipv4' ? 'ipv4.tos' : 'ipv6.tclass')
const TOS = { 'minimize-delay': 16n, 'maximize-throughput': 8n, 'maximize-reliability': 4n, 'minimize-cost': 2n, 'normal-service': 0n } as const // biome-ignore format: one family

/** `--tos`, `--set-tos`: a name, a number, or one with a mask. */
export const readTos: Read = (word, family, diagnostics) => {
  const named = Object.entries(TOS).find(([name]) => name === word!.text.toLowerCase())
  if (named) return { kind: 'field', field: tosField(family), test: { value: named[1], mask: 0x3fn } }
  const [value, mask] = split(word!, '/')
  const found = numbers(value, 255n, diagnostics, false)
  const bits = mask ? numbers(mask, 255n, diagnostics, false) : { lo: 255n }
  return found && bits && { kind: 'field', field: tosField(family), test: { value: found.lo, mask: bits.lo } }
}

/** `--dscp-class`, `--set-dscp-class`: `CS1`, `AF11`, `EF`, `BE`. */
export const readDscpClass: Read = (word, family, diagnostics) => {
  const classes: Readonly<Record<string, number>> = { ...VALUE_NAMES.dscp, be: 0 }
  const value = classes[word!.text.toLowerCase()]
  const field = family === 'ipv4' ? 'ipv4.dscp' : 'ipv6.dscp'
  if (value !== undefined) return is(field, BigInt(value))
  diagnostics.error('iptables/value', `\`${word!.text}\` is no DSCP class`, word!.span, {
    expected: Object.keys(classes),
  })
  return undefined
}

const asked = (pred: Pred | undefined): HeaderTest | undefined => pred && { kind: 'pred', pred }
/** The addresses of a source route are those of a header of type 0. */
const OF_TYPE_0 = ['--rt-type 0', (tests: readonly HeaderTest[]) => tests.some((test) => !test.negated && test.kind === 'field' && test.field === 'routing.type' && 'lo' in test.test && test.test.hi === 0n)] as const // biome-ignore format: one row

const SEGMENT_NUMBERS = { 'hdr-len': 'routing.length', 'segs-left': 'routing.left', 'last-entry': 'srh.last' } as const
const THAN = ['eq', 'gt', 'lt'] as const
/** Numbers of the header of segment routing. */
const segmentNumbers: HeaderModule['options'] = Object.fromEntries(
  Object.entries(SEGMENT_NUMBERS).flatMap(
    ([name, field]) =>
    THAN.map((than) => [`srh-${name}-${than}`, { values: 1, negatable: true, read: (word, _, diagnostics) => asked(readSegmentNumber(field, than, word!, diagnostics)) }]), // biome-ignore format: one row
  ),
)
/** Addresses of segments: where there is none, the rule does not match, turned round or not. */
const segment = (which: 'psid' | 'nsid' | 'lsid'): HeaderModule['options'][string] => ({
  values: 1,
  negatable: true,
  read: (word, _, diagnostics, negated) => {
    const pred = readSegment(which, word!, negated ?? false, diagnostics)
    return pred && { kind: 'pred', pred: negated ? not(pred) : pred }
  },
})

const bit = (...tests: readonly HeaderTest[]): { readonly values: 0; readonly read: Read } => ({
  values: 0,
  read: () => ({ kind: 'all', tests }),
})
const negatable = (read: Read) => ({ values: 1, negatable: true, read }) as const

/** A bit of TCP's flags, in a header that is whole. */
const tcpBit = (mask: bigint): { readonly values: 0; readonly negatable: true; readonly read: Read } => ({ values: 0, negatable: true, read: () => ({ kind: 'bit', offset: 13, mask, bytes: 20 }) }) // biome-ignore format: one value
const ECN_TCP = { 'ecn-tcp-cwr': tcpBit(0x80n), 'ecn-tcp-ece': tcpBit(0x40n) } as const

export const HEADER_MODULES: Readonly<Record<string, HeaderModule>> = {
  ttl: { only: 'ipv4', options: compared('ipv4.ttl'), alone: [THAN.map((than) => `ttl-${than}`)] },
  hl: { only: 'ipv6', options: compared('ipv6.hoplimit'), alone: [THAN.map((than) => `hl-${than}`)] },
  tos: { options: { tos: negatable(readTos) } },
  dscp: {
    options: {
      dscp: negatable(single((family) => (family === 'ipv4' ? 'ipv4.dscp' : 'ipv6.dscp'), 63n)),
      'dscp-class': negatable(readDscpClass),
    },
  },
  iprange: {
    options: {
      'src-range': negatable((word, family, diagnostics) => readAddressRange('src', word!, family, diagnostics)),
      'dst-range': negatable((word, family, diagnostics) => readAddressRange('dst', word!, family, diagnostics)),
    },
  },
  addrtype: {
    options: {
      'src-type': negatable((word, family, diagnostics) => readAddressTypes('src', word!, family, diagnostics)),
      'dst-type': negatable((word, family, diagnostics) => readAddressTypes('dst', word!, family, diagnostics)),
    },
  },
  rpfilter: {
    header: () => [is('fib.reverse', 1n)],
    options: {
      invert: { values: 0, read: () => 'invert' },
      // How the kernel looks for the way back: whether there is one is told.
      validmark: { values: 0, read: () => 'nothing' },
      'accept-local': { values: 0, read: () => 'nothing' },
    },
  },
  tcpmss: {
    protocol: { number: 6n, name: 'tcp' },
    options: {
      mss: negatable((word, _, diagnostics) => {
        const found = numbers(word!, 0xffffn, diagnostics)
        return found && { kind: 'all', tests: [entry('tcp', 2), { kind: 'whole', type: 2, bytes: 4n }, is('tcp_maxseg.length', 4n), range('tcp_maxseg.size', found.lo, found.hi)] } // biome-ignore format: one value
      }),
    },
  },
  ecn: {
    options: {
      ...ECN_TCP,
      'ecn-ip-ect': negatable(single((family) => (family === 'ipv4' ? 'ipv4.ecn' : 'ipv6.ecn'), 3n)),
    },
  },
  esp: {
    header: () => [whole('esp.spi', 32)],
    protocol: { number: 50n, name: 'esp' },
    options: { espspi: negatable(inRange('esp.spi', 0xffffffffn)) },
  },
  ah: {
    header: (family) => [family === 'ipv4' ? whole('ah.spi', 32) : entry('ipv6', 51)],
    protocol: { number: 51n, name: 'ah', in: 'ipv4' },
    options: {
      ahspi: negatable((word, family, diagnostics) => inRange(family === 'ipv4' ? 'ah.spi' : 'ah6.spi', 0xffffffffn)(word, family, diagnostics)), // biome-ignore format: one call
      ahlen: negatable(bytesOf('ah6.length', 4n, 2n)),
      ahres: bit(is('ah6.reserved', 0n)),
    },
  },
  frag: {
    only: 'ipv6',
    header: EXTENSION.frag,
    options: {
      fragid: negatable(inRange('fragment.id', 0xffffffffn)),
      fragres: bit(is('fragment.reserved', 0n), is('fragment.reserved2', 0n)),
      fragfirst: bit(is('fragment.fragoff', 0n)),
      fragmore: bit(is('fragment.mf', 1n)),
      fraglast: bit(is('fragment.mf', 0n)),
    },
  },
  hbh: {
    only: 'ipv6',
    header: EXTENSION.hbh,
    options: {
      'hbh-len': negatable(bytesOf('hopopt.length', 8n, 1n)),
      'hbh-opts': { values: 1, read: (word, _, diagnostics) => asked(readOptions('hopopt', word!, diagnostics)) },
    },
  },
  dst: {
    only: 'ipv6',
    header: EXTENSION.dst,
    options: {
      'dst-len': negatable(bytesOf('dstopts.length', 8n, 1n)),
      'dst-opts': { values: 1, read: (word, _, diagnostics) => asked(readOptions('dstopts', word!, diagnostics)) },
    },
  },
  rt: {
    only: 'ipv6',
    header: EXTENSION.rt,
    options: {
      'rt-type': negatable(single(() => 'routing.type', 255n)),
      'rt-segsleft': negatable(inRange('routing.left', 255n)),
      'rt-len': negatable(bytesOf('routing.length', 8n, 1n)),
      'rt-0-res': { values: 0, read: () => asked(ROUTE_RESERVED) },
      'rt-0-addrs': { values: 1, read: (word, _, diagnostics) => asked(readRoute(word!, diagnostics)) },
    },
    after: { 'rt-0-res': OF_TYPE_0, 'rt-0-addrs': OF_TYPE_0 },
  },
  mh: {
    only: 'ipv6',
    protocol: { number: 135n, name: 'mh', named: true },
    header: () => [entry('ipv6', 135), { kind: 'sound', pred: cmp('mobility.nexthdr', '==', 59) }],
    options: {
      'mh-type': negatable((word, _, diagnostics) => {
        const found = readMobility(word!, diagnostics)
        return found && range('mobility.type', found.lo, found.hi)
      }),
    },
  },
  srh: {
    only: 'ipv6',
    mild: true,
    header: () => [entry('ipv6', 43), { kind: 'pred', pred: SEGMENTS }],
    options: {
      'srh-next-hdr': negatable(single(() => 'routing.nexthdr', 255n)),
      ...segmentNumbers,
      // The number is compared as it lies in the memory of a little-endian machine.
      'srh-tag': negatable((word, _, diagnostics) => {
        const found = numbers(word!, 0xffffn, diagnostics, false)
        return found && is('srh.tag', ((found.lo & 0xffn) << 8n) | (found.lo >> 8n))
      }),
      'srh-psid': segment('psid'),
      'srh-nsid': segment('nsid'),
      'srh-lsid': segment('lsid'),
    },
    alone: Object.keys(SEGMENT_NUMBERS).map((name) => THAN.map((than) => `srh-${name}-${than}`)),
  },
}

/** Options of IPv6's AH that IPv4's does not have. */
export const ONLY_IPV6_OPTIONS: readonly string[] = ['ahlen', 'ahres']

/** Options of the modules, as rows of options.ts. */
export const HEADER_OPTIONS: Readonly<Record<string, readonly OptionRow[]>> = Object.fromEntries(
  Object.entries(HEADER_MODULES).map(([module, { options }]) => [
    module,
    Object.entries(options).map(([name, { values, negatable: can }]): OptionRow => {
      const names = { 'ttl-eq': 'ttl-eq ttl', 'hl-eq': 'hl-eq hl' }[name] ?? name
      return { names: names.split(' ') as [string], min: values, max: values, ...(can && { negatable: true }) }
    }),
  ]),
)

/** Words of `--dccp-types`. */
export function readDccpTypes(word: Word, diagnostics: Diagnostics): bigint[] | undefined {
  const names: Readonly<Record<string, number>> = { ...VALUE_NAMES.dccptype, invalid: 10 }
  const out: bigint[] = []
  for (const name of word.text.split(',')) {
    const type = names[name.toLowerCase()]
    if (type === undefined || type > 9) {
      diagnostics.error('iptables/value', `\`${name}\` is no DCCP packet type that is understood`, word.span, { expected: Object.keys(VALUE_NAMES.dccptype) }) // biome-ignore format: one message
      return undefined
    }
    out.push(BigInt(type))
  }
  return out
}
