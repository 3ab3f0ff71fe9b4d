// ethtool rules to IR, for an ideal device: it has every field of uapi linux/ethtool.h, room for every location, and asks the lowest
// location first. Rules without `loc` take the highest free one, so that the newest of them is asked first, after all that have one.

import { Diagnostics, type Outcome } from '@netsieve/diag'
import { cmp, type Filter, maskedEqual, type Pred, type Rule, type Step } from '@netsieve/ir'
import { ETHERTYPE } from '@netsieve/packet'
import type { LowerOptions } from '../front.ts'
import type { EthtoolAst, EthtoolRule } from './ast.ts'
import { FLOW_TYPES } from './words.ts'

export function lower(ast: EthtoolAst, { hook = 'ingress' }: LowerOptions): Outcome<Filter> {
  const diagnostics = new Diagnostics()
  if (hook !== 'ingress')
    diagnostics.error('rules/hook', `a device has no hook ${hook}`, undefined, { expected: ["'ingress'"] })
  const devices = [...new Set(ast.commands.flatMap(({ device }) => device ?? []))]
  const stray = ast.commands.find(({ device }) => device !== undefined && device !== devices[0])
  if (stray)
    diagnostics.error('rules/unsupported', `unsupported: rules of several devices (${devices.join(', ')})`, stray.span)
  const rules = inOrder(ast, diagnostics)
  if (rules.length === 0 && !diagnostics.hasErrors) diagnostics.error('rules/empty', 'there is no rule')
  return diagnostics.outcome<Filter>({
    syntax: 'ethtool',
    profile: 'ethtool',
    base: [{ chain: 'ingress', hook: 'ingress', view: 'ethtool', family: 'any', policy: 'accept' }],
    chains: [{ name: 'ingress', rules }],
  })
}

/** Applies insertions and deletions; the rules that are left, first asked first, numbered as they stand in the text. */
function inOrder({ commands }: EthtoolAst, diagnostics: Diagnostics): Rule[] {
  const table: { readonly rule: EthtoolRule; readonly id: number }[] = []
  let id = 0
  for (const command of commands) {
    const at = table.findIndex(({ rule }) => rule.loc !== undefined && rule.loc === command.loc)
    if (command.kind === 'delete') {
      if (at >= 0) table.splice(at, 1)
      else diagnostics.error('ethtool/no-rule', `there is no rule at loc ${command.loc}`, command.span)
      continue
    }
    if (at >= 0) {
      diagnostics.warning(
        'ethtool/replaced',
        `this rule takes the place of another at loc ${command.loc}`,
        command.span,
        {
          notes: [{ message: 'of this one', span: table[at]!.rule.span }],
        },
      )
      table.splice(at, 1)
    }
    table.push({ rule: command, id: id++ })
  }
  const placed = table.filter(({ rule }) => rule.loc !== undefined)
  placed.sort((a, b) => (a.rule.loc! < b.rule.loc! ? -1 : 1))
  const chosen = table.filter(({ rule }) => rule.loc === undefined).reverse()
  return [...placed, ...chosen].map(({ rule, id }) => ({ id, text: rule.text, span: rule.span, steps: steps(rule) }))
}

function steps({ type, typeSpan, fields, action, actionSpan }: EthtoolRule): Step[] {
  const { family, protocol } = FLOW_TYPES[type]!
  const out: Step[] = []
  const add = (pred: Pred, span: EthtoolRule['span']) => out.push({ kind: 'match', pred, span })
  if (family) {
    add(cmp('meta.protocol', '==', ETHERTYPE[family]), typeSpan)
    // The device knows a packet of a family by a sound header, which every field of it asks for too.
    if (protocol !== undefined) add(cmp('meta.l4proto', '==', protocol), typeSpan)
    else add(cmp(family === 'ipv4' ? 'ipv4.version' : 'ipv6.version', '==', family === 'ipv4' ? 4 : 6), typeSpan)
  }
  for (const { row, value, mask, span } of fields) {
    // An empty mask asks nothing, not even that the field is there.
    if (mask !== 0n) add(maskedEqual(row.field, value, mask), span)
  }
  out.push({ kind: 'verdict', verdict: { kind: action }, span: actionSpan })
  return out
}
