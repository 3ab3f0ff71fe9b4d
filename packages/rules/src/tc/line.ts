// One line of tc through the grammar of a classifier; what tc has beside the classifiers that are read here is told by its name.

import type { Diagnostics } from '@netsieve/diag'
import type { Grammar, Node } from '../grammar/match.ts'
import { type Line, matchLine } from '../shared/index.ts'

/** Classifiers of tc-filter(8), and what scripts make before filters. */
const CLASSIFIERS = ['basic', 'bpf', 'cgroup', 'flow', 'fw', 'route', 'rsvp', 'rsvp6', 'tcindex']
const SPOKEN = ['flower', 'matchall', 'u32']
const FOREIGN: ReadonlyMap<string, string> = new Map([
  ...CLASSIFIERS.map((name) => [name, `the classifier ${name}`] as const),
  ...SPOKEN.map((name) => [name, `the classifier ${name} together with others`] as const),
  ['qdisc', 'tc qdisc: filters alone are read'],
])

/** Matches a command of a filter; a diagnostic if it does not fit. The node's offsets count from the command's start. */
export function matchFilter(grammar: Grammar, line: Line, diagnostics: Diagnostics): Node | undefined {
  return matchLine(grammar, 'filter', line, diagnostics, FOREIGN)
}
