// ethtool rules to IR, for an ideal device: it has every field of uapi linux/ethtool.h, room for every location, and asks the lowest
// location first. Rules without `loc` take the highest free one, so that the newest of them is asked first, after all that have one.

import { Diagnostics, type Outcome } from '@netsieve/diag'
import { cmp, type Filter, maskedEqual, type Pred, type Rule, type Step, type Verdict } from '@netsieve/ir'
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

interface Numbered {
  readonly rule: EthtoolRule
  readonly id: number
}

/** Applies insertions and deletions; the rules that are left, first asked first, numbered as they stand in the text. */
function inOrder({ commands }: EthtoolAst, diagnostics: Diagnostics): Rule[] {
  const placed = new Map<bigint, Numbered>()
  const chosen: Numbered[] = []
  let id = 0
  for (const command of commands) {
    const old = command.loc === undefined ? undefined : placed.get(command.loc)
    if (command.kind === 'delete') {
      if (old) placed.delete(command.loc)
      else diagnostics.error('ethtool/no-rule', `there is no rule at loc ${command.loc}`, command.span)
      continue
    }
    const numbered = { rule: command, id: id++ }
    if (command.loc === undefined) chosen.push(numbered)
    else placed.set(command.loc, numbered)
    if (old) {
      const notes = [{ message: 'of this one', span: old.rule.span }]
      const message = `this rule takes the place of another at loc ${command.loc}`
      diagnostics.warning('ethtool/replaced', message, command.span, { notes })
    }
  }
  const ordered = [...placed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, numbered]) => numbered)
  return [...ordered, ...chosen.reverse()].map(({ rule, id }) => ({
    id,
    text: rule.text,
    span: rule.span,
    steps: steps(rule),
  }))
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
  const verdict: Verdict =
    action === 'drop' ? { kind: 'drop' } : { kind: 'act', act: 'steer', args: [String(action.queue)] }
  out.push({ kind: 'verdict', verdict, span: actionSpan })
  return out
}
