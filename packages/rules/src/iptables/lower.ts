// Commands to the IR: the base chains of the hook's path, and every chain that packets can come to from there.

import { at, Diagnostics, type Outcome } from '@netsieve/diag'
import {
  type BaseChain,
  type Chain,
  type Filter,
  PROFILES,
  type ProfileName,
  type Rule,
  type SetDef,
  type StateDef,
  type Step,
} from '@netsieve/ir'
import {
  chooseHook,
  chooseProfile,
  drawnAnew,
  type Hook,
  type HookUse,
  hookPath,
  type IpFamily,
  warnUnused,
} from '../shared/index.ts'
import { apply, type ChainState, type TableState } from './apply.ts'
import type { Kept, Match, RuleSpec, Ruleset, Target } from './ast.ts'
import type { IptablesOptions } from './index.ts'
import { type IpSet, readIpSets } from './ipset.ts'
import { matchSet, type SetPlace } from './ipset-match.ts'
import { askChanged, changeSet } from './ipset-target.ts'
import { keptStep, limitUnder, sameSettings, sharedName } from './kept.ts'
import { DROPPED, lowerMatch, XT_PROFILES, type XtProfile } from './match.ts'
import { TABLES, UNSUPPORTED_TARGETS } from './options.ts'
import { checkPlaces } from './places.ts'
import { type Recent, reapsUnseen } from './recent.ts'
import { TARGET_OPTIONS } from './targets.ts'

export function lower(ruleset: Ruleset, options: IptablesOptions): Outcome<Filter> {
  const diagnostics = new Diagnostics()
  const profile = chooseProfile(XT_PROFILES, options.profile ?? (ruleset.legacy ? 'xt-legacy' : undefined), diagnostics)
  if (!profile) return diagnostics.outcome<Filter>(undefined)
  const tables = apply(ruleset, diagnostics)
  for (const table of tables) if (table.name !== 'nat') checkPlaces(table, profile, diagnostics)
  const start = at(ruleset.source, 0, 0)
  const uses = tables.flatMap((table) => (table.name === 'nat' ? [] : hookUses(table)))
  if (uses.length === 0) {
    if (!diagnostics.hasErrors)
      diagnostics.error('rules/empty', 'no rule and no policy is left to filter packets', start)
    return diagnostics.outcome<Filter>(undefined)
  }
  const hook = diagnostics.hasErrors ? undefined : chooseHook(uses, options.hook, diagnostics, start)
  if (!hook) return diagnostics.outcome<Filter>(undefined)
  warnNat(tables, hook, diagnostics)
  if (options.unused) for (const table of tables) warnUnusedOf(table, diagnostics)
  const ipsets = options.ipsets && readIpSets(options.ipsets, diagnostics)
  return diagnostics.outcome(new Lowering(tables, profile, ipsets, diagnostics).filter(hook))
}

/** Chains of a table that packets come to at no hook. */
function warnUnusedOf({ chains }: TableState, diagnostics: Diagnostics): void {
  const called = ({ rules }: ChainState) =>
    rules.flatMap(({ target }) =>
      target?.kind === 'jump' || target?.kind === 'goto' ? (chains.get(target.chain.text) ?? []) : [],
    )
  warnUnused(chains.values(), ({ builtIn }) => builtIn, called, diagnostics)
}

const chainOf = (hook: Hook) => hook.toUpperCase()

function hookUses(table: TableState): HookUse[] {
  return [...table.chains.values()].flatMap((chain) => {
    const mentioned = chain.builtIn && (chain.rules.length > 0 || chain.span !== undefined)
    const hook = chain.name.toLowerCase() as Hook
    return mentioned ? [{ hook, busy: chain.rules.length > 0 || chain.policy === 'drop' }] : []
  })
}

/** Address translation is not filtering: said once a table, at its first rule on the path. */
function warnNat(tables: readonly TableState[], hook: Hook, diagnostics: Diagnostics): void {
  for (const table of tables.filter(({ name }) => name === 'nat')) {
    const [rule] = hookPath(hook).flatMap((each) => table.chains.get(chainOf(each))?.rules ?? [])
    if (rule)
      diagnostics.warning('iptables/nat', 'the nat table is left out: packets are taken as they arrive', rule.span)
  }
}

/** Chains that packets can come to, by their names in the IR. */
type Reached = Map<string, { readonly table: TableState; readonly chain: ChainState }>

