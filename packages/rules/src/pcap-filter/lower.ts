// Tree to IR, from left to right through the text as libpcap generates code: an encapsulation on the way moves all that follows it.

import type { Diagnostic, Outcome, Span } from '@netsieve/diag'
import {
  and,
  cmp,
  type Filter,
  match,
  not,
  or,
  type Pred,
  type ProfileName,
  type Rule,
  type Term,
  verdict,
} from '@netsieve/ir'
import { parseName } from '@netsieve/packet'
import { accessorTerm } from './accessors.ts'
import { type Asking, address, gateway } from './addresses.ts'
import type { Arith, Ast, Expr } from './ast.ts'
import { protocolChain } from './chain.ts'
import { encapsulated } from './encapsulation.ts'
import { Fault } from './fault.ts'
import { cast } from './hosts.ts'
import { Layers, type LoweringMode, type PcapLink } from './layers.ts'
import { hasLlc } from './link.ts'
import type { NameFiles } from './names.ts'
import { portMatch, portNumber, service, serviceRange, transportOf } from './ports.ts'
import { protocolAlone, protocolByNumber, protocolNamed } from './protocols.ts'
import { LARGEST, type Settled, settle, testsOf } from './settle.ts'
import { combine, constant, type Refusal, relate, relateInFull } from './terms.ts'
import { typed } from './typed.ts'
import { LLC_TYPES, type LlcType } from './words.ts'

export interface Settings {
  readonly profile: ProfileName
  readonly link: PcapLink
  /** For `ip broadcast`; 0 where it is not known, as for a capture file. */
  readonly netmask: bigint
  readonly names: NameFiles
  readonly onMatch: 'pass' | 'drop'
}

type IdExpr = Extract<Expr, { kind: 'id' }>
type Joined = Extract<Expr, { kind: 'and' | 'or' }>

function isJoined(expr: Expr): expr is Joined {
  return expr.kind === 'and' || expr.kind === 'or'
}

/** The whole filter: one rule. @throws Fault */
export function lowerExpression(ast: Ast, settings: Settings): Outcome<Filter> {
  const { pred, warnings } = ast.expr ? settled(ast.expr, settings) : { pred: undefined, warnings: [] }
  const matched = settings.onMatch === 'pass' ? 'accept' : 'drop'
  const rule: Rule = {
    id: 0,
    text: ast.span.source.text.trim(),
    span: ast.span,
    steps: [...(pred ? [match(pred)] : []), verdict(matched)],
  }
  const value: Filter = {
    syntax: 'pcap-filter',
    profile: settings.profile,
    base: [
      {
        chain: 'expression',
        hook: 'capture',
        view: 'pcap',
        family: 'any',
        policy: matched === 'accept' ? 'drop' : 'accept',
      },
    ],
    chains: [{ name: 'expression', rules: [rule], span: ast.span }],
  }
  return { value, diagnostics: warnings }
}

function settled(expr: Expr, settings: Settings): { readonly pred: Pred; readonly warnings: readonly Diagnostic[] } {
  const short = new Lowering(settings, 'short')
  // Before a protocol chain libpcap's optimiser gives up; where a tunnel was looked into, values are kept from test to test, and it moves none.
  // Large expressions are left as they are, but for what their types tell: all that follows would go through it.
  const plain = short.expr(expr)
  if (short.walksChain)
    return { pred: flat(new Lowering(settings, 'unoptimized').expr(expr)), warnings: short.warnings }
  if (short.seesTunnel) return { pred: flat(plain), warnings: short.warnings }
  const largest = isList(expr) ? LARGEST.list : LARGEST.any
  if (testsOf(plain, largest) > largest) return { pred: typed(plain), warnings: short.warnings }
  const { pred, mistaken } = placed(expr.span, () => new Lowering(settings, 'full').settled(expr, plain, largest))
  if (mistaken) {
    short.warnings.push({
      severity: 'warning',
      code: 'rules/optimizer',
      message: "libpcap's optimiser mistakes a test of this expression, so other packets may match than is written",
      span: expr.span,
      hint: 'this is what tcpdump does (not tcpdump -O): put tests of the same bytes side by side, and a test that is the same there once',
    })
  }
  return { pred: flat(pred), warnings: short.warnings }
}

