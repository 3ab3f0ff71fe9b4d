// Chains and rules as functions: one for each rule, with its text above it, one for each chain, one for each place where packets enter.

import {
  ACTS,
  actText,
  type BaseChain,
  type Pred,
  placeOf,
  type Rule,
  type Step,
  termsOf,
  type Verdict,
} from '@netsieve/ir'
import { isMetadata } from '@netsieve/packet'
import { locate } from './locate.ts'
import { unless } from './preds.ts'
import { type Scope, Unsupported } from './scope.ts'
import { finder, setOf } from './sets.ts'
import { countNamed, within } from './state.ts'
import { asked, call } from './terms.ts'
import { identifier, inComment, lineOf } from './text.ts'

/** `base(p)`: ACCEPT or DROP by one base chain. */
export function baseFunction(scope: Scope, base: BaseChain): string {
  const { unit, view } = scope
  const name = unit.unique(`base_${identifier(base.chain)}`)
  return unit.need(
    name,
    () => {
      const located = locates(scope, base) ? [`!${locate(scope)}(p)`] : []
      const chain = chainFunction(scope, base.chain)
      const policy = base.policy === 'accept' ? 'ACCEPT' : 'DROP'
      const families = {
        any: undefined,
        ip: 'p->nfproto == NONE',
        ipv4: 'p->nfproto != 2',
        ipv6: 'p->nfproto != 10',
      } as const
      const unseen = [...located, families[base.family]].filter((part) => part !== undefined)
      const asked = unseen.length > 0 ? `	if (${unseen.join(' || ')})\n		return ACCEPT; /* not asked */\n` : ''
      return `/* Hook ${inComment(base.hook)}, seen as ${view.title} sees packets; policy ${base.policy}. */
static __always_inline int ${name}(struct packet *p)
{
	int verdict;

${asked}	verdict = ${chain}(p);
	return verdict == ACCEPT || verdict == DROP ? verdict : ${policy};
}`
    },
    'rules',
  )
}

/** Whether anything depends on where headers are. */
function locates({ filter, view }: Scope, base: BaseChain): boolean {
  if (view.reach === 'ip' || base.family !== 'any' || (filter.state ?? []).length > 0) return true
  return [...termsOf(filter, [base.chain])].some((term) => {
    if (term.kind === 'load' || term.kind === 'raw') return term.base !== 'link'
    if (term.kind === 'find') return true
    return term.kind === 'field' && !isMetadata(term.field) && placeOf(term.field)?.base !== 'link'
  })
}

/** `chain(p)`: what a chain says of a packet. Chains that are called from several places are functions of the program too. */
function chainFunction(scope: Scope, name: string): string {
  const { unit, chains, calls } = scope
  const chain = chains.get(name)
  if (!chain) throw new Error(`chain ${name} is not defined`)
  return unit.called(`${scope.name('chain')} ${name}`, () => {
    const rules = chain.rules.map((rule) => ruleFunction(scope, rule))
    const asked = rules.map((rule) => `	if ((verdict = ${rule}(p)) != NEXT)\n		return verdict;\n`)
    const how = (calls.get(name) ?? 0) > 1 ? '__noinline' : '__always_inline'
    const own = unit.unique(scope.name(`chain_${identifier(name)}`))
    const body = rules.length > 0 ? `	int verdict;\n\n${asked.join('')}	return NEXT;` : '	(void)p;\n	return NEXT;'
    return {
      name: own,
      text: `/* Chain ${inComment(name)} */\nstatic ${how} int ${own}(${parameter(scope)})\n{\n${body}\n}`,
    }
  })
}

/** What rules and chains are given; they may set metadata in it. */
const parameter = ({ metadata }: Scope): string => `${metadata.locals.size > 0 ? '' : 'const '}struct packet *p`

