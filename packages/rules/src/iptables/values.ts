// Values of iptables options: address lists, ports, port lists, TCP flags. Numbers are read as strtoul(3) does, octal after a 0.

import type { Diagnostics } from '@netsieve/diag'
import {
  filledUp,
  type IpFamily,
  type Network,
  parseNumber,
  part,
  readNetwork,
  readPortRange,
  splitAll,
  type Word,
} from '../shared/index.ts'
import { TCP_FLAGS } from './options.ts'

/** `10.0.0.0/8,192.0.2.1`: bits outside a mask are cut off, as iptables does. */
export function readAddresses(
  word: Word,
  family: IpFamily,
  negated: boolean,
  diagnostics: Diagnostics,
): Network[] | undefined {
  const words = splitAll(word, ',')
  if (negated && words.length > 1) {
    diagnostics.error('iptables/negation', '! is not allowed with a list of addresses', word.span)
    return undefined
  }
  const networks = words.map((each) => readNetwork(family === 'ipv4' ? filledUp(each) : each, diagnostics, { family }))
  if (networks.some((network) => network === undefined)) return undefined
  return (networks as Network[]).map(({ family, value, mask }) => ({ family, value: value & mask, mask }))
}

/** `80`, `http`, `1024:65535`, `:1023`, `1024:`. */
export function readPortTest(word: Word, transport: string | undefined, diagnostics: Diagnostics) {
  return readPortRange(word, diagnostics, { separator: ':', open: true, transport, octal: true })
}

/** `80,443,8000:8080`: at most 15 ports, a range counts twice. */
export function readPorts(word: Word, transport: string | undefined, diagnostics: Diagnostics) {
  const words = splitAll(word, ',')
  const slots = words.reduce((sum, each) => sum + (each.text.includes(':') ? 2 : 1), 0)
  if (slots > 15) {
    diagnostics.error('iptables/ports', 'multiport takes 15 ports at most, a range counts as two', word.span)
    return undefined
  }
  const options = { separator: ':', transport, octal: true }
  const ranges = words.map((each) => readPortRange(each, diagnostics, options))
  return ranges.every((range) => range !== undefined) ? ranges : undefined
}

/** `--tcp-flags MASK FLAGS`: names joined by commas, ALL, NONE, or a number. */
export function readFlags(mask: Word, flags: Word, diagnostics: Diagnostics) {
  const [m, f] = [readFlagList(mask, diagnostics), readFlagList(flags, diagnostics)]
  return m === undefined || f === undefined ? undefined : { mask: m, value: f }
}

function readFlagList(word: Word, diagnostics: Diagnostics): bigint | undefined {
  const number = parseNumber(word.text, true)
  if (number !== undefined && number <= 255n) return number
  let value = 0n
  for (const each of splitAll(word, ',')) {
    const bit = TCP_FLAGS[each.text.toUpperCase()]
    if (bit === undefined) {
      const expected = Object.keys(TCP_FLAGS)
      diagnostics.error('iptables/flags', `\`${each.text}\` is no TCP flag`, part(each, 0).span, { expected })
      return undefined
    }
    value |= bit
  }
  return value
}