/** Hosts, nets, ports and the like, joined by nothing but `or`. */
function isList(expr: Expr): boolean {
  const open = [expr]
  for (let part = open.pop(); part; part = open.pop()) {
    if (part.kind === 'or') open.push(part.left, part.right)
    else if (part.kind !== 'id') return false
  }
  return true
}

/** `(a and b) and c` as `a and b and c`: the same, and easier to read. Parts that stand there several times stay one. */
function flat(pred: Pred, known = new Map<Pred, Pred>()): Pred {
  if (pred.kind !== 'and' && pred.kind !== 'or' && pred.kind !== 'not') return pred
  const before = known.get(pred)
  if (before) return before
  const made = pred.kind === 'not' ? not(flat(pred.arg, known)) : joinedFlat(pred, known)
  known.set(pred, made)
  return made
}

/** The same object where nothing is in it to be made flat. */
function joinedFlat(pred: Extract<Pred, { kind: 'and' | 'or' }>, known: Map<Pred, Pred>): Pred {
  const args: Pred[] = []
  let same = true
  for (const arg of pred.args) {
    const part = flat(arg, known)
    same &&= part === arg && part.kind !== pred.kind
    if (part.kind !== pred.kind) args.push(part)
    else for (const each of part.args) args.push(each)
  }
  return same ? pred : { ...pred, args }
}

/** A fault without a place gets this one. */
function placed<T>(span: Span, work: () => T): T {
  try {
    return work()
  } catch (fault) {
    if (!(fault instanceof Fault) || fault.diagnostic.span) throw fault
    const { code, message, ...extra } = fault.diagnostic
    throw new Fault(code, message, span, extra)
  }
}

/** Each change between `and` and `or` is a level of the predicate. */
const MOST_CHANGES = 1000

class Lowering {
  private readonly layers: Layers
  private readonly settings: Settings

  readonly warnings: Diagnostic[] = []
  walksChain = false

  constructor(settings: Settings, mode: LoweringMode) {
    this.settings = settings
    this.layers = new Layers(settings.link, mode)
  }

  get seesTunnel(): boolean {
    return this.layers.tunnels > 0
  }

  /** The expression as libpcap's optimiser leaves it. @param short the same as it is lowered in short */
  settled(expr: Expr, short: Pred, largest: number): Settled {
    return settle(this.expr(expr), short, (term) => this.layers.named(term), largest)
  }

  /** A fault without a place gets that of the primitive it is about. */
  expr(expr: Expr): Pred {
    if (isJoined(expr)) return this.joined(expr)
    const span = expr.kind === 'id' ? expr.idSpan : expr.span
    return placed(span, () => (expr.kind === 'not' ? not(this.expr(expr.arg)) : this.primitive(expr)))
  }

  /** `a or b or c` leans left, as deep as it is long: flattened here, which also keeps the stack shallow. */
  private joined(expr: Joined): Pred {
    const operands: { readonly kind: 'and' | 'or'; readonly right: Expr }[] = []
    let first: Expr = expr
    while (isJoined(first)) {
      operands.push({ kind: first.kind, right: first.right })
      first = first.left
    }
    let kind: 'and' | 'or' | undefined
    let args: Pred[] = [this.expr(first)]
    let changes = 0
    for (const operand of operands.reverse()) {
      if (kind && kind !== operand.kind) {
        args = [kind === 'and' ? and(...args) : or(...args)]
        if (++changes > MOST_CHANGES)
          throw new Fault(
            'rules/too-long',
            `more than ${MOST_CHANGES} changes between and and or in one expression`,
            expr.span,
          )
      }
      kind = operand.kind
      args.push(this.expr(operand.right))
    }
    return kind === 'and' ? and(...args) : or(...args)
  }

