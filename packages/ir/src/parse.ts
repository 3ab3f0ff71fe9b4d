// IR from text: the reverse of print.ts. A line is a filter's head, a hook, a chain's head or end, or a rule; each that is wrong is told.
//
//   text    = "filter" NAME "profile" PROFILE { hook } { state } { set } { chain }                     // to the end of a line is a comment
//   hook    = "hook" NAME "view" VIEW "family" FAMILY "chain" NAME "policy" ("accept" | "drop")
//   state   = "counter" NAME N "packets" N "bytes" | "limit" NAME N ("packets" | "bytes") "a" N "ns" "burst" N
//           | "quota" NAME N "bytes" "used" N | "nth" NAME N "before" N
//           | "table" NAME key "size" N [ "holds" VALUE { "." VALUE } { "," VALUE { "." VALUE } } ] | "recent" NAME key "size" N "stamps" N
//   set     = "set" NAME key "{" { element } "}" | "map" NAME key "→" ("verdict" | BITS) "{" { element "→" (verdict | VALUE) } "}"
//   key     = BITS [ ":" KIND ] { "." BITS [ ":" KIND ] }
//   element = "*" | range { "." range }                                                range: VALUE [ "-" VALUE ]
//   chain   = "chain" NAME "{" { rule } "}"
//   rule    = "#" ID { "+" ID } ":" [ step { "," step } ] [ ";" WORDS ]                           WORDS: the user's, quoted where they are not one plain line
//   step    = "count" [ NAME ] | "log" QUOTED | ("limit" | "quota" | "nth") [ "over" ] NAME | "set" FIELD "=" (term | "turn" "of" NAME)
//           | "table" [ "not" ] NAME ("has" | "add" | "update" | "delete") terms [ "timeout" NS ]
//           | "recent" [ "not" ] NAME ("set" | "check" | "update" | "remove") terms [ "ttl" term ] [ "within" NS ] [ "hits" N ]
//           | ("→" | "->") (verdict | lookup) | [ "as" VIEW ":" ] pred
//   verdict = "accept" | "drop" | "return" | "continue" | ("jump" | "goto") NAME | ACT "(" [ QUOTED { "," QUOTED } ] ")"
//   pred    = single { "and" single } | single { "or" single }
//   single  = "exists" "(" (PROTOCOL | find) ")" | "contains" "(" FROM TO BYTES [ "nocase" ] ")" | "true" | "false" | ("not" | "sure") "(" pred ")" | ("and" | "or") "(" [ pred ] ")" | "(" pred ")" | test
//   test    = term OP (VALUE | operand) | term "in" "{" [ range { "," range } ] "}" | term { "." term } "in" "@" NAME
//   term    = operand [ "&" VALUE ]
//   lookup  = "@" NAME terms                                                                     terms: "[" term { "." term } "]"
//   find    = "find" "(" LIST (TYPE | [ "not" ] "{" [ HEAD "/" MASK { "," HEAD "/" MASK } ] "}") [ BYTES ] ")"
//   walk    = "walk" ("ipv4" | "ipv6") "[" OFFSET ":" NUMBER "]"
//   hash    = "jhash" "(" operand ":" BYTES [ "host" ] { "." operand ":" BYTES [ "host" ] } "seed" N ")"
//   operand = FIELD | lookup | find | hash | [ "raw" ] BASE "[" [ operand "+" ] OFFSET ":" BYTES "]" | "length" | "headers" | walk | VALUE | "[" term "]"
//             | "(" operand [ OP operand ] ")"

import { Diagnostics, type Outcome, type Source, type Span } from '@netsieve/diag'
import { isMetadata } from '@netsieve/packet'
import { ACTS, type ActName } from './acts.ts'
import { readKey, readPred, readTerm } from './parse-preds.ts'
import { readElement, readSetHead, type SetHead } from './parse-sets.ts'
import { readKeeping, readState } from './parse-state.ts'
import { Fault, Scan } from './scan.ts'
import type { BaseChain, Chain, Element, ElementData, Filter, Rule, SetDef, StateDef, Step, Verdict } from './types.ts'
import { PROFILES, type ProfileName, VIEWS, type ViewName } from './views.ts'

