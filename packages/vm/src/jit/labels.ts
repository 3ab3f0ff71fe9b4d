// The scopes that are open where code is emitted, and how deep each is: what a branch of WebAssembly says.

import type { Scope } from './scopes.ts'

export class Labels {
  /** Targets of the open scopes, outermost first. */
  private readonly open: { readonly kind: Scope['kind']; readonly target: number }[] = []
  /** Places in `open`, by target. */
  private readonly places = { block: new Map<number, number>(), loop: new Map<number, number>() }

  get count(): number {
    return this.open.length
  }

  /** @param target the number of the block that a branch to the scope leads to; no other open scope of its kind has it */
  push(kind: Scope['kind'], target: number): void {
    this.places[kind].set(target, this.open.length)
    this.open.push({ kind, target })
  }

  pop(): void {
    const last = this.open.pop()
    if (last) this.places[last.kind].delete(last.target)
  }

  /** Scopes that lie inside the one for a target. */
  depthOf(kind: Scope['kind'], target: number): number {
    const place = this.places[kind].get(target)
    if (place === undefined) throw new Error(`no scope for block ${target}`)
    return this.open.length - 1 - place
  }
}
