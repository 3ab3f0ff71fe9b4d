// Tables to the IR: the base chains of the hook's path in the order in which packets come to them, and every chain below.

import { at, Diagnostics, type Outcome } from '@netsieve/diag'
import {
  type BaseChain,
  type Family,
  type Filter,
  type Chain as IrChain,
  type Rule as IrRule,
  PROFILES,
  type SetDef,
  type StateDef,
  type Step,
} from '@netsieve/ir'
import { CT_STATES } from '@netsieve/packet'
import type { LowerOptions } from '../front.ts'
import {
  chooseHook,
  chooseProfile,
  drawnAnew,
  type Hook,
  hookPath,
  nearest,
  type Word,
  warnUnused,
} from '../shared/index.ts'
import type { Chain, HookSpec, NftFamily, Rule, Ruleset, Table } from './ast.ts'
import { calledBy } from './lookups.ts'
import { Matches } from './match.ts'
import { warnMerged } from './merged.ts'
import { lowerStatement, type StatementPlace } from './statements.ts'
import { FAMILY_HOOKS } from './words.ts'

export const NFT_PROFILES = ['nft-6.18', 'nft-fragfix'] as const
type NftProfile = (typeof NFT_PROFILES)[number]

/** The kernel's NFT_JUMP_STACK_SIZE: a chain jumped to from more chains than this is refused. */
const DEEPEST = 16

const FAMILIES: Readonly<Record<NftFamily, Family>> = {
  ip: 'ipv4',
  ip6: 'ipv6',
  inet: 'ip',
  netdev: 'any',
  arp: 'any',
  bridge: 'any',
}

interface Base {
  readonly table: Table
  readonly chain: Chain
  readonly hook: HookSpec
}

export function lower(ruleset: Ruleset, options: LowerOptions): Outcome<Filter> {
  const diagnostics = new Diagnostics()
  const profile = chooseProfile(NFT_PROFILES, options.profile, diagnostics)
  if (!profile) return diagnostics.outcome<Filter>(undefined)
  const start = at(ruleset.source, 0, 0)
  const bases = ruleset.tables.flatMap(basesOf)
  const filters = bases.filter(({ hook }) => hook.type === 'filter')
  for (const { hook } of bases)
    if (hook.type !== 'filter')
      diagnostics.warning(
        'nft/type',
        `chains of the type ${hook.type} are left out: packets are taken as they are`,
        hook.span,
      )
  const [foreign] = ruleset.tables
  if (foreign && ruleset.tables.every(({ family }) => FAMILY_HOOKS[family].length === 0)) {
    diagnostics.error('nft/unsupported', `unsupported: tables of the family ${foreign.family}`, foreign.span)
    return diagnostics.outcome<Filter>(undefined)
  }
  if (filters.length === 0) {
    const chains = ruleset.tables.some((table) => [...table.chains.values()].some((chain) => chain.rules.length > 0))
    const message = chains
      ? 'no chain here is attached to a hook: no packet would come to these rules'
      : 'there are no rules here'
    diagnostics.error(chains ? 'rules/hook' : 'rules/empty', message, start, {
      expected: ["a base chain: 'type filter hook input priority 0;'"],
    })
    return diagnostics.outcome<Filter>(undefined)
  }
  const uses = filters.map(({ chain, hook }) => ({
    hook: hook.hook,
    busy: chain.rules.length > 0 || chain.policy?.verdict === 'drop',
  }))
  const hook = chooseHook(uses, options.hook, diagnostics, start)
  if (!hook) return diagnostics.outcome<Filter>(undefined)
  if (options.unused) for (const table of ruleset.tables) warnUnusedOf(table, diagnostics)
  const onPath = hookPath(hook).flatMap((each) => inOrder(filters, each))
  return diagnostics.outcome(new Lowering(ruleset, profile, diagnostics).filter(onPath))
}

