// Whether a filter makes sense, before it is evaluated or compiled: chains that exist and end, values that fit, terms that can be computed.

import { Diagnostics, type Outcome, type Span } from '@netsieve/diag'
import { FIELDS, isMetadata, loadableAt, METADATA, protocol } from '@netsieve/packet'
import { checkSets, checkTerms, holdsLookup } from './check-sets.ts'
import { checkAct, checkKept, checkSettable, checkState } from './check-state.ts'
import { LAST_CONTAINED, MOST_CONTAINED } from './contains.ts'
import { wordsIn } from './jhash.ts'
import { topOf } from './passes/regions.ts'
import { calledBy, setsOf, verdictsIn } from './sets.ts'
import type { BaseChain, Chain, Filter, Find, Hashed, Heads, Pred, Rule, SetDef, StateDef, Term } from './types.ts'
import { samePlaces, VIEWS, type ViewName } from './views.ts'
import { termsAt, termsOf } from './walk.ts'

/** Chains called inside one another at most, as in the kernel (nft). */
const MAX_DEPTH = 16

/** Rules of a base chain at most, with those of called chains once for each call: a called chain that is short is written out at each. */
const MAX_RULES = 500_000

/**
 * The filter itself if `evaluate` and code generation can take it; else what is wrong, at the rule's place.
 * Codes: `ir/chain`, `ir/rule`, `ir/cycle`, `ir/depth`, `ir/size`, `ir/value`, `ir/term`, `ir/view`, `ir/set`, `ir/overlap`, `ir/hook`,
 * `ir/state`, `ir/act`.
 */
export function check(filter: Filter): Outcome<Filter> {
  const diags = new Diagnostics()
  const chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
  checkNames(filter, diags)
  const sets = setsOf(filter)
  checkSets(filter.sets ?? [], diags)
  for (const base of filter.base) {
    if (chains.has(base.chain)) checkCalls(base.chain, chains, sets, diags)
    else diags.error('ir/chain', `there is no chain ${base.chain}`, base.span)
  }
  if (!diags.hasErrors) for (const base of filter.base) checkHook(base, filter, diags)
  const views = [...new Set(filter.base.map((base) => base.view))]
  checkState(filter.state ?? [], diags)
  const state = new Map((filter.state ?? []).map((def) => [def.name, def]))
  const place = { views, sets, state, diags }
  for (const chain of filter.chains) for (const rule of chain.rules) checkRule(rule, place)
  return diags.outcome(filter)
}

/** Chains are known by their names, rules by their numbers. */
function checkNames({ chains }: Filter, diags: Diagnostics): void {
  const [names, ids] = [new Set<string>(), new Set<number>()]
  for (const { name, rules, span } of chains) {
    if (names.has(name)) diags.error('ir/chain', `there are two chains ${name}`, span)
    names.add(name)
    for (const rule of rules) {
      for (const id of rule.also ? [rule.id, ...rule.also] : [rule.id]) {
        if (ids.has(id)) diags.error('ir/rule', `there are two rules #${id}`, rule.span)
        ids.add(id)
      }
    }
  }
}

/** Hooks whose packets have no link header (yet). */
const NO_LINK_HEADER: readonly string[] = ['output', 'postrouting']

/** Every field that a rule asks for is one that packets at the hook can have. Each field is told once a rule. */
function checkHook({ chain, hook }: BaseChain, filter: Filter, diags: Diagnostics): void {
  /** What is asked for by a term that packets at the hook cannot have. */
  const lacking = (term: Term): string | undefined => {
    const field = term.kind === 'field' ? term.field : undefined
    if (field && isMetadata(field) && !loadableAt(field, hook)) return `${field} (${METADATA[field].title})`
    const link =
      term.kind === 'load' || term.kind === 'raw'
        ? term.base === 'link'
        : field && protocol(FIELDS[field].proto).base === 'link'
    return link && NO_LINK_HEADER.includes(hook) ? 'link header' : undefined
  }
  const wrong = new Map<Term, string>()
  for (const term of termsOf(filter, [chain])) {
    const what = lacking(term)
    if (what !== undefined) wrong.set(term, what)
  }
  if (wrong.size === 0) return
  const told = new Set<string>()
  for (const { rule, step, term } of termsAt(filter, [chain])) {
    const what = wrong.get(term)
    if (what === undefined || told.has(`${rule.id} ${what}`)) continue
    told.add(`${rule.id} ${what}`)
    diags.error('ir/hook', `packets at the hook ${hook} have no ${what}`, step.span ?? rule.span)
  }
}

