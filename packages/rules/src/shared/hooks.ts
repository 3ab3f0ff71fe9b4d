// Netfilter's hooks: which ones a packet passes on its way to another, and which one a ruleset is asked about.

import type { Diagnostics, Span } from '@netsieve/diag'

/** The hooks a packet passes up to each hook, in order. */
const PATHS = {
  ingress: ['ingress'],
  prerouting: ['ingress', 'prerouting'],
  input: ['ingress', 'prerouting', 'input'],
  forward: ['ingress', 'prerouting', 'forward'],
  output: ['output'],
  postrouting: ['postrouting'],
} as const satisfies Record<string, readonly string[]>

export type Hook = keyof typeof PATHS

export const isHook = (name: string): name is Hook => Object.hasOwn(PATHS, name)

export const HOOKS = Object.keys(PATHS) as readonly Hook[]

export const hookPath = (hook: Hook): readonly Hook[] => PATHS[hook]

export interface HookUse {
  readonly hook: Hook
  /** It has rules, or a policy that drops: not only a declared chain that accepts. */
  readonly busy: boolean
}

/**
 * The hook whose packets the ruleset is asked about: the one asked for, else `input`, else the only other one with rules (told by a note).
 * Undefined after saying why there is no choice: `rules/hook`, `rules/hook-unknown`, `rules/hook-ambiguous`.
 */
export function chooseHook(
  uses: readonly HookUse[],
  asked: string | undefined,
  diagnostics: Diagnostics,
  span?: Span,
): Hook | undefined {
  const present = HOOKS.filter((hook) => uses.some((use) => use.hook === hook))
  if (asked !== undefined) return checkHook(present, asked, diagnostics, span)
  const busy = HOOKS.filter((hook) => uses.some((use) => use.hook === hook && use.busy))
  if (busy.includes('input') || (busy.length === 0 && present.includes('input'))) return 'input'
  const candidates = busy.length > 0 ? busy : present
  const ends = candidates.filter(
    (hook) => !candidates.some((other) => other !== hook && PATHS[other].some((h) => h === hook)),
  )
  const [only, ...others] = ends
  if (only === undefined) {
    diagnostics.error('rules/hook', 'no chain here is attached to a hook: no packet would come to these rules', span)
    return undefined
  }
  if (others.length > 0) {
    diagnostics.error('rules/hook-ambiguous', `there are rules at several hooks: ${ends.join(', ')}`, span, {
      expected: ends.map((hook) => `--hook ${hook}`),
    })
    return undefined
  }
  diagnostics.add({
    severity: 'note',
    code: 'rules/hook-chosen',
    message: `there are no rules for packets to this machine (hook input): taking hook ${only}`,
    ...(span && { span }),
  })
  return only
}

function checkHook(present: readonly Hook[], asked: string, diagnostics: Diagnostics, span?: Span): Hook | undefined {
  if (!isHook(asked)) {
    diagnostics.error('rules/hook-unknown', `there is no hook ${asked}`, undefined, { expected: HOOKS })
    return undefined
  }
  if (PATHS[asked].some((hook) => present.includes(hook))) return asked
  const message = `no chain here sees packets at hook ${asked}`
  diagnostics.error('rules/hook', message, span, { expected: present.map((hook) => `--hook ${hook}`) })
  return undefined
}

/** The profile asked for, or a syntax's first one. Undefined after an error if the syntax has no such profile. */
export function chooseProfile<Name extends string>(
  profiles: readonly [Name, ...Name[]],
  asked: string | undefined,
  diagnostics: Diagnostics,
): Name | undefined {
  if (asked === undefined) return profiles[0]
  const found = profiles.find((profile) => profile === asked)
  if (!found)
    diagnostics.error('rules/profile', `this syntax has no profile ${asked}`, undefined, { expected: profiles })
  return found
}
