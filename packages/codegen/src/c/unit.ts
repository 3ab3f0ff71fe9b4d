// A C file on its way: its includes and its functions, each written once and before what uses it.

/** `prelude`: what every filter of these rules stands on; `rules`: theirs alone, and where one would change them. */
type Part = 'prelude' | 'rules'

/** Collects the pieces of a translation unit. */
export class Unit {
  private readonly headers = new Set<string>()
  private readonly pieces = new Map<string, { readonly text: string; readonly part: Part } | undefined>()
  /** The last number that a name was given, from 1. */
  private readonly names = new Map<string, number>()
  private readonly known = new Map<string, string>()

  include(header: string): void {
    this.headers.add(header)
  }

  /** Adds a piece under its name unless it is there; what `write` asks for in turn comes before it. Nothing of the prelude needs rules. */
  need(name: string, write: () => string, part: Part = 'prelude'): string {
    if (this.pieces.has(name)) return name
    this.pieces.set(name, undefined)
    const text = write()
    // Behind what it needs.
    this.pieces.delete(name)
    this.pieces.set(name, { text, part })
    return name
  }

  /** Gives a piece of the prelude its text where it stands, once that is known. */
  set(name: string, text: string): void {
    this.pieces.set(name, { text, part: 'prelude' })
  }

  /** The name of a piece that is known by what it does: the same is written once. */
  called(what: string, write: () => { readonly name: string; readonly text: string }, part: Part = 'rules'): string {
    const before = this.known.get(what)
    if (before !== undefined) return before
    const { name, text } = write()
    this.known.set(what, name)
    return this.need(name, () => text, part)
  }

  /** A name that no other piece has. */
  unique(name: string): string {
    const numbered = (count: number) => (count === 1 ? name : `${name}_${count}`)
    let count = (this.names.get(name) ?? 0) + 1
    while (this.names.has(numbered(count))) count++
    this.names.set(name, count)
    if (count > 1) this.names.set(numbered(count), 1)
    return numbered(count)
  }

  /** The whole file under its opening comment. */
  text(opening: string): string {
    // bpf_helpers.h wants the types of linux/bpf.h before it.
    const order = ['stdbool.h', 'linux/bpf.h', ...[...this.headers].sort(), 'bpf/bpf_helpers.h', 'bpf/bpf_endian.h']
    const includes = order.map((header) => `#include <${header}>`).join('\n')
    const part = (wanted: Part) =>
      [...this.pieces.values()].filter((piece) => piece?.part === wanted).map((piece) => piece!.text)
    return `${[opening, includes, ...part('prelude'), '/* The rules. */', ...part('rules')].join('\n\n')}\n`
  }
}
