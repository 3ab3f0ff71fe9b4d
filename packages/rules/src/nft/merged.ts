// A trap of nft 1.0.6: it loads neighbouring header fields of a rule as one and compares them as one, in whichever order they are written.
// For `!=` that is another filter: `tcp sport != 80 tcp dport != 22` is sent to the kernel as "not both equal". What it joins was read off
// `nft --debug=netlink`: fields of one header that lie side by side, none of them a multiple of 32 bits, whatever stands between the matches.

import type { Diagnostics, Span } from '@netsieve/diag'
import type { Step } from '@netsieve/ir'
import { FIELDS, PROTOCOLS } from '@netsieve/packet'

/** Where a `!=` looks, in bits of one header. */
interface Place {
  readonly header: string
  readonly bit: number
  readonly bits: number
  readonly span?: Span
}

/** Warns of matches of a rule that nft 1.0.6 makes one of; here each is asked for by itself, as it is written. */
export function warnMerged(steps: readonly Step[], diagnostics: Diagnostics): void {
  let before: Place | undefined
  for (const step of steps) {
    if (step.kind !== 'match') continue
    const place = differs(step)
    if (!place) continue
    if (before && besides(before, place)) {
      const message =
        'nft 1.0.6 makes one comparison of this and the `!=` before it, true unless both are equal; here each is asked'
      diagnostics.warning('nft/merged', message, place.span)
    }
    before = place
  }
}

function differs({ pred, span }: Step & { kind: 'match' }): Place | undefined {
  if (pred.kind !== 'cmp' || pred.test !== '!=') return undefined
  const { term } = pred
  const at = span && { span }
  if (term.kind === 'raw' && !term.index) return { header: term.base, bit: term.bit, bits: term.bits, ...at }
  if (term.kind !== 'field') return undefined
  const { proto, bit, bits } = FIELDS[term.field]
  return PROTOCOLS[proto].base === 'meta' ? undefined : { header: proto, bit, bits, ...at }
}

function besides(a: Place, b: Place): boolean {
  const joined = a.bit + a.bits === b.bit || b.bit + b.bits === a.bit
  const whole = [a, b].every(({ bit, bits }) => bit % 8 === 0 && bits % 8 === 0 && bits % 32 !== 0)
  return a.header === b.header && joined && whole
}