  private primitive(expr: Exclude<Expr, Joined | { kind: 'not' }>): Pred {
    const { layers } = this
    switch (expr.kind) {
      case 'id':
        return this.identifier(expr)
      case 'protocol':
        return protocolAlone(layers, expr.protocol)
      case 'cast':
        return cast(layers, expr.cast, expr.protocol, this.settings.netmask)
      case 'size':
        return cmp({ kind: 'length' }, expr.test, expr.value)
      case 'byte':
        return this.byte(expr)
      case 'relation':
        return this.relation(expr)
      case 'encapsulation':
        return encapsulated(layers, expr.name, expr.id)
      case 'llc':
        return this.llc(expr.type)
      case 'direction':
        return this.direction(expr.inbound)
      case 'ifindex':
        return cmp(layers.link === 'LINUX_SLL2' ? layers.linkBytes(4, 4) : 'meta.ifindex', '==', expr.value)
      case 'ifname': {
        const name = parseName(expr.name)
        if (name === undefined) throw new Fault('rules/name', `\`${expr.name}\` is no name that a device can have`)
        return cmp('meta.ifname', '==', name)
      }
    }
  }

  private byte({ index, op, value }: Extract<Expr, { kind: 'byte' }>): Pred {
    if (op === '&' || op === '|')
      throw new Fault(
        'rules/unsupported',
        `\`byte N ${op} M\` has no meaning: libpcap forgets to load the byte`,
        undefined,
        {
          hint: `write: ether[${index}] ${op} ${value} != 0`,
        },
      )
    return cmp(this.layers.linkBytes(index, 1), op === '=' ? '==' : op, value)
  }

  private direction(inbound: boolean): Pred {
    const { layers } = this
    const outgoing = 4 // PACKET_OUTGOING of uapi linux/if_packet.h
    const [at, bytes] = layers.link === 'LINUX_SLL2' ? [10, 1] : [0, 2]
    const cooked = layers.link === 'LINUX_SLL' || layers.link === 'LINUX_SLL2'
    const out = cooked ? cmp(layers.linkBytes(at, bytes), '==', outgoing) : cmp('meta.direction', '==', 1)
    return inbound ? not(out) : out
  }

  private llc(type: LlcType | undefined): Pred {
    const { layers } = this
    if (layers.link !== 'EN10MB') throw new Fault('rules/link-type', '`llc` is supported in Ethernet captures only')
    const present = hasLlc(layers)
    if (type === undefined) return present
    const control = layers.llcBytes(2, 1)
    const masked = (mask: number, value: number) =>
      cmp({ kind: 'mask', term: control, mask: BigInt(mask) }, '==', value)
    const kind = LLC_TYPES[type]
    switch (kind) {
      case 'information':
        // `!= 0`: libpcap writes one instruction here.
        return and(present, not(cmp({ kind: 'mask', term: control, mask: 1n }, '!=', 0)))
      case 'supervisory':
        return and(present, masked(3, 1))
      case 'unnumbered':
        return and(present, masked(3, 3))
      default:
        // Supervisory frames keep the sequence number apart, unnumbered ones the poll bit.
        return and(present, (kind & 3) === 1 ? masked(0x0f, kind) : masked(0xef, kind))
    }
  }

  private relation({ left, test, right }: Extract<Expr, { kind: 'relation' }>): Pred {
    const checks: Pred[] = []
    const [a, b] = [this.term(left, checks), this.term(right, checks)]
    return and(...checks, this.layers.full ? relateInFull(a, test, b, literal(left, right)) : relate(a, test, b))
  }

  /** The number an arithmetic tree computes; what must hold of the packet first is added to `checks`. */
  private term(arith: Arith, checks: Pred[], trusted = true): Term {
    switch (arith.kind) {
      case 'number':
        return constant(arith.value)
      case 'length':
        return { kind: 'length' }
      case 'negate':
        return this.computed('sub', constant(0), this.term(arith.arg, checks, trusted), arith.span)
      case 'binary': {
        const left = this.term(arith.left, checks, trusted)
        const right = this.unchecked(arith.right)
        const shift = arith.op === 'lsh' || arith.op === 'rsh'
        if (shift && isConstant(arith.right) && firstNumber(arith.right) > 31)
          throw new Fault('rules/arithmetic', 'shift by more than 31 bits', arith.span)
        return this.computed(arith.op, left, right, arith.span)
      }
      case 'accessor': {
        // What the index needs is checked before what the accessor itself does, except that IPv4 comes first for transports.
        const own: Pred[] = []
        const index = this.term(arith.index, own, trusted)
        const { first, after, term } = placed(arith.span, () =>
          accessorTerm(this.layers, arith.protocol, index, arith.bytes, trusted),
        )
        checks.push(...first, ...own, ...after)
        return term
      }
    }
  }

