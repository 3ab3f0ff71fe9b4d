// `-m ipv6header`: which extension headers a packet has. Sources: ip6tables-extensions(8), what ip6tables 1.8.9 answers, and verdicts of the real
// tools (test/golden/netfilter).

import type { Diagnostics, Span } from '@netsieve/diag'
import { cmp, HEADER_BITS, masked, type Pred } from '@netsieve/ir'
import { splitAll } from '../shared/index.ts'
import type { Match } from './ast.ts'
import type { Option } from './matches.ts'

const { hopopt, routing, fragment, esp, ah, none, dstopts, protocol } = HEADER_BITS
const NAMES: Readonly<Record<string, number>> = {
  'hop-by-hop': hopopt, hop: hopopt, 0: hopopt, 'ipv6-opts': dstopts, dst: dstopts, 60: dstopts, 'ipv6-route': routing, route: routing, 43: routing,
  'ipv6-frag': fragment, frag: fragment, 44: fragment, auth: ah, 51: ah, esp, 50: esp, 'ipv6-nonxt': none, none, 59: none, protocol, prot: protocol,
} // biome-ignore format: names of headers

/** The match, from all its options: with `--soft` a packet may have other headers too. Undefined after an error. */
export function readHeaders(options: readonly Option[], span: Span, diagnostics: Diagnostics): Match | undefined {
  const option = options.find(({ name }) => name === 'header')
  if (!option) {
    diagnostics.error('iptables/match', 'ipv6header needs --header', span, { expected: ['--header HEADER,…'] })
    return undefined
  }
  let bits = 0
  for (const part of splitAll(option.values[0]!, ',')) {
    const bit = Object.hasOwn(NAMES, part.text) ? NAMES[part.text]! : undefined
    if (bit === undefined) {
      diagnostics.error('iptables/value', `\`${part.text}\` is no header of IPv6`, part.span, {
        expected: Object.keys(NAMES),
      })
      return undefined
    }
    bits |= bit
  }
  const soft = options.some(({ name }) => name === 'soft')
  const { negated } = option
  const term = { kind: 'headers' } as const
  // Of none of them with `--soft`, not: "not all of them".
  const pred: Pred = soft ? cmp(masked(term, BigInt(bits)), '==', negated ? 0 : bits) : cmp(term, negated ? '!=' : '==', bits) // biome-ignore format: one choice
  return { kind: 'header', module: 'ipv6header', tests: [{ kind: 'pred', pred }], span }
}
