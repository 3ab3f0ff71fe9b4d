// What an engine is made with, and what its programs give besides a verdict: text, events, redirected packets, changes of maps.

import type { ProgTypeName } from '@netsieve/asm'
import type { World } from './world.ts'

export interface EngineOptions {
  readonly type: ProgTypeName
  readonly mode: 'linux' | 'rfc9669'
  readonly insnBudget: number
  readonly callDepth: number
  readonly memoryBytes: number
  /** Bytes that helpers may go through in a run, and that may be sent out. */
  readonly helperBytes: number
  readonly outputBytes: number
  /** Longest packet taken, in bytes. */
  readonly packetBytes: number
  readonly seed: number
  readonly cpu: number
  readonly cpus: number
  /** What helpers find around the program. */
  readonly world: World
}

/** What programs send out of themselves in a run. */
export type Output =
  | { readonly kind: 'trace'; readonly text: string }
  | { readonly kind: 'event'; readonly map: string; readonly cpu?: number; readonly data: Uint8Array }
  | { readonly kind: 'redirect'; readonly to: string; readonly target: number; readonly flags: number }
  | { readonly kind: 'clone'; readonly target: number; readonly data: Uint8Array }

/** One change of a map, as a trace shows it. */
export interface MapChange {
  readonly map: string
  readonly key: string
  readonly before?: string
  readonly after?: string
}
