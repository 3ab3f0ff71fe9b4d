// LD_ABS and LD_IND: the packet loads inherited from classic BPF. r6 holds the context, the value comes big endian to r0.

import type { Engine } from './engine.ts'
import { swap32 } from './u64.ts'

/** Negative offsets name headers: SKF_LL_OFF the link header, SKF_NET_OFF the network header. */
const SKF_NET_OFF = -0x100000
const SKF_LL_OFF = -0x200000

/** r0 = packet[imm (+ src)]. False if that is not in the packet (or after a fault): the program then ends with 0. */
export function loadPacket(engine: Engine, opcode: number, s: number, imm: number): boolean {
  const R = engine.regs
  if (engine.options.mode === 'linux' && !engine.ctxArg(6)) return false
  const size = (opcode & 0x18) === 0 ? 4 : (opcode & 0x18) === 0x08 ? 2 : 1
  const at = packetAddress(engine, (opcode >= 0x40 ? imm + R[s]! : imm) | 0, size)
  if (at === undefined) return false
  const { view } = engine.mem
  R[0] = size === 4 ? swap32(view.getInt32(at, true)) : size === 2 ? view.getUint16(at, false) : view.getUint8(at)
  R[1] = 0
  return true
}

/** Where `size` bytes at a packet offset are, if they all are in the packet. */
export function packetAddress(engine: Engine, offset: number, size: number): number | undefined {
  let from = engine.data
  let distance = offset
  let lowest = engine.data
  if (offset < 0) {
    // Before the program's start only what the frame itself has can be reached.
    lowest = engine.linkAt
    if (offset >= SKF_NET_OFF) {
      from = engine.netAt
      distance = offset - SKF_NET_OFF
    } else if (offset >= SKF_LL_OFF) {
      from = engine.linkAt
      distance = offset - SKF_LL_OFF
    } else return undefined
  }
  const at = from + distance
  return at >= lowest && at + size <= engine.end ? at : undefined
}
