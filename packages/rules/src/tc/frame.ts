// What stands before the classifier of a tc filter command (tc(8)): the verb, where the filter is, for which protocol, with which priority.

import type { Diagnostics, Span } from '@netsieve/diag'
import type { Node } from '../grammar/match.ts'
import { type Line, nodeWord, type Word } from '../shared/index.ts'
import { ALL, longNumber, readEtherType, shortNumber } from './numbers.ts'

export type TcHook = 'ingress' | 'egress'

export interface Frame {
  /** The command as written, from its first word to its last. */
  readonly text: string
  readonly span: Span
  readonly verb: 'add' | 'replace'
  readonly hook: TcHook
  readonly dev?: string
  readonly chain: number
  /** The Ethernet type, or `all`. */
  readonly protocol: number | 'all'
  readonly protocolSpan: Span
  /** 1 to 65535, or 0: to be chosen when the filter is added. */
  readonly prio: number
  readonly prioSpan: Span
}

const PARENTS: Readonly<Record<string, TcHook>> = {
  'ffff:': 'ingress',
  'ffff:0': 'ingress',
  'ffff:fff1': 'ingress',
  'ffff:fff2': 'ingress',
  'ffff:fff3': 'egress',
}

/** Filters of a qdisc or of one of its classes choose among those that send: packets leave whatever they choose, but for what is dropped. */
function parentHook(parent: string): TcHook | undefined {
  const qdisc = /^(?!ffff:|0*:)[0-9a-f]{1,4}:[0-9a-f]{0,4}$/i.test(parent)
  return PARENTS[parent] ?? (qdisc ? 'egress' : undefined)
}

/** The rules `command` and `option` of a grammar that has them. What is wrong goes to `diagnostics`; the value is only whole if nothing was. */
export function readFrame(
  node: Node,
  line: Line,
  diagnostics: Diagnostics,
): { readonly frame: Frame /** Each classifier has handles of its own. */; readonly handle: Word | undefined } {
  const { text, span } = line
  let handle: Word | undefined
  const frame: { -readonly [Key in keyof Frame]: Frame[Key] } = {
    text,
    span,
    verb: 'add',
    hook: 'ingress',
    chain: 0,
    protocol: 'all',
    protocolSpan: span,
    prio: 0,
    prioSpan: span,
  }
  const word = (part: Node) => nodeWord(line, part)
  const wrong = ({ text, span }: Word, what: string, expected: string) =>
    diagnostics.error('rules/number', `\`${text}\` is no ${what}`, span, { expected: [expected] })
  const unsupported = ({ span }: Word, what: string, hint?: string) =>
    diagnostics.error('rules/unsupported', `unsupported: ${what}`, span, { ...(hint && { hint }) })
  const read: Readonly<Record<string, (value: Word, named: boolean) => void>> = {
    dev: ({ text }) => {
      frame.dev = text
    },
    place: (value, named) => {
      const hook = named ? parentHook(value.text) : value.text === 'egress' ? 'egress' : 'ingress'
      if (hook && value.text !== 'root') frame.hook = hook
      else
        unsupported(
          value,
          `filters at ${value.text}`,
          'ingress and egress of clsact, and qdiscs by their numbers, are modelled',
        )
    },
    protocol: (value) => {
      frame.protocolSpan = value.span
      const number = readEtherType(value, diagnostics, ALL)
      if (number === ALL) frame.protocol = 'all'
      else if (number !== undefined && number < 0x600) unsupported(value, 'frames without an Ethernet type')
      else if (number !== undefined) frame.protocol = number
    },
    prio: (value) => {
      const prio = shortNumber(value.text)
      if (prio === undefined) wrong(value, 'priority', 'a number from 1 to 65535')
      else [frame.prio, frame.prioSpan] = [prio, value.span]
    },
    handle: (value) => {
      handle = value
    },
    chain: (value) => {
      // The upper four bits of a verdict that goes to a chain say so.
      const chain = longNumber(value.text)
      if (chain === undefined || chain > 0x0fff_ffff) wrong(value, 'chain', 'a number of 28 bits')
      else frame.chain = chain
    },
    block: (value) => unsupported(value, 'shared blocks'),
  }
  const command = node.children.find(({ rule }) => rule === 'command')
  if (command) {
    const verb = word(command.children.find(({ rule }) => rule === 'verb')!)
    if (verb.text === 'add' || verb.text === 'replace') frame.verb = verb.text
    else
      diagnostics.error('rules/unsupported', `unsupported: \`tc filter ${verb.text}\``, verb.span, {
        expected: ["'add'", "'replace'"],
      })
  }
  const seen = new Set<string>()
  for (const { children } of node.children.filter(({ rule }) => rule === 'option')) {
    const option = children.find(({ rule }) => rule !== 'S')!
    if (seen.has(option.rule)) diagnostics.error('rules/twice', `${option.rule} is given twice`, word(option).span)
    seen.add(option.rule)
    const value = option.children.find(({ rule }) => rule === 'value')
    read[option.rule]!(word(value && option.rule !== 'block' ? value : option), value !== undefined)
  }
  return { frame, handle }
}
