// `protochain`: the protocol anywhere in the chain of IPv6 extension headers, or behind IPv4 authentication headers.

import { and, cmp, or, type Pred } from '@netsieve/ir'
import { Fault } from './fault.ts'
import type { Layers } from './layers.ts'
import { ETHER, linkProtocol } from './link.ts'
import type { ProtocolWord } from './words.ts'

export function protocolChain(layers: Layers, carrier: ProtocolWord | undefined, number: number): Pred {
  if (layers.payload.more) throw new Fault('rules/unsupported', '`protochain` cannot be used inside a tunnel')
  switch (carrier) {
    case undefined:
      return or(chain(layers, 'ip', number), chain(layers, 'ip6', number))
    case 'ip':
    case 'ip6':
      return chain(layers, carrier, number)
    default:
      throw new Fault('rules/qualifier', `\`${carrier}\` cannot qualify \`protochain\``, undefined, {
        expected: ["'ip'", "'ip6'", 'nothing'],
      })
  }
}

function chain(layers: Layers, carrier: 'ip' | 'ip6', number: number): Pred {
  const family = carrier === 'ip6' ? 'ipv6' : 'ipv4'
  const net = layers.place('net').bytes
  return and(linkProtocol(layers, ETHER[carrier]), cmp({ kind: 'walk', family, net, until: number }, '==', number))
}
