// A filter under libpcap's profile as classic BPF: one program of tests, each way threaded past what is known, then laid out from its end.

import type { CbpfInsn } from '@netsieve/asm'
import { CBPF_LONGEST } from '@netsieve/asm'
import type { Diagnostic, Outcome } from '@netsieve/diag'
import { and, decisionGraph, FALSE, type Filter, not, or, type Pred, type Rule, TRUE, threaded } from '@netsieve/ir'
import { layout } from './layout.ts'
import { Beyond, plainPred, rangesOfLongest, testsOf, writtenOut } from './plain.ts'

export interface CbpfOptions {
  /** What a packet that passes returns: how many of its bytes to keep. */
  readonly snaplen?: number
  /** Ranges of a list above which there is to be no classic program: it compares them one by one. Default any number. */
  readonly longestList?: number
}

/** The classic program of a filter, or why there is none: it needs libpcap's view, and chains without jumps. */
export function generateCbpf(
  filter: Filter,
  { snaplen = 262144, longestList = Number.POSITIVE_INFINITY }: CbpfOptions = {},
): Outcome<readonly CbpfInsn[]> {
  try {
    const pred = passes(filter)
    const ranges = rangesOfLongest(pred)
    if (ranges > longestList)
      return refused(`a list has ${ranges} ranges, more than the ${longestList} that were asked for`)
    const program = shortest(plainPred(pred), snaplen)
    if (program.length <= CBPF_LONGEST) return { value: program, diagnostics: [] }
    return refused(`the program has ${program.length} instructions, classic BPF takes ${CBPF_LONGEST}`)
  } catch (beyond) {
    if (!(beyond instanceof Beyond)) throw beyond
    return refused(`classic BPF has no way to say this: ${beyond.message}`)
  }
}

/** Writing sets out costs time with the number of tests; above this many it is not tried. */
const LARGEST = 3000

function shortest(pred: Pred, snaplen: number): CbpfInsn[] {
  const plain = layout(threaded(decisionGraph(pred), true), snaplen)
  const longer = writtenOut(pred)
  const tests = testsOf(longer)
  // Writing out a set always makes more tests: no more, and it is the same predicate.
  if (tests > LARGEST || tests === testsOf(pred)) return plain
  const other = layout(threaded(decisionGraph(longer), true), snaplen)
  return other.length < plain.length ? other : plain
}

function refused(message: string): Outcome<readonly CbpfInsn[]> {
  const diagnostic: Diagnostic = { severity: 'error', code: 'codegen/cbpf', message }
  return { diagnostics: [diagnostic] }
}

/** What holds of the packets that pass. @throws Beyond */
function passes({ base, chains }: Filter): Pred {
  const [entry] = base
  if (!entry || base.length > 1 || entry.view !== 'pcap' || entry.family !== 'any')
    throw new Beyond("a filter that is not in libpcap's view")
  const { rules } = chains.find(({ name }) => name === entry.chain)!
  const policy = entry.policy === 'accept' ? TRUE : FALSE
  return rules.reduceRight((rest: Pred, rule) => decide(rule, rest), policy)
}

function decide({ steps }: Rule, rest: Pred): Pred {
  const matches: Pred[] = []
  for (const step of steps) {
    if (step.kind === 'match') matches.push(step.pred)
    if (['limit', 'quota', 'nth', 'table', 'recent', 'turn', 'set'].includes(step.kind))
      throw new Beyond(`the step ${step.kind}`)
    if (step.kind === 'vmap') throw new Beyond(`the map ${step.map}`)
    if (step.kind !== 'verdict' || step.verdict.kind === 'continue') continue
    const matched = matches.length === 0 ? TRUE : and(...matches)
    if (step.verdict.kind === 'accept') return or(matched, rest)
    if (step.verdict.kind === 'drop') return and(not(matched), rest)
    throw new Beyond(`the verdict ${step.verdict.kind}`)
  }
  return rest
}
