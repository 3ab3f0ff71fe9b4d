// Chains and rules as functions: one for each rule, with its text above it, one for each chain, one for each place where packets enter. Of long
// filters they are given the values that they ask for instead of the packet (values.ts), in functions of their own (parts.ts).

import {
  ACTS,
  actText,
  type BaseChain,
  type Chain,
  type Pred,
  placeOf,
  type Rule,
  type Step,
  termsOf,
  type Verdict,
} from '@netsieve/ir'
import type { MetadataId } from '@netsieve/packet'
import { isMetadata } from '@netsieve/packet'
import { locate } from './locate.ts'
import type { Parts } from './parts.ts'
import { unless } from './preds.ts'
import { contextOf } from './prelude.ts'
import { type Scope, Unsupported } from './scope.ts'
import { finder, setOf } from './sets.ts'
import { beyond, countNamed, turnOf } from './state.ts'
import { fails } from './tables.ts'
import { asked, call } from './terms.ts'
import { identifier, inComment, lineOf } from './text.ts'
import type { Values } from './values.ts'

/** `base(p)`: ACCEPT or DROP by one base chain. */
export function baseFunction(scope: Scope, base: BaseChain): string {
  const { unit } = scope
  const name = unit.unique(`base_${identifier(base.chain)}`)
  return unit.need(
    name,
    () => {
      const chain = chainFunction(scope, base.chain)
      const asked = unseen(scope, base, 'p')
      return `/* ${titleOf(scope, base)} */
static __always_inline int ${name}(struct packet *p)
{
	int verdict;

${asked ? `	if (${asked})\n		return ACCEPT; /* not asked */\n` : ''}	verdict = ${chain}(p);
	return ${decided(base)};
}`
    },
    'rules',
  )
}

/**
 * The same of a filter that is divided, `base(ctx, v)`; `opening`: the statements that make a packet \`p\` of the context, and end with DROP where that
 * fails.
 */
export function baseOfValues(
  scope: Scope & { readonly values: Values },
  base: BaseChain,
  opening: () => readonly string[],
): string {
  const { unit, values, type } = scope
  const name = unit.unique(`base_${identifier(base.chain)}`)
  const context = `${contextOf(type)} *ctx`
  return unit.need(
    name,
    () => {
      const chain = chainFunction(scope, base.chain)
      const ask = unit.unique(`ask_${identifier(base.chain)}`)
      unit.need(ask, () => {
        const asked = unseen(scope, base, '&p')
        const fetched = values.fetched(unit)
        const found = [...(asked ? [`	if (${asked})\n		return ACCEPT; /* not asked */`] : []), ...fetched]
        const lines = [...opening(), ...(found.length > 0 ? found : ['	(void)p;'])]
        return `/* Fetches what rules of ${inComment(base.chain)} ask of a packet. NEXT: they are to be asked. */
__noinline int ${ask}(${context}, struct values *v)
{
${lines.join('\n')}
	return NEXT;
}`
      })
      return `/* ${titleOf(scope, base)} */
static __always_inline int ${name}(${context}, struct values *v)
{
	int verdict = ${ask}(ctx, v);

	if (verdict != NEXT)
		return verdict;
	verdict = ${chain}(v);
	return ${decided(base)};
}`
    },
    'rules',
  )
}

const titleOf = ({ view }: Scope, { hook, policy }: BaseChain): string =>
  `Hook ${inComment(hook)}, seen as ${view.title} sees packets; policy ${policy}.`

const decided = ({ policy }: BaseChain): string =>
  `verdict == ACCEPT || verdict == DROP ? verdict : ${policy === 'accept' ? 'ACCEPT' : 'DROP'}`

/** The condition of packets that a base chain is not asked about; nothing is known of a packet before. */
function unseen(scope: Scope, base: BaseChain, packet: 'p' | '&p'): string | undefined {
  const located = locates(scope, base) ? [`!${locate(scope)}(${packet})`] : []
  const nfproto = packet === 'p' ? 'p->nfproto' : 'p.nfproto'
  const families = { any: [], ip: [`${nfproto} == NONE`], ipv4: [`${nfproto} != 2`], ipv6: [`${nfproto} != 10`] }
  const parts = [...located, ...families[base.family]]
  return parts.length > 0 ? parts.join(' || ') : undefined
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
  const { unit, chains, calls, parts } = scope
  const chain = chains.get(name)
  if (!chain) throw new Error(`chain ${name} is not defined`)
  return unit.called(`${scope.name('chain')} ${name}`, () => {
    const own = unit.unique(scope.name(`chain_${identifier(name)}`))
    const title = `Chain ${inComment(name)}`
    if (parts) return { name: own, text: dividedChain(scope, parts, chain, { own, title }) }
    const how = (calls.get(name) ?? 0) > 1 ? 'static __noinline' : 'static __always_inline'
    return { name: own, text: inTurn(scope, rulesOf(scope, chain.rules), { how, own, title }) }
  })
}

