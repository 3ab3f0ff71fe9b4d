// Verdicts counted: per rule and per whatever else decided, as an object and as a table.

import type { Source, Span } from '@netsieve/diag'
import { ACTS, actText, type Count, type Filter, type Step } from '@netsieve/ir'
import { type PacketVerdict, rulesById } from './pipeline.ts'

/** How often something decided. */
export interface Hits {
  readonly verdict: 'pass' | 'drop'
  readonly by: string
  readonly rule: number | null
  readonly file?: string
  readonly line?: number
  readonly hits: number
  /** What else is done with the packets: `reject(icmp port-unreachable)`. */
  readonly act?: string
  /** What the rule counted, whether it decided or not; only where the program counts. */
  readonly packets?: number
  readonly bytes?: number
}

/** Totals of a run. `rules` has a row for every rule, hit or not; `others` for policies and what no chain saw. */
export interface Totals {
  readonly packets: number
  readonly passed: number
  readonly dropped: number
  readonly faults: number
  readonly insns: number
  readonly rules: readonly Hits[]
  readonly others: readonly Hits[]
}

/** Counts verdicts as they come. */
export class Counter {
  private readonly counts = new Map<string, { verdict: PacketVerdict; hits: number }>()
  private readonly total = { packets: 0, passed: 0, dropped: 0, faults: 0, insns: 0 }

  add(verdict: PacketVerdict, packets = 1): void {
    const { total } = this
    total.packets += packets
    total.insns += verdict.insns
    if (verdict.verdict === 'pass') total.passed += packets
    else total.dropped += packets
    if (verdict.fault !== undefined) total.faults += packets
    const key = `${verdict.verdict} ${verdict.rule ?? `by ${verdict.by}`}`
    const row = this.counts.get(key)
    if (row) row.hits += packets
    else this.counts.set(key, { verdict, hits: packets })
  }

  /** @param counted what each rule counted, where the program counts */
  totals(filter: Filter | undefined, counted?: ReadonlyMap<number, Count>): Totals {
    const rows = [...this.counts.values()]
    const rowsOf = new Map<number | null, typeof rows>()
    for (const row of rows) rowsOf.set(row.verdict.rule, [...(rowsOf.get(row.verdict.rule) ?? []), row])
    const lines = new Lines()
    const rules: Hits[] = []
    for (const rule of filter ? rulesById(filter).values() : []) {
      const place = rule.span && { file: rule.span.source.name, line: lines.of(rule.span) }
      const { packets = 0n, bytes = 0n } = counted?.get(rule.id) ?? {}
      const counts = counted && { packets: Number(packets), bytes: Number(bytes) }
      const row = { by: rule.text, rule: rule.id, ...place, ...counts }
      const own = rowsOf.get(rule.id) ?? []
      if (own.length === 0) rules.push({ ...verdictOf(rule.steps), ...row, hits: 0 })
      for (const { verdict, hits } of own)
        rules.push({ verdict: verdict.verdict, ...(verdict.act !== undefined && { act: verdict.act }), ...row, hits })
    }
    const others = rows
      .filter(({ verdict }) => verdict.rule === null || !filter)
      .map(({ verdict, hits }) => ({ verdict: verdict.verdict, by: verdict.by, rule: null, hits }))
    return { ...this.total, rules, others }
  }
}

/** Numbers of lines, from 1. Rules mostly come in the order of their text, so each text is walked about once. */
class Lines {
  private readonly places = new Map<Source, { readonly offset: number; readonly line: number }>()

  of({ source, start }: Span): number {
    let place = this.places.get(source)
    if (!place || place.offset > start) place = { offset: 0, line: 1 }
    for (let end = source.text.indexOf('\n', place.offset); end >= 0 && end < start; ) {
      place = { offset: end + 1, line: place.line + 1 }
      end = source.text.indexOf('\n', place.offset)
    }
    this.places.set(source, place)
    return place.line
  }
}

/** What a rule does to packets that it decides, if it has not decided any. */
function verdictOf(steps: readonly Step[]): Pick<Hits, 'verdict' | 'act'> {
  const end = steps.find((step) => step.kind === 'verdict')?.verdict
  if (end?.kind === 'act') return { verdict: ACTS[end.act].decision, act: actText(end) }
  return { verdict: end?.kind === 'drop' ? 'drop' : 'pass' }
}

/** Rows of text, columns aligned; numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[], indent = ''): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, String(cell).length)
  const lines = rows.map((row) =>
    row
      .map((cell, i) =>
        typeof cell === 'number' ? String(cell).padStart(widths[i]!) : String(cell).padEnd(widths[i]!),
      )
      .join('  ')
      .trimEnd(),
  )
  return lines.map((line) => `${indent}${line}\n`).join('')
}