function ruleFunction(scope: Scope, rule: Rule): string {
  const name = scope.name(`rule_${rule.id}`)
  return scope.unit.need(
    name,
    () => {
      const lines = inRule(rule, () => steps(scope, rule)).join('\n')
      const unused = /\bp\b/.test(lines) ? '' : '	(void)p;\n'
      return `/* ${lineOf(rule.span)}${inComment(rule.text)} */
static __always_inline int ${name}(${parameter(scope)})
{
${unused}${lines}
}`
    },
    'rules',
  )
}

/** What cannot be said is said of its rule. @throws Unsupported */
function inRule<T>(rule: Rule, write: () => T): T {
  try {
    return write()
  } catch (error) {
    if (!(error instanceof Unsupported) || error.span) throw error
    throw new Unsupported(error.message, rule.span)
  }
}

/** The statements of a rule; the last one leaves it. */
function steps(scope: Scope, rule: Rule): string[] {
  const lines: string[] = []
  for (const step of rule.steps) {
    switch (step.kind) {
      case 'match':
        for (const pred of conjuncts(step.pred)) {
          if (pred.kind === 'const' && !pred.value) return [...lines, '	return NEXT;']
          const seen = step.view ? scope.seenAs(step.view) : scope
          if (pred.kind !== 'const') lines.push(`	if (${unless(seen, pred)})\n		return NEXT;`)
        }
        break
      case 'count':
        lines.push(step.counter === undefined ? '	/* counted here */' : `	${countNamed(scope, step.counter)}`)
        break
      case 'log':
        // What is written is for those who read it; no verdict depends on it.
        lines.push(`	/* log: ${inComment(step.words)} */`)
        break
      case 'limit':
      case 'quota':
      case 'nth':
        lines.push(`	if (${step.over ? '' : '!'}${within(scope, step)})\n		return NEXT;`)
        break
      case 'set':
        lines.push(
          `	p->${identifier(step.field)} = ${asked(scope, step.term)};\n	p->${identifier(step.field)}_known = true;`,
        )
        break
      case 'verdict':
        return [...lines, `	return ${verdict(scope, step.verdict)};`]
      case 'vmap':
        return [...lines, verdictMap(scope, step), '	return NEXT;']
    }
  }
  return [...lines, '	return NEXT;']
}

/** A switch over what a verdict map holds for a key. */
function verdictMap(scope: Scope, { map, terms }: Step & { kind: 'vmap' }): string {
  const { name, data } = finder(scope, setOf(scope, map))
  const cases = data.flatMap((one, i) =>
    one.verdict ? [`	case ${i + 1}:\n		return ${verdict(scope, one.verdict)};`] : [],
  )
  return [`	switch (${call(scope, name, terms)}) {`, ...cases, '	}'].join('\n')
}

/** What must hold one after another. */
function conjuncts(pred: Pred): readonly Pred[] {
  return pred.kind === 'and' ? pred.args.flatMap(conjuncts) : [pred]
}

function verdict(scope: Scope, what: Verdict): string {
  switch (what.kind) {
    case 'accept':
      return 'ACCEPT'
    case 'drop':
      return 'DROP'
    case 'return':
      return 'RETURN'
    case 'continue':
      return 'NEXT'
    case 'act':
      return `${ACTS[what.act].decision === 'pass' ? 'ACCEPT' : 'DROP'} /* ${inComment(actText(what))} */`
    case 'jump':
      return `${comesBack(scope, 'jump', 'RETURN', 'NEXT')}(${chainFunction(scope, what.chain)}(p))`
    case 'goto':
      return `${comesBack(scope, 'go_to', 'NEXT', 'RETURN')}(${chainFunction(scope, what.chain)}(p))`
  }
}

/** A called chain's verdict for the rule that called: one that decides nothing comes back as another. */
function comesBack({ unit }: Scope, name: string, from: string, to: string): string {
  return unit.need(name, () => `static __always_inline int ${name}(int verdict)
{
	return verdict == ${from} ? ${to} : verdict;
}`) // biome-ignore format: C
}
