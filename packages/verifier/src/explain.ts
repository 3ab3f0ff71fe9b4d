// A rejection in words: the reason, the instruction and what asked for it, where the value at fault came from, what to do.

import { formatInsn, type Insn, slotTable } from '@netsieve/asm'
import { adviceFor } from './advice.ts'
import type { Verdict } from './verify.ts'

/** One instruction on the way to the fault. */
export interface Cause {
  readonly insn: number
  readonly slot: number
  /** The instruction as the kernel writes it. */
  readonly text: string
  /** What it did: `made r2`, `compared r2`. */
  readonly what: string
  /** The rule or source line it was made for, where known. */
  readonly origin?: string
}

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

function cause(program: readonly Insn[], index: number, slot: number, what: string): Cause {
  const insn = program[index]!
  const origin = insn.origin?.text
  return { insn: index, slot, text: formatInsn(insn), what, ...(origin && { origin }) }
}

const MAX_CAUSES = 12

/** Walks the way back, following the register that the message names through copies. */
function causes(program: readonly Insn[], verdict: Verdict): Cause[] {
  const named = /\bR(\d+)\b/.exec(verdict.message ?? '')
  const path = verdict.path ?? []
  if (!named || path.length === 0) return []
  const slots = slotTable(program)
  const insnAt = new Map<number, number>()
  for (let i = 0; i < program.length; i++) insnAt.set(slots[i]!, i)
  const found: Cause[] = []
  let reg = Number(named[1])
  for (let i = path.length - 2; i >= 0 && found.length < MAX_CAUSES; i--) {
    const index = insnAt.get(path[i]!)
    if (index === undefined) continue
    const insn = program[index]!
    const role = roleOf(insn, reg)
    if (!role) continue
    found.push(cause(program, index, path[i]!, `${role.what} r${reg}`))
    if (role.ends) break
    if (role.next !== undefined) reg = role.next
  }
  return found.reverse()
}

interface Role {
  readonly what: string
  /** The register's story starts here. */
  readonly ends?: boolean
  /** The register it was copied from. */
  readonly next?: number
}

function roleOf(insn: Insn, reg: number): Role | undefined {
  const { spec, dst, src } = insn
  switch (spec.kind) {
    case 'alu':
    case 'movsx':
    case 'end':
      if (dst !== reg) return undefined
      if (spec.kind === 'movsx' || (spec.alu === 'mov' && spec.source === 'reg')) return { what: 'copied', next: src }
      return spec.alu === 'mov' ? { what: 'set', ends: true } : { what: 'changed' }
    case 'load':
    case 'ldimm64':
      return dst === reg ? { what: 'loaded', ends: true } : undefined
    case 'ldpkt':
      return reg <= 5 ? { what: reg === 0 ? 'loaded' : 'lost', ends: true } : undefined
    case 'call':
      return reg <= 5 ? { what: reg === 0 ? 'returned' : 'lost', ends: true } : undefined
    case 'jump':
      return dst === reg || (spec.source === 'reg' && src === reg) ? { what: 'compared' } : undefined
    case 'atomic':
      return spec.fetch && src === reg ? { what: 'loaded', ends: true } : undefined
    default:
      return undefined
  }
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
