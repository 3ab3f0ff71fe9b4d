// Numbers of named services, IP protocols and Ethernet types, and back. The rows are in names.data.ts.

import { ETHERTYPE_ROWS, PROTOCOL_ROWS, SERVICE_ROWS } from './names.data.ts'

interface Names {
  readonly numbers: ReadonlyMap<string, number>
  readonly names: ReadonlyMap<number, string>
}

const cells = (rows: string) =>
  rows
    .trim()
    .split('\n')
    .map((row) => row.split(' '))

function names(rows: string, fold: boolean): Names {
  const numbers = new Map<string, number>()
  const back = new Map<number, string>()
  for (const [name, number, ...aliases] of cells(rows)) {
    const value = Number(number)
    if (!back.has(value)) back.set(value, name!)
    for (const each of [name!, ...aliases]) {
      if (!numbers.has(each)) numbers.set(each, value)
      const low = each.toLowerCase()
      if (fold && !numbers.has(low)) numbers.set(low, value)
    }
  }
  return { numbers, names: back }
}

interface Services {
  /** By `name/transport`, and by name alone. */
  readonly ports: ReadonlyMap<string, number>
  /** By `port/transport`. */
  readonly names: ReadonlyMap<string, string>
}

function services(): Services {
  const ports = new Map<string, number>()
  const back = new Map<string, string>()
  for (const [name, number, ...aliases] of cells(SERVICE_ROWS)) {
    const [port, protos] = number!.split('/')
    for (const proto of protos!.split(',')) {
      const key = `${port}/${proto}`
      if (!back.has(key)) back.set(key, name!)
      for (const each of [name!, ...aliases]) {
        if (!ports.has(`${each}/${proto}`)) ports.set(`${each}/${proto}`, Number(port))
        // Any transport: the row that comes first, as getservbyname(3) without a protocol.
        if (!ports.has(each)) ports.set(each, Number(port))
      }
    }
  }
  return { ports, names: back }
}

/** Made when it is first asked for: most rules have few names. */
function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** Names that nft and iptables know besides the registry's. */
const MORE_PROTOCOLS = 'ipv6-icmp 58 icmpv6 icmp6\nmobility-header 135 ipv6-mh mh'
const ofServices = once(services)
const ofProtocols = once(() => names(`${PROTOCOL_ROWS}${MORE_PROTOCOLS}`, true))
const ofEtherTypes = once(() => names(ETHERTYPE_ROWS, true))

/** The port of a service (`http`, or an alias: `www`), with a given transport (`tcp`, `udp`, …) or with any that has it. */
export function servicePort(name: string, transport?: string): number | undefined {
  return ofServices().ports.get(transport === undefined ? name : `${name}/${transport}`)
}

export function serviceName(port: number, transport: string): string | undefined {
  return ofServices().names.get(`${port}/${transport}`)
}

/** The number of an IP protocol: its name or alias, in any case (`tcp`, `ipv6-icmp`, `IPv6-ICMP`). */
export function protocolNumber(name: string): number | undefined {
  const { numbers } = ofProtocols()
  return numbers.get(name) ?? numbers.get(name.toLowerCase())
}

export function protocolName(number: number): string | undefined {
  return ofProtocols().names.get(number)
}

/** An Ethernet type by name, in any case: `ip`, `ipv4`, `ip6`, `arp`, `802.1q`, … */
export function etherType(name: string): number | undefined {
  return ofEtherTypes().numbers.get(name.toLowerCase())
}

/** The word of `known` that `word` may have meant: the nearest within two edits, for hints. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.min(3, Math.ceil(word.length / 2))
  for (const each of known) {
    if (word.length > 40 || Math.abs(each.length - word.length) >= least || each === word) continue
    const distance = edits(word, each)
    if (distance < least) [best, least] = [each, distance]
  }
  return best
}

/** Edits between two words: a character more, less or other, or two neighbours swapped. */
function edits(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, i) => i)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    const above = rows[i - 1]!
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2]![j - 2]! + 1 : 99
      row.push(Math.min(row[j - 1]! + 1, above[j]! + 1, above[j - 1]! + same, swapped))
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