const ACT_NAMES = Object.keys(ACTS) as ActName[]
const STATES = ['counter', 'limit', 'quota', 'nth', 'table', 'recent'] as const satisfies readonly StateDef['kind'][]

/** The filter that a text says; else what is wrong, line by line. Codes: `ir/syntax`, `ir/nesting`. */
export function parse(source: Source): Outcome<Filter> {
  const reading = new Reading(source)
  for (let start = 0; start <= source.text.length; ) {
    const newline = source.text.indexOf('\n', start)
    const end = newline < 0 ? source.text.length : newline
    reading.line(new Scan(source, start, end))
    start = end + 1
  }
  return reading.outcome()
}

/** What the lines so far have said. */
class Reading {
  private readonly diagnostics = new Diagnostics()
  private readonly source: Source
  private head: { readonly syntax: string; readonly profile: ProfileName } | undefined
  private readonly base: BaseChain[] = []
  private readonly chains: Chain[] = []
  private readonly sets: SetDef[] = []
  private readonly state: StateDef[] = []
  private open: { readonly name: string; readonly span: Span; readonly rules: Rule[] } | undefined
  private openSet: (SetHead & { readonly span: Span; readonly elements: Element[]; catchAll?: ElementData }) | undefined

  constructor(source: Source) {
    this.source = source
  }

  line(scan: Scan): void {
    if (scan.done) return
    try {
      this.item(scan)
      if (!scan.done) throw scan.fault()
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      this.diagnostics.add(fault.diagnostic)
    }
  }

  outcome(): Outcome<Filter> {
    const { diagnostics, head, base, chains, sets, state, source } = this
    const end: Span = { source, start: source.text.length, end: source.text.length }
    const open = this.open ?? this.openSet
    if (open) diagnostics.error('ir/syntax', `${this.open ? 'chain' : 'set'} ${open.name} has no end`, open.span, { expected: ['}'] }) // biome-ignore format: one message
    if (!head && !diagnostics.hasErrors)
      diagnostics.error('ir/syntax', 'there is no filter in this text', end, { expected: ['filter'] })
    const kept = { ...(sets.length > 0 && { sets }), ...(state.length > 0 && { state }) }
    return diagnostics.outcome(head && { ...head, base, chains, ...kept })
  }

  private item(scan: Scan): void {
    const start = scan.offset
    if (this.open) {
      if (!scan.mark('}')) this.open.rules.push(readRule(scan))
      else {
        this.chains.push(this.open)
        this.open = undefined
      }
      return
    }
    if (this.openSet) return this.element(scan)
    const kind = this.head && (['set', 'map'] as const).find((word) => scan.word(word))
    if (kind) {
      this.openSet = { ...readSetHead(scan, kind === 'map'), span: scan.span(start), elements: [] }
      scan.needMark('{')
      if (!scan.done) this.element(scan)
      return
    }
    const state = this.head && STATES.find((word) => scan.word(word))
    if (state) {
      this.state.push(readState(scan, state, start))
      return
    }
    if (this.head && scan.word('hook')) {
      this.base.push(readHook(scan, start))
      return
    }
    if (this.head && scan.word('chain')) {
      const name = scan.name()
      const span = scan.span(start)
      scan.needMark('{')
      this.open = { name, span, rules: [] }
      if (!scan.done && scan.mark('}')) {
        this.chains.push(this.open)
        this.open = undefined
      }
      return
    }
    if (this.head) throw scan.fault()
    // The lines below a head that is wrong are read all the same.
    this.head = { syntax: '', profile: 'nft-6.18' }
    scan.needWord('filter')
    const syntax = scan.name()
    scan.needWord('profile')
    this.head = { syntax, profile: scan.oneOf(Object.keys(PROFILES) as ProfileName[], 'profile') }
  }

  /** A line between the braces of a set. */
  private element(scan: Scan): void {
    const set = this.openSet!
    if (scan.mark('}')) {
      this.sets.push(set)
      this.openSet = undefined
      return
    }
    const { key, ...data } = readElement(scan, set, readVerdict)
    if (key) set.elements.push({ key, ...data })
    else set.catchAll = data
  }
}

