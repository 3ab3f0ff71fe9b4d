// One identifier from its tokens: an address with or without a mask, a number, a name.

import { at, type Span } from '@netsieve/diag'
import { prefixMask } from '@netsieve/packet'
import type { Identifier } from './ast.ts'
import { Fault } from './fault.ts'
import type { Token } from './tokens.ts'

/** Reads an identifier from the next three tokens; `used` says how many belong to it. @throws Fault */
export function readIdentifier(
  tokens: readonly Token[],
  decnet: boolean,
): { readonly id: Identifier; readonly used: number } {
  const [token, second, third] = tokens
  const slash = second?.kind === 'mark' && second.text === '/'
  const mask = second?.kind === 'keyword' && second.text === 'mask'
  switch (token!.kind) {
    case 'number':
      return { id: { form: 'number', value: token!.value }, used: 1 }
    case 'dotted': {
      const { text } = token!
      if (decnet && !slash && !mask) return { id: decnetAddress(text, token!.span), used: 1 }
      const { value, bits } = dotted(text, token!.span)
      if (slash) return { id: { form: 'ipv4 prefix', value, bits, length: prefixLength(third, 32) }, used: 3 }
      if (mask) return { id: { form: 'ipv4 mask', value, bits, mask: dottedMask(third) }, used: 3 }
      return { id: { form: 'ipv4', value, bits, text }, used: 1 }
    }
    case 'ipv6': {
      const { value } = token!
      if (!slash) return { id: { form: 'ipv6', value, length: 128, slash: false }, used: 1 }
      return { id: { form: 'ipv6', value, length: prefixLength(third, 128), slash: true }, used: 3 }
    }
    case 'mac':
      return { id: { form: 'mac', value: token!.value }, used: 1 }
    case 'arcnet':
      return { id: { form: 'arcnet', text: token!.text }, used: 1 }
    default:
      return { id: { form: 'name', text: token!.text }, used: 1 }
  }
}

/** `10.0.0.1`, or the first numbers of an address: `172.16`. Decimal whatever zeros lead, each at most 255. */
function dotted(text: string, span: Span): { readonly value: bigint; readonly bits: number } {
  const parts = text.split('.')
  let start = span.start
  for (const part of parts) {
    if (Number(part) > 255) {
      const where = at(span.source, start, start + part.length)
      throw new Fault('rules/address', `${part} is above 255, in the address ${text}`, where)
    }
    start += part.length + 1
  }
  return { value: parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n), bits: parts.length * 8 }
}

function decnetAddress(text: string, span: Span): Identifier {
  const parts = text.split('.').map(Number)
  const [area, node] = parts
  if (parts.length !== 2 || area! > 63 || node! > 1023)
    throw new Fault('rules/address', `\`${text}\` is not a DECnet address`, span, {
      expected: ['area.node, up to 63.1023'],
    })
  return { form: 'decnet', value: (area! << 10) | node! }
}

function prefixLength(token: Token | undefined, bits: 32 | 128): number {
  const expected = [`a prefix length from 0 to ${bits}`]
  if (token?.kind !== 'number')
    throw new Fault('rules/prefix', `\`${token?.text ?? ''}\` is not a prefix length`, token?.span, { expected })
  if (token.value > bits)
    throw new Fault('rules/prefix', `a prefix of ${token.text} bits does not fit ${bits}`, token.span, { expected })
  return token.value
}

/** A mask in dots, contiguous or not; missing numbers at its end are 0. */
function dottedMask(token: Token | undefined): bigint {
  const expected = ['a mask such as 255.255.0.0']
  if (token?.kind !== 'dotted')
    throw new Fault('rules/prefix', `\`${token?.text ?? ''}\` is not a mask`, token?.span, { expected })
  const { value, bits } = dotted(token.text, token.span)
  return value << BigInt(32 - bits)
}

/** The address of 1 to 4 dotted numbers, padded with zeros, and the mask of the numbers that were given. */
export function padded(value: bigint, bits: number): { readonly value: bigint; readonly mask: bigint } {
  return { value: value << BigInt(32 - bits), mask: prefixMask(bits, 32) }
}