/** What makes the kernel track connections. */
const TRACKING = new Set(['state', 'conntrack', 'connmark', 'connlimit', 'connbytes', 'CONNMARK', 'CT'])

/** How deep chains may nest: far beyond what people write, and within what the stages behind can follow. */
const DEEPEST = 64

class Lowering {
  private readonly tables: readonly TableState[]
  private readonly profile: XtProfile
  private readonly diagnostics: Diagnostics
  private readonly state: StateDef[] = []
  private readonly sets = new Map<string, SetDef>()
  /** The sets that `-m set` looks into; none where nobody told them. */
  private readonly ipsets: ReadonlyMap<string, IpSet> | undefined
  /** What the first rule of each shared name keeps: the kernel makes it when that rule comes, and gives it to all others. */
  private readonly shared: ReadonlyMap<string, Kept>
  /** Sets whose elements should go after a time. */
  private readonly timed = new Set<IpSet>()
  /** Sets that rules change. */
  private readonly changed: ReadonlySet<string>
  /** Rules beside those of the text. */
  private extra = 0
  /** Connections are tracked: fragments are put together before any rule sees them. */
  private readonly tracked: boolean

  constructor(
    tables: readonly TableState[],
    profile: XtProfile,
    ipsets: ReadonlyMap<string, IpSet> | undefined,
    diagnostics: Diagnostics,
  ) {
    this.tables = tables
    this.ipsets = ipsets
    this.profile = profile
    this.diagnostics = diagnostics
    this.shared = sharedKept(tables)
    const specs = tables.flatMap(({ chains }) => [...chains.values()].flatMap(({ rules }) => rules))
    this.changed = new Set(specs.flatMap(({ target }) => (target?.kind === 'ipset' ? target.set.text : [])))
    this.tracked = tables.some(
      ({ name, chains }) =>
        name === 'nat' ||
        [...chains.values()].some(({ rules }) =>
          rules.some(({ uses = [] }) => uses.some((use) => TRACKING.has(use.name))),
        ),
    )
  }

  filter(hook: Hook): Filter {
    const reached: Reached = new Map()
    const base: BaseChain[] = []
    for (const each of hookPath(hook)) {
      const here = this.tables
        .filter((table) => table.name !== 'nat' && table.chains.has(chainOf(each)))
        .sort((a, b) => TABLES[a.name]!.priority - TABLES[b.name]!.priority)
      for (const table of here) {
        const chain = table.chains.get(chainOf(each))!
        if (chain.rules.length === 0 && chain.span === undefined) continue
        base.push(this.base(table, chain, each))
        this.reach(table, chain, [], reached)
      }
    }
    const chains = this.chains([...reached.values()])
    for (const { name, timed } of this.timed)
      this.diagnostics.warning('ipset/timeout', `elements of ${name} are taken to stay in it: here no time runs out for them`, timed) // biome-ignore format: one message
    return {
      syntax: 'iptables',
      profile: this.profile,
      base,
      chains: drawnAnew({ base, chains }),
      ...(this.state.length > 0 && { state: this.state }),
      ...(this.sets.size > 0 && { sets: [...this.sets.values()] }),
    }
  }

  private base(table: TableState, chain: ChainState, hook: Hook): BaseChain {
    const span = chain.span ?? chain.rules[0]?.span
    const { family } = table
    const view = PROFILES[this.profile satisfies ProfileName].views.ip
    return { chain: nameOf(table, chain.name), hook, view, family, policy: chain.policy, ...(span && { span }) }
  }

  /** Walks the jumps from a chain. A chain is open while the walk is below it: a jump to an open chain closes a circle. */
  private reach(table: TableState, chain: ChainState, open: readonly ChainState[], reached: Reached): void {
    reached.set(nameOf(table, chain.name), { table, chain })
    const path = [...open, chain]
    for (const { target } of chain.rules) {
      if (target?.kind !== 'jump' && target?.kind !== 'goto') continue
      const { text: name, span } = target.chain
      const next = table.chains.get(name)
      if (!next) this.noTarget(table, target)
      else if (next.builtIn)
        this.diagnostics.error('iptables/chain', `${name} is built in: rules cannot jump to it`, span)
      else if (path.includes(next)) {
        const names = [...path.slice(path.indexOf(next)), next].map((each) => each.name)
        this.diagnostics.error('iptables/loop', `the chains go in a circle: ${names.join(' → ')}`, span)
      } else if (path.length > DEEPEST)
        this.diagnostics.error('iptables/deep', `chains are nested more than ${DEEPEST} deep here`, span)
      else if (!reached.has(nameOf(table, name))) this.reach(table, next, path, reached)
    }
  }

