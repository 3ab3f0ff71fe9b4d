// What is told to a user about their input. A user's fault is a Diagnostic value; our own fault throws.

import type { Span } from './source.ts'

export type Severity = 'error' | 'warning' | 'note'

/** A further remark on a diagnostic, with its own place where it has one. */
export interface Note {
  readonly message: string
  readonly span?: Span
}

/**
 * One message: what is wrong, where, and what would have been right.
 * `code` is `area/what` in kebab case and stable: tests and scripts may rely on it.
 */
export interface Diagnostic {
  readonly severity: Severity
  readonly code: string
  readonly message: string
  readonly span?: Span
  /** What could have stood at the span. */
  readonly expected?: readonly string[]
  readonly notes?: readonly Note[]
  /** One line that says what to do. */
  readonly hint?: string
}

/** A value, where one could be made, with everything there was to say about it. */
export interface Outcome<T> {
  readonly value?: T
  readonly diagnostics: readonly Diagnostic[]
}

type Extra = Pick<Diagnostic, 'expected' | 'notes' | 'hint'>

/**
 * Collects diagnostics on the way through a stage, at most `limit` errors and as many others (hostile input must not eat memory). A note at the end
 * says how many were left out.
 */
export class Diagnostics {
  readonly list: Diagnostic[] = []
  private readonly limit: number
  private readonly counts = { error: 0, other: 0 }
  /** The place in the list of the note on those left out. */
  private note: number | undefined

  constructor(limit = 1000) {
    this.limit = limit
  }

  /** What has just been said of a place is not said again: one word of the user's may be several terms. */
  add(diagnostic: Diagnostic): void {
    const last = this.list.at(-1)
    if (last && diagnostic.span && same(last, diagnostic)) return
    const count = ++this.counts[diagnostic.severity === 'error' ? 'error' : 'other']
    if (count > this.limit) this.leaveOut()
    else if (this.note === undefined) this.list.push(diagnostic)
    // The note stays the last.
    else this.list.splice(this.note++, 0, diagnostic)
  }

  private leaveOut(): void {
    this.note ??= this.list.length
    const left = (kind: 'error' | 'other', what: string): string[] => {
      const count = this.counts[kind] - this.limit
      return count > 0 ? [`${count} more ${what}${count === 1 ? '' : 's'}`] : []
    }
    const message = `left out here: ${[...left('error', 'error'), ...left('other', 'warning')].join(' and ')}`
    this.list[this.note] = { severity: 'note', code: 'diag/more', message }
  }

  addAll(diagnostics: readonly Diagnostic[]): void {
    for (const diagnostic of diagnostics) this.add(diagnostic)
  }

  error(what: string, message: string, span?: Span, extra: Extra = {}): void {
    this.add({ severity: 'error', code: what, message, ...(span && { span }), ...extra })
  }

  warning(what: string, message: string, span?: Span, extra: Extra = {}): void {
    this.add({ severity: 'warning', code: what, message, ...(span && { span }), ...extra })
  }

  get hasErrors(): boolean {
    return this.counts.error > 0
  }

  /** The outcome: the value only if nothing was wrong. */
  outcome<T>(value: T | undefined): Outcome<T> {
    return this.hasErrors || value === undefined ? { diagnostics: this.list } : { value, diagnostics: this.list }
  }
}

function same(a: Diagnostic, b: Diagnostic): boolean {
  return (
    a.code === b.code &&
    a.message === b.message &&
    a.severity === b.severity &&
    a.span?.source === b.span?.source &&
    a.span?.start === b.span?.start &&
    a.span?.end === b.span?.end
  )
}

/** The codes of some diagnostics, in order: handy in tests and JSON. */
export function code(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map((diagnostic) => diagnostic.code)
}
