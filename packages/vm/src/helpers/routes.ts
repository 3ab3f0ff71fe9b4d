// bpf_fib_lookup: where a packet would be forwarded to, by the routes and neighbours of the machine's world.
//
//   struct bpf_fib_lookup   0 family, l4_protocol, sport, dport | 6 tot_len / mtu_result | 8 ifindex | 12 tos / rt_metric | 16 src | 32 dst
//                           48 h_vlan_proto, h_vlan_TCI / tbid | 52 smac / mark | 58 dmac

import type { HelperName } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { ERRNO } from '../maps/map.ts'
import { type Device, type Route, routeTo, sameBits } from '../world.ts'
import { flagsArg, type HelperFunction, uarg } from './helper.ts'

const AT = { totLen: 6, ifindex: 8, metric: 12, source: 16, to: 32, vlan: 48, smac: 52, dmac: 58 } as const
const SIZE = 64
const FLAG = { direct: 1, output: 2, skipNeighbour: 4, table: 8, source: 16, mark: 32 } as const
const ALL_FLAGS = 63
/** BPF_FIB_LKUP_RET_* */
const RET = {
  blackhole: 1,
  unreachable: 2,
  prohibit: 3,
  notForwarded: 4,
  forwardingOff: 5,
  noNeighbour: 7,
  fragNeeded: 8,
  noSource: 9,
} as const
const AF_INET = 2
const AF_INET6 = 10
const EAFNOSUPPORT = -97
const ENODEV = -19
const ETH_HLEN = 14

function fibLookup(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const length = uarg(engine, 3)
  const at = engine.memArg(2, length, true)
  if (at === undefined) return undefined
  const flags = flagsArg(engine, 4)
  if (length < SIZE || flags & ~ALL_FLAGS) return ERRNO.EINVAL
  const { bytes, view } = engine.mem
  const size = bytes[at] === AF_INET ? 4 : bytes[at] === AF_INET6 ? 16 : undefined
  if (size === undefined) return EAFNOSUPPORT
  const { world } = engine.options
  const came = deviceOf(engine, view.getUint32(at + AT.ifindex, true))
  if (!came) return ENODEV
  if (came.forwards === false) return RET.forwardingOff
  const to = bytes.slice(at + AT.to, at + AT.to + size)
  // Without BPF_FIB_LOOKUP_DIRECT all tables are asked, as rules would have it.
  const direct = (flags & FLAG.direct) !== 0
  const table = direct ? (flags & FLAG.table ? view.getUint32(at + AT.vlan, true) : 254) : undefined
  return forward(engine, at, flags, size, routeTo(world, to, table))
}

function deviceOf(engine: Engine, ifindex: number): Device | undefined {
  return engine.options.world.devices?.find((device) => device.ifindex === ifindex)
}

function forward(engine: Engine, at: number, flags: number, size: number, route: Route | undefined): number {
  const { bytes, view } = engine.mem
  const kind = route?.kind ?? 'unicast'
  if (kind === 'blackhole' || kind === 'unreachable' || kind === 'prohibit') return RET[kind]
  const device = route && deviceOf(engine, route.ifindex)
  if (!route || !device || kind !== 'unicast') return RET.notForwarded
  const mtu = route.mtu ?? device.mtu ?? 1500
  const total = view.getUint16(at + AT.totLen, true)
  if (total > mtu) {
    view.setUint16(at + AT.totLen, mtu, true)
    return RET.fragNeeded
  }
  view.setUint32(at + AT.metric, route.metric ?? 0, true)
  view.setUint32(at + AT.ifindex, device.ifindex, true)
  if (flags & FLAG.source) {
    if (route.source?.length !== size) return RET.noSource
    bytes.set(route.source, at + AT.source)
  }
  if (route.via) bytes.set(route.via, at + AT.to)
  if (!(flags & FLAG.skipNeighbour)) {
    const next = bytes.subarray(at + AT.to, at + AT.to + size)
    const neighbour = engine.options.world.neighbours?.find(
      ({ ifindex, address }) => ifindex === device.ifindex && sameBits(address, next, size * 8),
    )
    if (!neighbour) return RET.noNeighbour
    bytes.set(neighbour.mac, at + AT.dmac)
    bytes.set(device.mac, at + AT.smac)
  }
  view.setUint32(at + AT.vlan, 0, true)
  if (total > 0) view.setUint16(at + AT.totLen, mtu, true)
  return engine.options.type === 'xdp' || total > 0 ? 0 : whole(engine, at, device.mtu ?? 1500)
}

/** An skb is looked at whole where the program gave no length. */
function whole({ mem: { view }, data, end }: Engine, at: number, mtu: number): number {
  view.setUint16(at + AT.totLen, mtu, true)
  return end - data <= mtu + ETH_HLEN ? 0 : RET.fragNeeded
}

export const ROUTE_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  fib_lookup: fibLookup,
}