/** Every called chain exists, no chain calls itself, calls are not too deep nor too many. Each chain is looked at once. */
function checkCalls(
  start: string,
  chains: ReadonlyMap<string, Chain>,
  sets: ReadonlyMap<string, SetDef>,
  diags: Diagnostics,
): void {
  const known = new Map<string, { readonly depth: number; readonly rules: number }>()
  const open = new Set<string>()
  const look = (name: string): { readonly depth: number; readonly rules: number } => {
    const before = known.get(name)
    if (before) return before
    open.add(name)
    let depth = 1
    let rules = chains.get(name)?.rules.length ?? 0
    for (const rule of chains.get(name)?.rules ?? []) {
      for (let i = 0; i < rule.steps.length; i++) {
        const step = rule.steps[i]!
        if (step.kind === 'match') continue
        const span = ('span' in step ? step.span : undefined) ?? rule.span
        for (const chain of calledBy(step, sets)) {
          if (!chains.has(chain)) diags.error('ir/chain', `there is no chain ${chain}`, span)
          else if (open.has(chain)) diags.error('ir/cycle', `chain ${chain} comes back to itself`, span)
          else {
            const called = look(chain)
            depth = Math.max(depth, called.depth + 1)
            rules += called.rules
          }
        }
      }
    }
    open.delete(name)
    known.set(name, { depth, rules })
    if (depth === MAX_DEPTH + 1)
      diags.error('ir/depth', `chains are called more than ${MAX_DEPTH} deep`, chains.get(name)?.span)
    return { depth, rules }
  }
  const { rules } = look(start)
  if (rules > MAX_RULES) {
    const message = `${start} has ${rules} rules, counting those of called chains at each call; at most ${MAX_RULES} are compiled`
    diags.error('ir/size', message, chains.get(start)?.span)
  }
}

/** What rules are checked against. */
export interface CheckPlace {
  readonly views: readonly ViewName[]
  readonly sets: ReadonlyMap<string, SetDef>
  readonly state: ReadonlyMap<string, StateDef>
  readonly diags: Diagnostics
}

function checkRule(rule: Rule, place: CheckPlace): void {
  const { steps } = rule
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!
    const span = 'span' in step ? step.span : rule.span
    if (step.kind === 'match') {
      const { pred, view } = step
      const odd = view && place.views.find((name) => !samePlaces(name, view))
      if (odd) place.diags.error('ir/view', `a match cannot have the view ${view} in a chain of the view ${odd}`, span)
      checkPred(pred, span, place)
    } else if (step.kind === 'vmap') {
      checkTerms(step.map, step.terms, 'verdict', step.span ?? rule.span, place)
      for (const verdict of verdictsIn(place.sets.get(step.map) ?? NO_ELEMENTS)) checkAct(verdict, span, place.diags)
    } else if (step.kind === 'verdict') checkAct(step.verdict, span, place.diags)
    else if (step.kind === 'set') {
      checkSettable(step, widthOf(step.term, span, place), span, place.diags)
      if (place.views.some((name) => VIEWS[name].missing === 'zero'))
        place.diags.error('ir/term', 'views that read missing fields as 0 set no metadata', span)
    } else checkKept(step, span, place)
  }
}

const NO_ELEMENTS = { elements: [] }

