// Helpers of XDP programs: moving the packet's ends, and reading and writing it by offset.

import type { HelperName } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { ERRNO } from '../maps/map.ts'
import { arg, type HelperFunction, uarg } from './helper.ts'

/** The kernel keeps its struct xdp_frame at the start of the headroom. */
const XDP_FRAME = 40
const ETH_HLEN = 14
/** A page less the headroom and struct skb_shared_info: how far the tail may grow. */
const PAGE_ROOM = 4096 - 320
const EACCES = -13

function adjustHead(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const offset = arg(engine, 2)
  const metaLength = engine.data - engine.meta
  const data = engine.data + offset
  if (data < engine.roomFrom + XDP_FRAME + metaLength || data > engine.end - ETH_HLEN) return ERRNO.EINVAL
  if (metaLength) engine.mem.bytes.copyWithin(engine.meta + offset, engine.meta, engine.meta + metaLength)
  engine.meta += offset
  engine.data = data
  engine.packetMoved()
  return 0
}

function adjustMeta(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const meta = engine.meta + arg(engine, 2)
  if (meta < engine.roomFrom + XDP_FRAME || meta > engine.data) return ERRNO.EINVAL
  const length = engine.data - meta
  if (length & 3 || length > 252) return EACCES
  engine.meta = meta
  engine.packetMoved()
  return 0
}

function adjustTail(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const end = engine.end + arg(engine, 2)
  if (end > Math.max(engine.roomFrom + PAGE_ROOM, engine.end) || end < engine.data + ETH_HLEN) return ERRNO.EINVAL
  if (end > engine.end) engine.mem.bytes.fill(0, engine.end, end)
  engine.end = end
  engine.packetMoved()
  return 0
}

function copyBytes(engine: Engine, store: boolean): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const offset = uarg(engine, 2)
  const length = uarg(engine, 4)
  const at = engine.memArg(3, length, !store)
  if (at === undefined) return undefined
  if (offset > 0xffff || length > 0xffff || engine.data + offset + length > engine.end) return ERRNO.EINVAL
  const { bytes } = engine.mem
  const place = engine.data + offset
  if (store) bytes.copyWithin(place, at, at + length)
  else bytes.copyWithin(at, place, place + length)
  return 0
}

export const XDP_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  xdp_adjust_head: adjustHead,
  xdp_adjust_meta: adjustMeta,
  xdp_adjust_tail: adjustTail,
  xdp_get_buff_len: (engine) => (engine.ctxArg(1) ? engine.end - engine.data : undefined),
  xdp_load_bytes: (engine) => copyBytes(engine, false),
  xdp_store_bytes: (engine) => copyBytes(engine, true),
}