/** A chain of a filter that is divided: a global function, or where it is long several that are called one after the other. */
function dividedChain(scope: Scope, parts: Parts, chain: Chain, { own, title }: Omit<Heading, 'how'>): string {
  const { unit } = scope
  const pieces = parts.cut(chain)
  if (pieces.length <= 1) {
    const how = parts.functions.has(chain.name) ? GLOBAL : 'static __always_inline'
    return inTurn(scope, rulesOf(scope, chain.rules), { how, own, title })
  }
  const names = pieces.map((rules, i) => {
    const part = unit.unique(`${own}_part_${i + 1}`)
    const heading = { how: GLOBAL, own: part, title: `${title}, part ${i + 1} of ${pieces.length}` }
    return unit.need(part, () => inTurn(scope, rulesOf(scope, rules), heading), 'rules')
  })
  return inTurn(scope, names, { how: 'static __always_inline', own, title })
}

const GLOBAL = '__noinline'

interface Heading {
  readonly how: string
  readonly own: string
  readonly title: string
}

const rulesOf = (scope: Scope, rules: readonly Rule[]): string[] => rules.map((rule) => ruleFunction(scope, rule))

/** A function that asks others in turn until one decides. */
function inTurn(scope: Scope, functions: readonly string[], { how, own, title }: Heading): string {
  const given = packetOf(scope)
  const asked = functions.map((one) => `	if ((verdict = ${one}(${given})) != NEXT)\n		return verdict;\n`)
  // A verifier takes it that whoever calls a global function may give it nothing.
  const there = how === GLOBAL ? `	if (!${given})\n		return DROP;\n` : ''
  const start = asked.length > 0 ? `	int verdict;\n\n${there}` : there || `	(void)${given};\n`
  return `/* ${title} */\n${how} int ${own}(${parameter(scope)})\n{\n${start}${asked.join('')}	return NEXT;\n}`
}

/** What rules and chains are given; they may set metadata in it. */
const parameter = ({ metadata, values }: Scope): string =>
  `${metadata.locals.size > 0 ? '' : 'const '}struct ${values ? 'values *v' : 'packet *p'}`

const packetOf = ({ values }: Scope): string => (values ? 'v' : 'p')

function ruleFunction(scope: Scope, rule: Rule): string {
  const name = scope.name(`rule_${rule.id}`)
  return scope.unit.need(
    name,
    () => {
      const lines = inRule(rule, () => steps(scope, rule)).join('\n')
      const given = packetOf(scope)
      const unused = new RegExp(`\\b${given}\\b`).test(lines) ? '' : `	(void)${given};\n`
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
        lines.push(`	if (${beyond(scope, step)})\n		return NEXT;`)
        break
      case 'table':
      case 'recent':
        lines.push(`	if (${fails(scope, step)})\n		return NEXT;`)
        break
      case 'turn':
        lines.push(...put(scope, step.field, turnOf(scope, step.state)))
        break
      case 'set':
        lines.push(...setting(scope, step))
        break
      case 'verdict':
        return [...lines, `	return ${verdict(scope, step.verdict)};`]
      case 'vmap':
        return [...lines, verdictMap(scope, step), '	return NEXT;']
    }
  }
  return [...lines, '	return NEXT;']
}

/** The statements that set metadata. */
function setting(scope: Scope, { field, term }: Step & { kind: 'set' }): string[] {
  return put(scope, field, asked(scope, term))
}

function put({ values }: Scope, field: MetadataId, value: string): string[] {
  if (!values) return [`	p->${identifier(field)} = ${value};`, `	p->${identifier(field)}_known = true;`]
  return [`	v->${values.own(field).name} = ${value};`]
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
      return `${comesBack(scope, 'jump', 'RETURN', 'NEXT')}(${chainFunction(scope, what.chain)}(${packetOf(scope)}))`
    case 'goto':
      return `${comesBack(scope, 'go_to', 'NEXT', 'RETURN')}(${chainFunction(scope, what.chain)}(${packetOf(scope)}))`
  }
}

/** A called chain's verdict for the rule that called: one that decides nothing comes back as another. */
function comesBack({ unit }: Scope, name: string, from: string, to: string): string {
  return unit.need(name, () => `static __always_inline int ${name}(int verdict)
{
	return verdict == ${from} ? ${to} : verdict;
}`) // biome-ignore format: C
}