/** Chains of a table that packets come to at no hook. */
function warnUnusedOf(table: Table, diagnostics: Diagnostics): void {
  if (FAMILY_HOOKS[table.family].length === 0) return
  const called = ({ rules }: Chain) =>
    rules.flatMap(({ steps }) => steps.flatMap((step) => calledBy(table, step).flatMap(({ text }) => table.chains.get(text) ?? []))) // biome-ignore format: one walk
  warnUnused(table.chains.values(), (chain) => chain.hook !== undefined, called, diagnostics)
}

function basesOf(table: Table): Base[] {
  return [...table.chains.values()].flatMap((chain) => (chain.hook ? [{ table, chain, hook: chain.hook }] : []))
}

/** By priority; of equal ones the kernel asks the newest first (measured on Linux 6.18). */
function inOrder(bases: readonly Base[], hook: Hook): Base[] {
  return bases
    .filter((base) => base.hook.hook === hook)
    .reverse()
    .sort((a, b) => a.hook.priority - b.hook.priority)
}

type Reached = Map<string, { readonly table: Table; readonly chain: Chain }>

class Lowering {
  private readonly ruleset: Ruleset
  private readonly profile: NftProfile
  private readonly diagnostics: Diagnostics
  private readonly state = new Map<string, StateDef>()
  private readonly sets = new Map<string, SetDef>()

  constructor(ruleset: Ruleset, profile: NftProfile, diagnostics: Diagnostics) {
    this.profile = profile
    this.ruleset = ruleset
    this.diagnostics = diagnostics
  }

  filter(bases: readonly Base[]): Filter {
    const reached: Reached = new Map()
    for (const { table, chain, hook } of bases) {
      this.reach(table, chain, [], reached)
      if (hook.hook === 'forward' || hook.hook === 'postrouting') this.warnHops(chain)
    }
    const rules = [...reached.values()].flatMap(({ chain }) => chain.rules).sort((a, b) => a.span.start - b.span.start)
    const ids = new Map(rules.map((rule, id) => [rule, id]))
    const chains = [...reached.values()].map(({ table, chain }) => this.chain(table, chain, ids))
    const kept = this.state.size > 0 ? { state: [...this.state.values()] } : {}
    this.others(reached)
    const base = bases.map((each) => baseChain(each, this.profile))
    return {
      syntax: 'nft',
      profile: this.profile,
      base,
      chains: drawnAnew({ base, chains }),
      ...kept,
      ...(this.sets.size > 0 && { sets: [...this.sets.values()] }),
    }
  }

  /** The kernel counts the hop before it asks the forward hook. */
  private warnHops(chain: Chain): void {
    for (const step of chain.rules.flatMap((rule) => rule.steps)) {
      if (step.kind !== 'match' || !['ttl', 'hoplimit'].includes(step.field.text)) continue
      const message = `the kernel has taken 1 off ${step.field.text} when it asks this chain; here it is compared as it was captured`
      this.diagnostics.warning('nft/hops', message, step.span)
    }
  }

  /** Walks the jumps from a chain: a jump to a chain that the walk is below closes a circle. */
  private reach(table: Table, chain: Chain, open: readonly Chain[], reached: Reached): void {
    reached.set(nameOf(table, chain.name), { table, chain })
    const path = [...open, chain]
    for (const step of chain.rules.flatMap((rule) => rule.steps)) {
      for (const called of calledBy(table, step)) this.call(table, called, path, reached)
    }
  }

  private call(table: Table, { text: name, span }: Word, path: readonly Chain[], reached: Reached): void {
    const next = table.chains.get(name)
    if (!next) this.missing(table, name, span)
    else if (next.hook) this.diagnostics.error('nft/chain', `${name} is a base chain: rules cannot jump to it`, span)
    else if (path.includes(next)) {
      const names = [...path.slice(path.indexOf(next)), next].map((each) => each.name)
      this.diagnostics.error('nft/loop', `the chains go in a circle: ${names.join(' → ')}`, span)
    } else if (path.length > DEEPEST)
      this.diagnostics.error('nft/deep', `chains are nested more than ${DEEPEST} deep here: the kernel refuses`, span)
    else if (!reached.has(nameOf(table, name))) this.reach(table, next, path, reached)
  }