function checkPred(pred: Pred, span: Span | undefined, place: CheckPlace): void {
  const { views, diags } = place
  switch (pred.kind) {
    case 'const':
      return
    case 'exists': {
      const { what } = pred
      if (typeof what === 'string') {
        if (!protocol(what).entry) diags.error('ir/term', `${what} is no entry of a list`, span)
      } else widthOf(what, span, place)
      return
    }
    case 'contains': {
      const { from, to, bytes } = pred
      if (!/^(?:[0-9a-f]{2})+$/.test(bytes) || bytes.length > MOST_CONTAINED * 2)
        diags.error('ir/value', `1 to ${MOST_CONTAINED} bytes in hexadecimal are looked for, not ${bytes}`, span)
      if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || from > to || to > LAST_CONTAINED)
        diags.error('ir/term', `bytes are looked for from 0 to ${LAST_CONTAINED}, not from ${from} to ${to}`, span)
      return
    }
    case 'and':
    case 'or':
      for (const arg of pred.args) checkPred(arg, span, place)
      return
    case 'not':
    case 'sure':
      return checkPred(pred.arg, span, place)
    case 'cmp': {
      const bits = widthOf(pred.term, span, place)
      fits(pred.value, bits, span, diags)
      if (spread(pred.term, bits) && pred.test !== '==' && pred.test !== '!=') {
        diags.error('ir/term', 'a masked field of more than 64 bits can only be compared for equality', span)
      }
      return
    }
    case 'in': {
      const bits = widthOf(pred.term, span, place)
      for (const { lo, hi } of pred.ranges) {
        if (lo > hi) diags.error('ir/value', `the range ${lo}-${hi} is empty`, span)
        fits(hi, bits, span, diags)
        fits(lo, bits, span, diags)
      }
      if (spread(pred.term, bits)) diags.error('ir/term', 'a masked field of more than 64 bits has no ranges', span)
      return
    }
    case 'relation':
      for (const side of [pred.left, pred.right]) {
        if (widthOf(side, span, place) > 64 || spread(side, 0))
          diags.error('ir/term', 'a term of more than 64 bits has no arithmetic', span)
      }
      if (views.some((view) => VIEWS[view].missing === 'zero'))
        diags.error('ir/term', 'views that read missing fields as 0 have no relations', span)
      return
    case 'inSet':
      return checkTerms(pred.set, pred.terms, 'any', span, place)
  }
}

/** The bits of a term lie in more than eight bytes, and are not all of them. */
export function spread(term: Term, bits: number): boolean {
  if (term.kind === 'mask') return bits > 64 || spread(term.term, bits)
  return term.kind === 'raw' && (term.bit & 7) + term.bits > 64 && ((term.bit | term.bits) & 7) !== 0
}

/** Bits that a number has at most; where more are said, that is told too. */
const WIDEST = 128

/** Says so if a number is wider than `bits`. */
export function fits(value: bigint, bits: number, span: Span | undefined, diags: Diagnostics): void {
  if (value < 0n || value > topOf(Math.min(bits, WIDEST)))
    diags.error('ir/value', `${value} does not fit ${bits} bits`, span)
}

