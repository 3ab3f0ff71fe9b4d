// `vlan`, `mpls`, `pppoes` and the tunnels: each matches a header and moves everything to its right behind it.

import { and, cmp, masked, type Pred } from '@netsieve/ir'
import type { Encapsulation } from './ast.ts'
import { Fault } from './fault.ts'
import type { Layers } from './layers.ts'
import { bottomOfStack, ETHER, isTagged, linkProtocol } from './link.ts'
import { geneve, vxlan } from './tunnel.ts'

/** @throws Fault for a number that does not fit, or where the encapsulation cannot be. */
export function encapsulated(layers: Layers, name: Encapsulation, id: number | undefined): Pred {
  switch (name) {
    case 'vlan':
      return vlan(layers, id)
    case 'mpls':
      return mpls(layers, id)
    case 'pppoed':
      return linkProtocol(layers, ETHER.pppoed)
    case 'pppoes':
      return pppoes(layers, id)
    case 'geneve':
      fits(id, 0xffffff, 'network')
      outermost(layers)
      return geneve(layers, id)
    case 'vxlan':
      fits(id, 0xffffff, 'network')
      outermost(layers)
      return vxlan(layers, id)
  }
}

/** Places in a tunnel hold those of the tunnel around it many times over. */
const MOST_TUNNELS = 3

function outermost({ tunnels }: Layers): void {
  if (tunnels >= MOST_TUNNELS)
    throw new Fault('rules/unsupported', `more than ${MOST_TUNNELS} tunnels inside each other are not supported`)
}

function fits(id: number | undefined, max: number, what: string): void {
  if (id !== undefined && id > max) throw new Fault('rules/number', `${what} ${id} is above ${max}`)
}

function vlan(layers: Layers, id: number | undefined): Pred {
  if (layers.labels > 0) throw new Fault('rules/vlan', 'there is no VLAN tag behind MPLS labels')
  if (layers.link !== 'EN10MB') throw new Fault('rules/link-type', 'only Ethernet frames have VLAN tags')
  fits(id, 4095, 'VLAN')
  const tagged = isTagged(layers)
  const pred = id === undefined ? tagged : and(tagged, cmp(masked(layers.netBytes(0, 2), 0xfffn), '==', id))
  layers.tag()
  return pred
}

/** PPP's number for MPLS (RFC 3032). */
const PPP_MPLS = 0x0281

function mpls(layers: Layers, id: number | undefined): Pred {
  if (layers.link !== 'EN10MB' && layers.link !== 'PPP')
    throw new Fault('rules/link-type', 'MPLS labels are looked for behind Ethernet and PPP only')
  fits(id, 0xfffff, 'label')
  const labelled =
    layers.labels > 0
      ? bottomOfStack(layers, false)
      : linkProtocol(layers, layers.link === 'PPP' ? PPP_MPLS : ETHER.mpls)
  const pred =
    id === undefined
      ? labelled
      : and(labelled, cmp(masked(layers.netBytes(0, 4), 0xfffff000n), '==', BigInt(id) << 12n))
  layers.label()
  return pred
}

function pppoes(layers: Layers, id: number | undefined): Pred {
  fits(id, 0xffff, 'session')
  const session = linkProtocol(layers, ETHER.pppoes)
  const pred = id === undefined ? session : and(session, cmp(masked(layers.netBytes(0, 4), 0xffffn), '==', id))
  layers.session()
  return pred
}