  private noTarget({ name, chains }: TableState, { chain }: Extract<Target, { kind: 'jump' | 'goto' }>): void {
    const users = [...chains.values()].filter(({ builtIn }) => !builtIn).map((each) => each.name)
    this.diagnostics.error('iptables/chain', `the table ${name} has no chain ${chain.text}`, chain.span, {
      expected: ['ACCEPT', 'DROP', 'RETURN', ...users],
      ...((UNSUPPORTED_TARGETS.has(chain.text) || Object.hasOwn(TARGET_OPTIONS, chain.text)) && {
        hint: '-g goes to chains only',
      }),
    })
  }

  private chains(reached: readonly { readonly table: TableState; readonly chain: ChainState }[]): Chain[] {
    const specs = reached.flatMap(({ chain }) => chain.rules).sort((a, b) => a.span.start - b.span.start)
    const ids = new Map(specs.map((spec, id) => [spec, id]))
    return reached.map(({ table, chain }) => ({
      name: nameOf(table, chain.name),
      rules: chain.rules.flatMap((spec) => this.rules(table, spec, ids.get(spec)!, ids.size)),
      ...(chain.span && { span: chain.span }),
    }))
  }

  private kept({ kept, span }: Match & { kind: 'kept' }, family: IpFamily, own: string): Step[] {
    const shared = sharedName(kept, family)
    const first = shared === undefined ? undefined : this.shared.get(shared)
    if (first && !sameSettings(kept, first)) {
      this.diagnostics.error('iptables/unsupported', 'unsupported: a hashlimit whose settings differ from those of the first rule of its name', span) // biome-ignore format: one message
      return []
    }
    if (kept.kind === 'recent' && first?.kind === 'recent' && first.ttl && !kept.ttl && kept.does === 'update') {
      this.diagnostics.error('iptables/unsupported', 'unsupported: an --update without --rttl of a list that other rules ask with it', span) // biome-ignore format: one message
      return []
    }
    if (kept.kind === 'recent' && kept.reap && !reapsUnseen(kept, this.recents(shared!))) {
      this.diagnostics.error('iptables/unsupported', 'unsupported: a --reap that other rules of the list can tell: they look back further than its --seconds, or remove addresses', kept.reap) // biome-ignore format: one message
      return []
    }
    const noted = kept.kind === 'recent' && first?.kind === 'recent' && first.ttl && kept.does === 'set'
    const under = limitUnder(noted ? { ...kept, ttl: first.ttl } : kept, this.profile === 'xt-legacy')
    if (!under) {
      this.diagnostics.error('iptables/match', 'the kernel refuses this burst of iptables-legacy: its tokens are none, or do not fit 32 bits', span) // biome-ignore format: one message
      return []
    }
    const { step, def } = keptStep(under, shared ?? own, span)
    const known = this.state.findIndex(({ name }) => name === def.name)
    if (known < 0) this.state.push(def)
    else if (def.kind === 'recent' && moreTimes(def, this.state[known]!)) this.state[known] = def
    return [step]
  }

  /** What all rules ask of the list of a shared name. */
  private recents(shared: string): Recent[] {
    return this.tables.flatMap(({ family, chains }) =>
      [...chains.values()].flatMap(({ rules }) =>
        rules.flatMap(({ matches }) =>
          matches.flatMap(
            (match) =>
            match.kind === 'kept' && match.kept.kind === 'recent' && sharedName(match.kept, family) === shared ? match.kept : [], // biome-ignore format: one choice
          ),
        ),
      ),
    )
  }

  private setPlace(family: IpFamily): SetPlace {
    return { sets: this.ipsets, made: this.sets, timed: this.timed, changed: this.changed, family, diagnostics: this.diagnostics } // biome-ignore format: one value
  }

  /** Whether the packet is in a set: as the kernel's modules see it, but that nothing is dropped for being cut. */
  private inSet({ test, span }: Match & { kind: 'set' }, family: IpFamily): Step[] {
    if (this.changed.has(test.set.text)) return askChanged(test, span, this.setPlace(family), this.state)
    const pred = matchSet(test, this.setPlace(family))
    const view = this.profile === 'xt-nft' ? 'xt-compat-mild' : 'xt-ip-mild'
    return pred ? [{ kind: 'match', pred, view, span }] : []
  }