  private missing(table: Table, name: string, span: Rule['span']): void {
    const known = [...table.chains.values()].filter((chain) => !chain.hook).map((chain) => chain.name)
    const meant = nearest(name, known)
    this.diagnostics.error('nft/chain', `the table ${table.name} has no chain \`${name}\``, span, {
      ...(known.length > 0 && { expected: known }),
      ...(meant && { hint: `did you mean ${meant}?` }),
    })
  }

  private chain(table: Table, chain: Chain, ids: ReadonlyMap<Rule, number>): IrChain {
    const rules = chain.rules.map((rule) =>
      lowerRule(table, rule, ids.get(rule) ?? 0, this.state, this.sets, this.diagnostics),
    )
    return { name: nameOf(table, chain.name), rules, span: chain.span }
  }

  /** Chains that no packet comes to: wrong is wrong there too, but what is not understood does not matter. */
  private others(reached: Reached): void {
    for (const table of this.ruleset.tables.filter(({ family }) => FAMILY_HOOKS[family].length > 0)) {
      for (const chain of table.chains.values()) {
        if (reached.has(nameOf(table, chain.name))) continue
        const aside = new Diagnostics()
        for (const rule of chain.rules) lowerRule(table, rule, 0, new Map(), new Map(), aside)
        this.diagnostics.addAll(
          aside.list.filter(({ severity, code }) => severity === 'error' && code !== 'nft/unsupported'),
        )
      }
    }
  }
}

function baseChain({ table, chain, hook }: Base, profile: NftProfile): BaseChain {
  const { views } = PROFILES[profile]
  return {
    chain: nameOf(table, chain.name),
    hook: hook.hook,
    view: table.family === 'netdev' ? views.netdev : views.ip,
    family: FAMILIES[table.family],
    policy: chain.policy?.verdict ?? 'accept',
    span: hook.span,
  }
}

function lowerRule(
  table: Table,
  rule: Rule,
  id: number,
  state: Map<string, StateDef>,
  sets: Map<string, SetDef>,
  diagnostics: Diagnostics,
): IrRule {
  const lookups = { table, made: sets, nameOf: (name: string) => nameOf(table, name), diagnostics }
  const matches = new Matches({ family: table.family, sets: table.sets, lookups, diagnostics })
  const fresh = (what: string) => `${what}.${id}.${state.size}`
  const place: StatementPlace = {
    family: table.family,
    prefix: nameOf(table, ''),
    objects: table.objects,
    fresh,
    number: (selector) => matches.number(selector, place),
    state,
    diagnostics,
  }
  const steps = rule.steps.flatMap((step): Step[] => {
    const { span } = step
    switch (step.kind) {
      case 'match':
        return matches.lower(step, place)
      case 'exists':
        return matches.lowerExistence(step)
      case 'vmap':
        return matches.vmap(step, place)
      case 'mapped':
        return matches.mapped(step, place)
      case 'buckets':
        return matches.buckets(step, place)
      case 'told':
        if (step.rewrites)
          diagnostics.warning('nft/rewrite', 'this changes packets: what comes after it sees them here as they came', span) // biome-ignore format: one message
        return [...(step.rewrites ? matches.mentioned(step.rewrites, span) : []), { kind: 'log', words: step.words, span }] // biome-ignore format: one list
      case 'notrack':
        return [{ kind: 'set', field: 'ct.state', term: { kind: 'const', value: BigInt(CT_STATES.untracked) }, span }]
      case 'verdict':
        return [{ kind: 'verdict', verdict: { kind: step.verdict }, span }]
      case 'jump':
      case 'goto':
        return [{ kind: 'verdict', verdict: { kind: step.kind, chain: nameOf(table, step.chain.text) }, span }]
      case 'unsupported':
        diagnostics.error('nft/unsupported', `unsupported: ${step.what}`, span)
        return []
      default:
        return lowerStatement(step, place)
    }
  })
  warnMerged(steps, diagnostics)
  return { id, text: rule.text, span: rule.span, steps }
}

function nameOf({ family, name }: Table, chain: string): string {
  return `${family}/${name}/${chain}`
}
