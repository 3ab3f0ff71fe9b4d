// Matches of iptables that look at addresses: iprange, and addrtype, which asks routing for their types. Of some addresses the type is
// certain; that of others is metadata.

import type { Diagnostics } from '@netsieve/diag'
import { ADDRESS_TYPES } from '@netsieve/packet'
import { CERTAIN_TYPES, type IpFamily, readAddress, split, splitAll, type Word } from '../shared/index.ts'
import type { HeaderTest } from './ast.ts'

type Side = 'src' | 'dst'

/** `192.0.2.1-192.0.2.9`, or one address. Undefined after an error. */
export function readAddressRange(
  side: Side,
  word: Word,
  family: IpFamily,
  diagnostics: Diagnostics,
): HeaderTest | undefined {
  const [first, second] = split(word, '-')
  const lo = readAddress(first, diagnostics, family)?.value
  const hi = second ? readAddress(second, diagnostics, family)?.value : lo
  if (lo === undefined || hi === undefined) return undefined
  if (lo <= hi) return { kind: 'field', field: `${family}.${side}`, test: { lo, hi } }
  diagnostics.error('rules/range', 'this range ends before it starts', word.span)
  return undefined
}

/** Types whose meaning in IPv6 is that of IPv4, one at a time. */
const IPV6_TYPES: readonly string[] = ['local', 'multicast', 'anycast', 'unreachable']

/** `LOCAL`, `MULTICAST,BROADCAST`. Undefined after an error. */
export function readAddressTypes(
  side: Side,
  word: Word,
  family: IpFamily,
  diagnostics: Diagnostics,
): HeaderTest | undefined {
  const types: number[] = []
  const parts = splitAll(word, ',')
  for (const part of parts) {
    const name = part.text.toLowerCase()
    if (!Object.hasOwn(ADDRESS_TYPES, name)) {
      const expected = Object.keys(ADDRESS_TYPES).map((each) => each.toUpperCase())
      diagnostics.error('iptables/name', `\`${part.text}\` is no type of address`, part.span, { expected })
      return undefined
    }
    if (family === 'ipv6' && (parts.length > 1 || !IPV6_TYPES.includes(name))) {
      diagnostics.error('iptables/unsupported', 'unsupported: this type, or several, of IPv6 addresses', part.span, {
        expected: IPV6_TYPES.map((each) => each.toUpperCase()),
      })
      return undefined
    }
    types.push(ADDRESS_TYPES[name as keyof typeof ADDRESS_TYPES])
  }
  return addressType(side, types, family)
}

/** An address is of one of these types. */
function addressType(side: Side, types: readonly number[], family: IpFamily): HeaderTest {
  const field = `${family}.${side}` as const
  const ranges = CERTAIN_TYPES[family].map(({ type, lo, hi }) => ({ type, test: { kind: 'field', field, test: { lo, hi } } as const })) // biome-ignore format: one call
  const certain = ranges.filter(({ type }) => types.includes(type)).map(({ test }) => test)
  // Every multicast address is told by itself.
  const asked = types.filter((type) => type !== ADDRESS_TYPES.multicast)
  if (asked.length === 0) return { kind: 'any', tests: certain }
  const told = `fib.${side === 'src' ? 'saddr' : 'daddr'}.type` as const
  const others = ranges.map(({ test }): HeaderTest => ({ ...test, negated: true }))
  const values = asked.map((type): HeaderTest => ({ kind: 'field', field: told, test: { lo: BigInt(type), hi: BigInt(type) } })) // biome-ignore format: one call
  return { kind: 'any', tests: [...certain, { kind: 'all', tests: [...others, { kind: 'any', tests: values }] }] }
}
