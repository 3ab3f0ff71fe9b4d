// `netsieve lint`: rules that do nothing, as warnings at their places, with the rules that take their packets.

import { type Diagnostic, position, renderAll, type Span } from '@netsieve/diag'
import type { Command } from 'commander'
import { lintRules } from '../lint.ts'
import { nameOf, out, readText, Trouble } from './io.ts'
import { compileOptions, type NameFlags, understood, withNameOptions } from './rules.ts'

export interface LintFlags extends NameFlags {
  readonly syntax?: string
  readonly hook?: string
  readonly profile?: string
  readonly failOn?: string
  readonly json?: boolean
}

/** What lint can find, by the last part of its code. */
const FINDINGS = ['shadowed', 'redundant', 'unreachable', 'never', 'unused'] as const

export function define(command: Command, done: (exitCode: number) => void): void {
  withNameOptions(command)
    .argument('<file>', 'file of rules; - is stdin')
    .option('-s, --syntax <name>', 'the syntax; by default what the rules look like')
    .option('--hook <name>', 'the hook whose packets these are; by default each that there are rules for')
    .option('--profile <name>', 'whose meaning the rules have')
    .option('--fail-on <findings>', `exit with 1 if there are any of these: any, or some of ${FINDINGS.join(',')}`)
    .option('--json', 'one object a finding')
    .addHelpText('after', '\nExit code: 0, 1 if something was found that --fail-on names, 2 trouble.')
    .action((file: string, flags: LintFlags) => done(lintCommand(file, flags)))
}

/** @returns exit code: 0, or 1 if something was found that `--fail-on` names */
export function lintCommand(file: string, flags: LintFlags): number {
  const fatal = fatalOf(flags.failOn)
  const { syntax, ...options } = compileOptions({ ...flags, prog: 'xdp' })
  if (syntax === 'cbpf') throw new Trouble('error: unsupported: cbpf has no rules to look at [cli/syntax]')
  const rules = readText(file)
  const { found, hooks, profile } = understood(rules, syntax, () =>
    lintRules(rules, { ...options, ...(syntax && { syntax }) }),
  )
  if (flags.json) for (const one of found) out(`${JSON.stringify(plain(one))}\n`)
  else {
    const under = `at the hook${hooks.length > 1 ? 's' : ''} ${hooks.join(', ')}, under the profile ${profile}`
    out(
      found.length === 0
        ? `nothing to say of ${nameOf(file)} ${under}\n`
        : `${renderAll(found)}${found.length} found ${under}\n`,
    )
  }
  return found.some(({ code }) => fatal.has(code)) ? 1 : 0
}

/** @throws Trouble for findings that there are not */
function fatalOf(text: string | undefined): ReadonlySet<string> {
  const names = text?.split(',') ?? []
  const unknown = names.find((name) => name !== 'any' && !FINDINGS.some((known) => known === name))
  if (unknown !== undefined)
    throw new Trouble(`error: --fail-on ${unknown}: there are any, ${FINDINGS.join(', ')} [cli/fail-on]`)
  return new Set((names.includes('any') ? FINDINGS : names).map((name) => `ir/${name}`))
}

function plain({ code, message, span, notes = [] }: Diagnostic): object {
  const place = span && { file: span.source.name, ...position(span.source, span.start) }
  return {
    v: 1,
    code,
    message,
    ...place,
    notes: notes.map((note) => ({ message: note.message, ...(note.span && placeOf(note.span, span)) })),
  }
}

/** The line of a note, and its file where that is another than what it is a note to. */
function placeOf({ source, start }: Span, to: Span | undefined): object {
  return { ...(source.name !== to?.source.name && { file: source.name }), line: position(source, start).line }
}