function readHook(scan: Scan, start: number): BaseChain {
  const hook = scan.name()
  scan.needWord('view')
  const view = readView(scan)
  scan.needWord('family')
  const family = scan.oneOf(['any', 'ipv4', 'ipv6', 'ip'], 'family')
  scan.needWord('chain')
  const chain = scan.name()
  scan.needWord('policy')
  const policy = scan.oneOf(['accept', 'drop'], 'policy')
  return { chain, hook, view, family, policy, span: scan.span(start) }
}

function readView(scan: Scan): ViewName {
  return scan.oneOf(Object.keys(VIEWS) as ViewName[], 'view')
}

function readRule(scan: Scan): Rule {
  const start = scan.offset
  scan.needMark('#')
  const id = scan.integer('a number')
  const also: number[] = []
  while (scan.mark('+')) also.push(scan.integer('a number'))
  scan.needMark(':')
  const steps: Step[] = []
  let text = ''
  while (!scan.done) {
    if (scan.mark(';')) {
      text = readWords(scan)
      break
    }
    if (steps.length > 0) scan.needMark(',')
    steps.push(readStep(scan))
  }
  return { id, ...(also.length > 0 && { also }), text, steps, span: scan.span(start) }
}

/** The user's words, to the end of the line. */
function readWords(scan: Scan): string {
  const start = scan.offset
  const rest = scan.rest().trimEnd()
  return rest.startsWith('"') ? scan.unquoted(rest, start) : rest
}

function readStep(scan: Scan): Step {
  const start = scan.offset
  if (scan.word('count')) {
    const counter = scan.done || scan.at(',') || scan.at(';') ? undefined : scan.name()
    return { kind: 'count', ...(counter !== undefined && { counter }), span: scan.span(start) }
  }
  if (scan.word('log')) return { kind: 'log', words: scan.name(), span: scan.span(start) }
  for (const kind of ['limit', 'quota', 'nth'] as const) {
    if (!scan.word(kind)) continue
    const over = scan.word('over')
    const state = scan.name()
    const key = kind === 'limit' && scan.at('[') ? readKey(scan) : undefined
    return { kind: kind as 'limit', state, over, ...(key && { key }), span: scan.span(start) }
  }
  for (const kind of ['table', 'recent'] as const)
    if (scan.word(kind)) return readKeeping(scan, kind, start, { key: readKey, term: readTerm })
  if (scan.word('set')) return readSetStep(scan, start)
  if (scan.mark('→') || scan.mark('->')) {
    if (scan.mark('@')) {
      const [map, terms] = [scan.name(), readKey(scan)]
      return { kind: 'vmap', terms, map, span: scan.span(start) }
    }
    const verdict = readVerdict(scan)
    return { kind: 'verdict', verdict, span: scan.span(start) }
  }
  const view = scan.word('as') ? readView(scan) : undefined
  if (view) scan.needMark(':')
  const pred = readPred(scan)
  return { kind: 'match', pred, ...(view && { view }), span: scan.span(start) }
}

function readVerdict(scan: Scan): Verdict {
  const kind = scan.oneOf(['accept', 'drop', 'return', 'continue', 'jump', 'goto', ...ACT_NAMES], 'verdict')
  if (Object.hasOwn(ACTS, kind)) {
    const args: string[] = []
    scan.needMark('(')
    while (!scan.mark(')')) {
      if (args.length > 0) scan.needMark(',')
      args.push(scan.name())
    }
    return { kind: 'act', act: kind as ActName, args }
  }
  return kind === 'jump' || kind === 'goto' ? { kind, chain: scan.name() } : { kind: kind as 'accept' }
}

function readSetStep(scan: Scan, start: number): Step {
  const from = scan.offset
  const field = scan.peekWord()
  if (!scan.word(field) || !isMetadata(field))
    throw new Fault('ir/syntax', `${field || 'this'} is no metadata`, scan.span(from), ['a field such as meta.mark'])
  scan.needMark('=')
  if (scan.word('turn')) {
    scan.needWord('of')
    return { kind: 'turn', state: scan.name(), field, span: scan.span(start) }
  }
  return { kind: 'set', field, term: readTerm(scan), span: scan.span(start) }
}
