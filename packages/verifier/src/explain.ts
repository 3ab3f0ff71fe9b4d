// A rejection in words: the reason, the instruction and what asked for it, where the value at fault came from, what to do.

import type { Insn } from '@netsieve/asm'
import { adviceFor } from './advice.ts'
import { type Cause, cause, causes } from './causes.ts'
import type { Verdict } from './verify.ts'

export interface Explanation {
  readonly reason: string
  readonly at?: Cause
  /** Oldest first: where the register at fault was made, copied, changed and compared. */
  readonly path: readonly Cause[]
  readonly suggestion?: string
}

/** Why a program was not accepted; undefined for an accepted one. */
export function explain(program: readonly Insn[], verdict: Verdict): Explanation | undefined {
  if (verdict.status === 'accepted') return undefined
  const reason = (verdict.details ?? []).join('; ')
  const suggestion = adviceFor(verdict.details ?? [])
  const head = { reason, ...(suggestion && { suggestion }) }
  if (verdict.slot === undefined || verdict.insn === undefined || !program[verdict.insn]) return { ...head, path: [] }
  const at = cause(program, verdict.insn, verdict.slot, 'rejected here')
  return { ...head, at, path: causes(program, verdict) }
}

/** The explanation as text, a part a line. */
export function renderExplanation(explanation: Explanation): string {
  const line = ({ slot, text, what, origin }: Cause) => `  ${slot}: ${text}  (${what})${origin ? `  # ${origin}` : ''}`
  const lines = [`Reason: ${explanation.reason}`]
  if (explanation.at) lines.push('At:', line(explanation.at))
  if (explanation.path.length > 0) lines.push('Causal path:', ...explanation.path.map(line))
  if (explanation.suggestion) lines.push(`Suggestion: ${explanation.suggestion}`)
  return `${lines.join('\n')}\n`
}
