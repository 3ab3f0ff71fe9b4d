// All helpers there are here, by id. A helper without a function is a named fault when it is called.

import { HELPERS, type HelperName } from '@netsieve/asm'
import { DYNPTR_HELPERS, KERNEL_FUNCTIONS } from './dynptr.ts'
import type { HelperFunction } from './helper.ts'
import { MAP_HELPERS } from './maps.ts'
import { MISC_HELPERS } from './misc.ts'
import { ROUTE_HELPERS } from './routes.ts'
import { SKB_HELPERS } from './skb.ts'
import { SOCKET_HELPERS } from './sockets.ts'
import { SURROUNDINGS_HELPERS } from './surroundings.ts'
import { TUNNEL_HELPERS } from './tunnel.ts'
import { XDP_HELPERS } from './xdp.ts'

const ALL: Partial<Record<HelperName, HelperFunction>> = {
  ...MAP_HELPERS,
  ...MISC_HELPERS,
  ...SKB_HELPERS,
  ...XDP_HELPERS,
  ...ROUTE_HELPERS,
  ...SOCKET_HELPERS,
  ...SURROUNDINGS_HELPERS,
  ...TUNNEL_HELPERS,
  ...DYNPTR_HELPERS,
}

const BY_ID: ReadonlyMap<number, HelperFunction> = new Map([
  ...(Object.entries(ALL) as [HelperName, HelperFunction][]).map(([name, run]) => [HELPERS[name].id, run] as const),
  ...KERNEL_FUNCTIONS,
])

/** Helpers by id, and kernel functions, whose numbers are below 0. A function: programs that call none load none. */
export function helperFunctions(): ReadonlyMap<number, HelperFunction> {
  return BY_ID
}

/** Names of the helpers that this machine has. */
export const IMPLEMENTED: readonly HelperName[] = Object.keys(ALL) as HelperName[]