/** Bits of a term's value; says what cannot be computed. */
export function widthOf(term: Term, span: Span | undefined, place: CheckPlace): number {
  const { diags } = place
  switch (term.kind) {
    case 'field':
      return FIELDS[term.field].bits
    case 'load': {
      if (!Number.isInteger(term.bytes) || term.bytes < 1 || term.bytes > 16)
        diags.error('ir/term', `a load takes 1 to 16 bytes, not ${term.bytes}`, span)
      // Pointers into a packet reach 16 bits far.
      if (!Number.isInteger(term.offset) || term.offset < 0 || term.offset > 0xf000)
        diags.error('ir/term', `a load at ${term.offset} is out of reach`, span)
      if (term.index && widthOf(term.index, span, place) > 64)
        diags.error('ir/term', 'a term of more than 64 bits has no arithmetic', span)
      return term.bytes * 8
    }
    case 'raw': {
      const { bit, bits, index } = term
      if (!Number.isInteger(bits) || bits < 1 || (bit & 7) + bits > 128)
        diags.error('ir/term', `${bits} bits from bit ${bit} on do not lie in 1 to 16 bytes`, span)
      if (!Number.isInteger(bit) || bit < 0 || bit > 0xf000 * 8)
        diags.error('ir/term', `bits at ${bit} are out of reach`, span)
      if (index && widthOf(index, span, place) > 64)
        diags.error('ir/term', 'a term of more than 64 bits has no arithmetic', span)
      return bits
    }
    case 'find':
      if (typeof term.type === 'object') checkHeads(term, span, diags)
      else if (!Number.isInteger(term.type) || term.type < 0 || term.type > 255)
        diags.error('ir/term', `lists have entries of the types 0 to 255, not ${term.type}`, span)
      if (!Number.isInteger(term.bytes) || term.bytes < 0 || term.bytes > 0xffff)
        diags.error('ir/term', `no entry of a list has ${term.bytes} bytes`, span)
      return 16
    case 'headers':
      return 8
    case 'length':
      return 32
    case 'const':
      fits(term.value, 64, span, diags)
      return term.value.toString(2).length
    case 'mask': {
      const bits = widthOf(term.term, span, place)
      fits(term.mask, bits, span, diags)
      return bits
    }
    case 'bin':
      for (const side of [term.left, term.right]) {
        if (widthOf(side, span, place) > 32) diags.error('ir/term', 'arithmetic takes terms of at most 32 bits', span)
      }
      return 32
    case 'mapped': {
      checkTerms(term.map, term.terms, 'number', span, place)
      const data = place.sets.get(term.map)?.data
      return typeof data === 'object' ? data.bits : 64
    }
    case 'jhash':
      return checkHashed(term, span, place)
    case 'walk':
      if (!Number.isInteger(term.net) || term.net < 0 || term.net > 0xf000)
        diags.error('ir/term', `a network header at ${term.net} is out of reach`, span)
      fits(BigInt(term.until), 32, span, diags)
      return 32
  }
}

/** Pairs of types and flags at most. */
const MOST_HEADS = 64

function checkHeads({ list, type }: Find, span: Span | undefined, diags: Diagnostics): void {
  const { heads } = type as Heads
  if (list !== 'sctp') diags.error('ir/term', 'only chunks of SCTP have types and flags', span)
  if (heads.length > MOST_HEADS) diags.error('ir/term', `more than ${MOST_HEADS} types and flags`, span)
  for (const { mask, value } of heads)
    if (!(mask >= 0 && mask <= 0xffff && value >= 0 && value <= 0xffff && (value & ~mask) === 0))
      diags.error('ir/term', `types and flags are 16 bits, and the value has no others than the mask`, span)
}

/** Words of what is hashed at most. */
const MOST_HASHED = 24

function checkHashed({ parts, seed }: Hashed, span: Span | undefined, place: CheckPlace): 32 {
  const { diags } = place
  const wrong = (message: string) => diags.error('ir/term', message, span)
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) wrong(`${seed} is no seed of 32 bits`)
  const words = parts.reduce((sum, part) => sum + wordsIn(part), 0)
  if (words < 1 || words > MOST_HASHED) wrong(`1 to ${MOST_HASHED} words are hashed, not ${words}`)
  if (place.views.some((view) => VIEWS[view].missing === 'zero'))
    wrong('views that read missing fields as 0 hash nothing')
  for (const { term, bytes, host } of parts) {
    const width = widthOf(term, span, place)
    if (![1, 2, 3, 4, 6, 8, 16].includes(bytes)) wrong(`numbers of ${bytes} bytes are not hashed`)
    else if (width > bytes * 8) wrong(`a number of ${width} bits does not fit ${bytes} bytes`)
    else if (host && bytes > 4) wrong('numbers of the machine have at most 4 bytes here')
    else if (bytes === 16 && (width <= 64 || spread(term, width))) wrong('16 bytes are those of a whole field')
    if (term.kind === 'jhash' || holdsLookup(term)) wrong('what is hashed is neither a hash nor out of a map')
  }
  return 32
}
