// Memory instructions by their opcodes: how many bytes they access, and the WebAssembly instruction that does the same.

import { W } from './writer.ts'

/** Bytes of loads and stores. */
export const SIZES: Readonly<Record<number, number>> = {
  97: 4, 105: 2, 113: 1, 121: 8, 129: 4, 137: 2, 145: 1, 99: 4, 107: 2, 115: 1, 123: 8,
} // biome-ignore format: one family
export const LOADS: Readonly<Record<number, number>> = {
  97: W.i64_load32_u, 105: W.i64_load16_u, 113: W.i64_load8_u, 121: W.i64_load, 129: W.i64_load32_s, 137: W.i64_load16_s, 145: W.i64_load8_s,
} // biome-ignore format: one family
export const STORES: Readonly<Record<number, number>> = {
  99: W.i64_store32, 107: W.i64_store16, 115: W.i64_store8, 123: W.i64_store,
} // biome-ignore format: one family

/** LD_ABS and LD_IND. */
export function isPacketLoad(op: number): boolean {
  return op >= 0x20 && op <= 0x50 && (op & 7) === 0
}

export function packetLoadSize(op: number): 1 | 2 | 4 {
  return (op & 0x18) === 0 ? 4 : (op & 0x18) === 0x08 ? 2 : 1
}