  /** A rule, after those that drop what a match of its drops whatever the rest says. */
  private rules(table: TableState, spec: RuleSpec, id: number, count: number): Rule[] {
    const whole = this.rule(table, spec, id)
    const steps: Step[] = []
    const out: Rule[] = []
    for (const [i, step] of whole.steps.entries()) {
      if (step !== DROPPED) {
        steps.push(step)
        continue
      }
      const before = steps.at(-1)!
      if (whole.steps.slice(0, i).some(({ kind }) => kind !== 'match'))
        this.diagnostics.error('iptables/unsupported', 'unsupported: a match that may drop packets, behind one that keeps something', 'span' in before ? before.span : undefined) // biome-ignore format: one message
      out.push({ ...whole, id: count + this.extra++, steps: [...steps, step] })
      steps.pop()
    }
    return [...out, { ...whole, steps }]
  }

  private rule(table: TableState, spec: RuleSpec, id: number): Rule {
    const reads = spec.uses?.find(({ name }) => name === 'tcpmss')
    if (reads && table.family === 'ipv4' && !this.tracked)
      this.diagnostics.warning('iptables/fragments', 'the kernel takes what is in a later fragment for a TCP header here; nothing is looked for in it', reads.span) // biome-ignore format: one message
    const steps: Step[] = inOrder(spec.matches, this.profile).flatMap((match) => {
      if (match.kind === 'set') return this.inSet(match, table.family)
      if (match.kind !== 'kept') return lowerMatch(match, table.family, this.profile, this.diagnostics)
      return this.kept(match, table.family, `${match.kept.kind}.${id}.${this.state.length}`)
    })
    const { target } = spec
    if (target?.kind === 'unsupported')
      this.diagnostics.error('iptables/unsupported', `unsupported: ${target.what}`, target.span)
    else if (target?.kind === 'ipset') steps.push(...changeSet(target, this.setPlace(table.family), this.state))
    else if (target?.kind === 'steps') {
      if (target.rewrites) this.diagnostics.warning('iptables/rewrite', `${target.rewrites} changes packets: rules after it see them here as they came`, target.span) // biome-ignore format: one message
      steps.push(...target.steps)
    } else if (target?.kind === 'verdict')
      steps.push({ kind: 'verdict', verdict: { kind: target.verdict }, span: target.span })
    else if (target) {
      const chain = nameOf(table, target.chain.text)
      steps.push({ kind: 'verdict', verdict: { kind: target.kind, chain }, span: target.span })
    }
    return { id, text: spec.text, span: spec.span, steps }
  }
}

function moreTimes(def: StateDef & { readonly kind: 'recent' }, than: StateDef): boolean {
  return than.kind === 'recent' && def.stamps > than.stamps
}

/**
 * What is kept under each shared name, as the first rule of the text has it, whatever its table and chain. A list of times keeps what one
 * of its rules asks for: a time to live.
 */
function sharedKept(tables: readonly TableState[]): Map<string, Kept> {
  const specs = tables.flatMap(({ family, chains }) => [...chains.values()].flatMap(({ rules }) => rules.map((rule) => ({ family, rule })))) // biome-ignore format: one row
  const found = new Map<string, Kept>()
  for (const { family, rule } of specs.sort((a, b) => a.rule.span.start - b.rule.span.start))
    for (const match of rule.matches) {
      const name = match.kind === 'kept' ? sharedName(match.kept, family) : undefined
      if (match.kind !== 'kept' || name === undefined) continue
      if (!found.has(name) || (match.kept.kind === 'recent' && match.kept.ttl)) found.set(name, match.kept)
    }
  return found
}

/** The kernel's xt code looks at addresses before the protocol, iptables-nft writes devices and the protocol first. */
function inOrder(matches: readonly Match[], profile: XtProfile): readonly Match[] {
  if (profile === 'xt-legacy') return matches
  const rank = (match: Match) => (isDevice(match) ? 0 : match.kind === 'protocol' ? 1 : 2)
  return [0, 1, 2].flatMap((each) => matches.filter((match) => rank(match) === each))
}

function isDevice(match: Match): boolean {
  return match.kind === 'field' && (match.field === 'meta.iifname' || match.field === 'meta.oifname')
}

function nameOf({ family, name }: { readonly family: IpFamily; readonly name: string }, chain: string): string {
  return `${family === 'ipv4' ? 'ip' : 'ip6'}/${name}/${chain}`
}
