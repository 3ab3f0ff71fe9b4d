// Helpers on the tunnel that a packet came through or shall go into: metadata beside the packet, kept as struct bpf_tunnel_key has it.
//
//   struct bpf_tunnel_key   0 tunnel_id | 4 remote address (16) | 20 tos | 21 ttl | 22 tunnel_ext / tunnel_flags | 24 label | 28 local address (16)

import type { HelperName } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { ERRNO } from '../maps/map.ts'
import { flagsArg, type HelperFunction, uarg } from './helper.ts'

const KEY = { size: 44, id: 0, remote: 4, tos: 20, ttl: 21, ext: 22, label: 24, local: 28 } as const
/** The struct grew: older programs give so many bytes of it. */
const OLDER: readonly number[] = [KEY.local, KEY.label, KEY.ext, 8]
const FLAG = { ipv6: 1, getFlags: 0x10 } as const
const SET_FLAGS = 0x1f
const EPROTO = -71
const MOST_OPTIONS = 255

export interface Tunnel {
  readonly ipv6: boolean
  /** As it was set, whole. */
  readonly key: Uint8Array
  options?: Uint8Array
}

function setKey(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const size = uarg(engine, 3)
  const at = engine.memArg(2, size, false)
  if (at === undefined) return undefined
  const flags = flagsArg(engine, 4)
  if (flags & ~SET_FLAGS || (size !== KEY.size && !OLDER.includes(size))) return ERRNO.EINVAL
  const key = new Uint8Array(KEY.size)
  key.set(engine.mem.bytes.subarray(at, at + size))
  const ipv6 = (flags & FLAG.ipv6) !== 0
  const view = new DataView(key.buffer)
  if ((!ipv6 && view.getUint32(KEY.label, true) !== 0) || view.getUint16(KEY.ext, true) !== 0) return ERRNO.EINVAL
  engine.tunnel = { ipv6, key }
  return 0
}

/** The key as the other end would see it: what was set as remote is local there. */
function seen({ ipv6, key }: Tunnel): Uint8Array {
  const out = key.slice()
  const bytes = ipv6 ? 16 : 4
  for (const at of [KEY.remote, KEY.local]) out.fill(0, at, at + 16)
  out.set(key.subarray(KEY.local, KEY.local + bytes), KEY.remote)
  out.set(key.subarray(KEY.remote, KEY.remote + bytes), KEY.local)
  return out
}

function getKey(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const size = uarg(engine, 3)
  const at = engine.memArg(2, size, true)
  if (at === undefined) return undefined
  const flags = flagsArg(engine, 4)
  const { bytes } = engine.mem
  const { tunnel } = engine
  bytes.fill(0, at, at + size)
  if (!tunnel || flags & ~(FLAG.ipv6 | FLAG.getFlags)) return ERRNO.EINVAL
  if (tunnel.ipv6 !== ((flags & FLAG.ipv6) !== 0)) return EPROTO
  if (size !== KEY.size && !OLDER.includes(size)) return ERRNO.EINVAL
  if ((size === KEY.ext || size === 8) && tunnel.ipv6) return ERRNO.EINVAL
  bytes.set(seen(tunnel).subarray(0, size), at)
  return 0
}

function setOptions(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const size = uarg(engine, 3)
  const at = engine.memArg(2, size, false)
  if (at === undefined) return undefined
  if (!engine.tunnel || size & 3) return ERRNO.EINVAL
  if (size > MOST_OPTIONS) return ERRNO.ENOMEM
  engine.tunnel.options = engine.mem.bytes.slice(at, at + size)
  return 0
}

function getOptions(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const size = uarg(engine, 3)
  const at = engine.memArg(2, size, true)
  if (at === undefined) return undefined
  const options = engine.tunnel?.options
  engine.mem.bytes.fill(0, at, at + size)
  if (!options) return ERRNO.ENOENT
  if (size < options.length) return ERRNO.ENOMEM
  engine.mem.bytes.set(options, at)
  return options.length
}

/** The state of an IPsec transformation: no packet came through one. */
function getXfrmState(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const size = uarg(engine, 4)
  const at = engine.memArg(3, size, true)
  if (at === undefined) return undefined
  engine.mem.bytes.fill(0, at, at + size)
  return ERRNO.EINVAL
}

export const TUNNEL_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  skb_get_tunnel_key: getKey,
  skb_set_tunnel_key: setKey,
  skb_get_tunnel_opt: getOptions,
  skb_set_tunnel_opt: setOptions,
  skb_get_xfrm_state: getXfrmState,
}
