// Host names from files that the user gives (hosts(5), ethers(5), networks(5)): nothing is looked up anywhere else, so a filter means the same everywhere.

import { parseIpv4, parseIpv6, parseMac } from '@netsieve/packet'
import { Fault } from './fault.ts'

export interface HostAddress {
  readonly family: 'ipv4' | 'ipv6'
  readonly value: bigint
}

/** The texts of the two files. */
export class NameFiles {
  private readonly hosts: ReadonlyMap<string, readonly HostAddress[]>
  private readonly ethers: ReadonlyMap<string, bigint>
  private readonly networks: ReadonlyMap<string, bigint>

  constructor(hosts = '', ethers = '', networks = '') {
    this.hosts = readHosts(hosts)
    this.networks = readNetworks(networks)
    this.ethers = readEthers(ethers)
  }

  /** @throws Fault for a name that the hosts file does not hold. */
  host(name: string): readonly HostAddress[] {
    const found = this.hosts.get(name.toLowerCase())
    if (found) return found
    throw new Fault('rules/name', `\`${name}\` is no known host`, undefined, {
      hint: 'names are looked up in the file given by --hosts only: give one, or write the address',
    })
  }

  /** The first address of a network. @throws Fault for a name that the networks file does not hold. */
  network(name: string): bigint {
    const found = this.networks.get(name.toLowerCase())
    // 0 is what libpcap has for a name that is not known.
    if (found) return found
    throw new Fault('rules/name', `\`${name}\` is no known network`, undefined, {
      hint: 'names are looked up in the file given by --networks only: give one, or write the network as 192.0.2.0/24',
    })
  }

  /** @throws Fault for a name that the ethers file does not hold. */
  ether(name: string): bigint {
    const found = this.ethers.get(name.toLowerCase())
    if (found !== undefined) return found
    throw new Fault('rules/name', `\`${name}\` has no known hardware address`, undefined, {
      hint: 'names are looked up in the file given by --ethers only: give one, or write the address',
    })
  }
}

const rows = (text: string) =>
  text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
    .filter((row) => row.length > 1)

function readHosts(text: string): Map<string, HostAddress[]> {
  const out = new Map<string, HostAddress[]>()
  for (const [address, ...names] of rows(text)) {
    const v4 = parseIpv4(address!)
    const value = v4 ?? parseIpv6(address!)
    if (value === undefined) continue
    for (const name of names) {
      const key = name.toLowerCase()
      out.set(key, [...(out.get(key) ?? []), { family: v4 === undefined ? 'ipv6' : 'ipv4', value }])
    }
  }
  return out
}

function readEthers(text: string): Map<string, bigint> {
  const out = new Map<string, bigint>()
  for (const [address, name] of rows(text)) {
    const value = parseMac(address!)
    if (value !== undefined) out.set(name!.toLowerCase(), value)
  }
  return out
}

/** `name number alias…`; a number of fewer than four bytes is that of their front. */
function readNetworks(text: string): Map<string, bigint> {
  const out = new Map<string, bigint>()
  for (const [name, number, ...aliases] of rows(text)) {
    const missing = 4 - number!.split('.').length
    const value = missing < 0 ? undefined : parseIpv4(number + '.0'.repeat(missing))
    if (value !== undefined) for (const each of [name!, ...aliases]) out.set(each.toLowerCase(), value)
  }
  return out
}