  private computed(op: Parameters<typeof combine>[0], left: Term, right: Term, span: Span): Term {
    const term: Term | Refusal = combine(op, left, right)
    if (typeof term === 'string') throw new Fault('rules/arithmetic', term, span)
    return this.layers.loadsAll ? { kind: 'bin', op, left, right } : term
  }

  /** The right side of an operator. Libpcap forgets to check that the packet has the protocols it names. */
  private unchecked(arith: Arith): Term {
    const forgotten: Pred[] = []
    const term = this.term(arith, forgotten, false)
    if (forgotten.length > 0) {
      this.warnings.push({
        severity: 'warning',
        code: 'rules/unchecked',
        message: 'libpcap does not check that the packet has the protocol whose bytes stand right of an operator',
        span: arith.span,
        hint: 'put them on the left, or ask for the protocol first',
      })
    }
    return term
  }

  private get asking(): Asking {
    const { layers, settings, warnings } = this
    return { layers, names: settings.names, warnings }
  }

  private identifier(expr: IdExpr): Pred {
    const { qualifiers } = expr
    switch (qualifiers.kind) {
      case 'port':
      case 'portrange':
        return this.port(expr, qualifiers.kind)
      case 'gateway':
        return gateway(this.asking, expr)
      case 'proto':
        return protocolByNumber(this.layers, qualifiers.proto, this.protocolId(expr))
      case 'protochain':
        this.walksChain = true
        return protocolChain(this.layers, qualifiers.proto, this.protocolId(expr))
      default:
        return address(this.asking, expr)
    }
  }

  private protocolId({ id, qualifiers: { proto } }: IdExpr): number {
    if (id.form === 'number') return id.value
    if (id.form === 'name') return protocolNamed(proto, id.text)
    throw new Fault('rules/protocol', 'an address is no protocol', undefined, { expected: ['a number', 'a name'] })
  }

  private port({ id, qualifiers: { proto, dir } }: IdExpr, kind: 'port' | 'portrange'): Pred {
    const asked = transportOf(proto, kind)
    if (id.form === 'number') {
      const port = portNumber(id.value)
      return portMatch(this.layers, { lo: port, hi: port, transport: asked, ...(kind === 'portrange' && { range: true }) }, dir) // biome-ignore format: one call
    }
    if (id.form !== 'name')
      throw new Fault('rules/port', 'an address is no port', undefined, { expected: ['a number', "a service's name"] })
    if (kind === 'portrange') return portMatch(this.layers, serviceRange(id.text, asked), dir)
    const { port, transport } = service(id.text, asked)
    return portMatch(this.layers, { lo: port, hi: port, transport }, dir)
  }
}

/** Libpcap decides about its branches before it computes constants: only numbers as they stand count as such then. */
function literal(left: Arith, right: Arith): boolean {
  return right.kind === 'number' && left.kind !== 'negate' && (left.kind !== 'binary' || !isConstant(left))
}

function isConstant(arith: Arith): boolean {
  if (arith.kind === 'binary') return isConstant(arith.left) && isConstant(arith.right)
  return arith.kind === 'number' || (arith.kind === 'negate' && isConstant(arith.arg))
}

/** Libpcap judges a shift by the first number of its constant right side. */
function firstNumber(arith: Arith): number {
  if (arith.kind === 'binary') return firstNumber(arith.left)
  if (arith.kind === 'negate') return firstNumber(arith.arg)
  return arith.kind === 'number' ? arith.value : 0
}
