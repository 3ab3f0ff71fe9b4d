// What every way to the headers shares: what is asked of a packet, where frames go, and two tricks.

import type { Label } from '@netsieve/asm'
import type { View } from '@netsieve/ir'
import type { Access, BaseRef } from './access.ts'
import { type Emitter, R } from './emitter.ts'
import { type Path, SLOT } from './path.ts'

/** What the rules of a base chain ask of a packet; nothing else is located. */
export interface Needs {
  readonly network: boolean
  /** Bytes of the frame behind its addresses, or its length: what a tag shifts. */
  readonly pastAddresses: boolean
  readonly transport: boolean
  readonly l4proto: boolean
  /** Whether a packet is a later fragment, where that does not keep its transport header from being read: of loads that are not 1, 2 or 4 aligned bytes. */
  readonly fragments: boolean
}

export interface Dispatch {
  readonly e: Emitter
  readonly access: Access
  readonly view: View
  readonly needs: Needs
  /** Which network protocols the chain is asked about; frames of others go to `unseen`. */
  readonly wants: { readonly ipv4: boolean; readonly ipv6: boolean; readonly other: boolean }
  readonly unseen: Label
  /** Where packets go for which there are no rules, once their header is known to be one that the view sees. */
  readonly idle?: { readonly ipv4: Label | undefined; readonly ipv6: Label | undefined } | undefined
  /** The program type may get frames whose outermost tag lies beside them. */
  readonly tagsBeside: boolean
  /** Compiles the rules for one kind of frame; control does not come back. */
  readonly rules: (path: Path, netRef: BaseRef) => void
}

/** A path on which nothing was found yet. */
export const FILL = {
  tagBeside: false,
  split: true,
  net: false,
  transport: 'absent',
  bounded: false,
  l4proto: 'absent',
} as const

/**
 * Through the stack the verifier forgets what it knew of a small number, but that it fits `bytes` bytes: ways that differ in nothing else look
 * alike to it then, and it follows only one of them.
 */
export function forget(e: Emitter, reg: number, bytes: 1 | 2): void {
  e.put((c) => {
    c.store(bytes, R.FP, SLOT.forget + 2, { reg })
    c.load(bytes, reg, R.FP, SLOT.forget + 2)
  })
}

/** Where frames go whose IP header is not as the view wants it: out of sight, or to the rules without a transport header. */
export function failing(d: Dispatch, kind: 'ipv4' | 'ipv6', netRef: BaseRef): Label {
  const { e, view } = d
  if (view.reach === 'ip') return d.unseen
  const label = e.label('bad')
  e.defer(() => {
    e.bind(label)
    if (e.reachable) d.rules({ ...FILL, kind, view, net: view.netNeeds === 'bytes' }, netRef)
  })
  return label
}
