// Addresses and names of hosts and networks, as `host`, `net` and `gateway` ask for them.

import type { Diagnostic } from '@netsieve/diag'
import { and, not, or, type Pred } from '@netsieve/ir'
import { prefixMask } from '@netsieve/packet'
import type { Expr } from './ast.ts'
import { Fault } from './fault.ts'
import { type About, decnetHost, etherHost, ipv4Host, ipv6Host } from './hosts.ts'
import { padded } from './identifier.ts'
import type { Layers } from './layers.ts'
import type { NameFiles } from './names.ts'

type IdExpr = Extract<Expr, { kind: 'id' }>

/** Where addresses are asked for: the headers so far, the files of names, and what is to be told. */
export interface Asking {
  readonly layers: Layers
  readonly names: NameFiles
  readonly warnings: Diagnostic[]
}

export function address(asking: Asking, { id, qualifiers }: IdExpr): Pred {
  const { proto, dir, kind } = qualifiers
  const { layers } = asking
  const net = kind === 'net'
  const about: About = { proto, dir, what: net ? 'net' : 'host' }
  const numeric = id.form === 'number' || id.form === 'ipv4'
  if (proto === 'link' && numeric)
    throw new Fault('rules/address', 'an IP address is no hardware address', undefined, {
      expected: ['an address such as 02:00:00:00:00:01'],
    })
  switch (id.form) {
    case 'number': {
      if (proto === 'decnet') return decnetHost(layers, id.value & 0xffff, dir)
      const { value, mask } = net ? promoted(id.value) : { value: BigInt(id.value), mask: 0xffffffffn }
      return ipv4Host(layers, value, mask, about)
    }
    case 'ipv4': {
      const { value, mask } = padded(id.value, id.bits)
      return ipv4Host(layers, value, mask, about)
    }
    case 'ipv4 prefix':
    case 'ipv4 mask': {
      const value = id.value << BigInt(32 - id.bits)
      const mask = id.form === 'ipv4 mask' ? id.mask : prefixMask(id.length, 32)
      networkOnly(net, (value & ~mask) !== 0n)
      return ipv4Host(layers, value, mask, about)
    }
    case 'ipv6': {
      const mask = prefixMask(id.length, 128)
      if (id.slash) networkOnly(net || id.length === 128, (id.value & ~mask) !== 0n)
      return ipv6Host(layers, id.value, mask, about)
    }
    case 'mac':
      if (net || proto !== 'link') {
        throw new Fault('rules/qualifier', 'a hardware address needs `ether` and `host`', undefined, {
          hint: 'write: ether host …',
        })
      }
      return etherHost(layers, id.value, dir)
    case 'decnet':
      return decnetHost(layers, id.value, dir)
    case 'arcnet':
      throw new Fault('rules/unsupported', 'ARCnet addresses are not supported')
    case 'name':
      return named(asking, id.text, about)
  }
}

/** A host by name: all its addresses, from the files that were given. */
function named(asking: Asking, name: string, about: About): Pred {
  const { layers, names } = asking
  if (about.what === 'net') return network(asking, name, about)
  if (about.proto === 'link') return etherHost(layers, names.ether(name), about.dir)
  const preds = names
    .host(name)
    .filter(({ family }) => about.proto === undefined || (about.proto === 'ip6') === (family === 'ipv6'))
    .map(({ family, value }) =>
      family === 'ipv4'
        ? ipv4Host(layers, value, 0xffffffffn, about)
        : ipv6Host(layers, value, prefixMask(128, 128), about),
    )
  if (preds.length === 0) throw new Fault('rules/name', `\`${name}\` has no address of that family`)
  return or(...preds)
}

/** A network by name: libpcap takes the address that the file has for it as it is, without a mask. */
function network(asking: Asking, name: string, about: About): Pred {
  const { value, mask } = promoted(Number(asking.names.network(name)))
  asking.warnings.push({
    severity: 'warning',
    code: 'rules/network',
    message: `libpcap has no mask for the network \`${name}\`: only its own address matches`,
    hint: 'write the network as 192.0.2.0/24',
  })
  return ipv4Host(asking.layers, value, mask, about)
}

/** Sent by or to the gateway's hardware address, but neither from nor to its own IPv4 address. */
export function gateway(asking: Asking, { id, qualifiers: { proto } }: IdExpr): Pred {
  if (id.form !== 'name')
    throw new Fault('rules/address', '`gateway` needs a name, known in the hosts and the ethers file', undefined, {
      hint: 'or write: ether host ADDRESS and not host ADDRESS',
    })
  if (proto !== undefined && proto !== 'ip' && proto !== 'arp' && proto !== 'rarp')
    throw new Fault('rules/qualifier', `\`${proto}\` cannot qualify \`gateway\``)
  const { layers, names } = asking
  const hardware = etherHost(layers, names.ether(id.text), undefined)
  const own = named(asking, id.text, { proto, dir: undefined, what: 'host' })
  return and(hardware, not(own))
}

/** `net 10` is 10.0.0.0/8, `net 0x0a01` 10.1.0.0/16: leading zero bytes are taken off. */
function promoted(number: number): { readonly value: bigint; readonly mask: bigint } {
  let [value, mask] = [BigInt(number), 0xffffffffn]
  while (value !== 0n && value >> 24n === 0n) {
    value <<= 8n
    mask = (mask << 8n) & 0xffffffffn
  }
  return { value, mask }
}

function networkOnly(net: boolean, hostBits: boolean): void {
  if (hostBits)
    throw new Fault('rules/prefix', 'the address has bits outside the network part', undefined, {
      hint: 'write the first address of the network, or a longer prefix',
    })
  if (!net) throw new Fault('rules/prefix', 'a mask goes with `net`, not with `host`')
}
