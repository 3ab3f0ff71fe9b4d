// Addresses whose type routing knows whatever its tables hold: multicast, the limited broadcast and 0.0.0.0/8 (net/ipv4/fib_frontend.c),
// loopback (always local). Of others the type is metadata.

import { ADDRESS_TYPES } from '@netsieve/packet'
import type { IpFamily } from './read.ts'

export interface CertainType {
  readonly type: number
  readonly lo: bigint
  readonly hi: bigint
}

export const CERTAIN_TYPES: Readonly<Record<IpFamily, readonly CertainType[]>> = {
  ipv4: [
    { type: ADDRESS_TYPES.broadcast, lo: 0n, hi: 0x00ffffffn },
    { type: ADDRESS_TYPES.local, lo: 0x7f000000n, hi: 0x7fffffffn },
    { type: ADDRESS_TYPES.multicast, lo: 0xe0000000n, hi: 0xefffffffn },
    { type: ADDRESS_TYPES.broadcast, lo: 0xffffffffn, hi: 0xffffffffn },
  ],
  ipv6: [
    { type: ADDRESS_TYPES.local, lo: 1n, hi: 1n },
    { type: ADDRESS_TYPES.multicast, lo: 0xffn << 120n, hi: (1n << 128n) - 1n },
  ],
}
