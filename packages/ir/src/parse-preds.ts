// Predicates and terms from IR text. The grammar is in parse.ts.

import { FIELDS, type FieldId, type ListName, PROTOCOLS, type ProtocolName, protocol } from '@netsieve/packet'
import { field } from './build.ts'
import { OPERATOR } from './print.ts'
import { Fault, type Scan } from './scan.ts'
import type { BinOp, Find, Hashed, Heads, Pred, Range, Term, Test } from './types.ts'

/** Longest first: `<=` is not `<`. */
const TESTS = ['==', '!=', '<=', '>=', '<', '>'] as const satisfies readonly Test[]
const BIN_OPS = (Object.keys(OPERATOR) as BinOp[]).sort((a, b) => OPERATOR[b].length - OPERATOR[a].length)
const BASES = ['link', 'net', 'transport'] as const
const LISTS: readonly ListName[] = ['ipv4', 'ipv6', 'tcp', 'dccp', 'sctp']
const ENTRIES = (Object.keys(PROTOCOLS) as ProtocolName[]).filter((name) => protocol(name).entry)

/** @throws Fault */
export function readPred(scan: Scan): Pred {
  return scan.nested(() => {
    const first = readSingle(scan)
    for (const kind of ['and', 'or'] as const) {
      if (!scan.word(kind)) continue
      const args = [first, readSingle(scan)]
      while (scan.word(kind)) args.push(readSingle(scan))
      return { kind, args }
    }
    return first
  })
}

function readSingle(scan: Scan): Pred {
  for (const value of [true, false]) if (scan.word(String(value))) return { kind: 'const', value }
  for (const kind of ['not', 'sure'] as const) if (scan.word(kind)) return { kind, arg: bracketed(scan) }
  if (scan.word('exists')) {
    scan.needMark('(')
    const what = scan.word('find') ? readFind(scan) : scan.oneOf(ENTRIES, 'entry of a list')
    scan.needMark(')')
    return { kind: 'exists', what }
  }
  if (scan.word('contains')) {
    scan.needMark('(')
    const [from, to] = [scan.integer('a place'), scan.integer('a place')]
    const bytes = scan.name()
    const nocase = scan.word('nocase')
    scan.needMark(')')
    return { kind: 'contains', from, to, bytes, nocase }
  }
  for (const kind of ['and', 'or'] as const) {
    if (!scan.word(kind)) continue
    scan.needMark('(')
    if (scan.mark(')')) return { kind, args: [] }
    const args = [readPred(scan)]
    scan.needMark(')')
    return { kind, args }
  }
  return scan.either(
    () => readTest(scan),
    () => bracketed(scan),
  )
}

function bracketed(scan: Scan): Pred {
  scan.needMark('(')
  const pred = readPred(scan)
  scan.needMark(')')
  return pred
}

function readTest(scan: Scan): Pred {
  const term = readTerm(scan)
  const terms = [term]
  while (scan.mark('.')) terms.push(readTerm(scan))
  if (terms.length > 1) {
    scan.needWord('in')
    scan.needMark('@')
    return { kind: 'inSet', terms, set: scan.name() }
  }
  if (scan.word('in'))
    return scan.mark('@') ? { kind: 'inSet', terms, set: scan.name() } : { kind: 'in', term, ranges: readRanges(scan) }
  const test = TESTS.find((each) => scan.mark(each))
  if (!test) throw scan.fault()
  // A number is a comparison's; computed ones stand in brackets.
  const value = scan.value()
  if (value !== undefined) return { kind: 'cmp', term, test, value }
  return { kind: 'relation', left: term, test, right: readOperand(scan) }
}

function readRanges(scan: Scan): Range[] {
  scan.needMark('{')
  const ranges: Range[] = []
  while (!scan.mark('}')) {
    if (ranges.length > 0) scan.needMark(',')
    ranges.push(scan.range())
  }
  return ranges
}

/** `[term . term]`. */
export function readKey(scan: Scan): Term[] {
  scan.needMark('[')
  const terms = [readTerm(scan)]
  while (scan.mark('.')) terms.push(readTerm(scan))
  scan.needMark(']')
  return terms
}

export function readTerm(scan: Scan): Term {
  const term = readOperand(scan)
  return scan.mark('&') ? { kind: 'mask', term, mask: scan.needValue() } : term
}

function readOperand(scan: Scan): Term {
  return scan.nested(() => {
    if (scan.mark('[')) {
      const term = readTerm(scan)
      scan.needMark(']')
      return term
    }
    if (scan.mark('(')) return readArithmetic(scan)
    if (scan.mark('@')) {
      const [map, terms] = [scan.name(), readKey(scan)]
      return { kind: 'mapped', terms, map }
    }
    const word = scan.peekWord()
    const base = BASES.find((name) => name === word)
    if (base) return readLoad(scan, base)
    if (scan.word('find')) return readFind(scan)
    if (scan.word('raw')) {
      const { bytes, offset, ...place } = readLoad(scan, scan.oneOf(BASES, 'base'), true)
      return { ...place, kind: 'raw', bit: offset, bits: bytes }
    }
    for (const kind of ['length', 'headers'] as const) if (scan.word(kind)) return { kind }
    if (scan.word('walk')) return readWalk(scan)
    if (scan.word('jhash')) return readHashed(scan)
    if (Object.hasOwn(FIELDS, word) && scan.word(word)) return field(word as FieldId)
    if (/^[a-z]\w*\.[a-z]/.test(word)) throw noField(scan, word)
    const value = scan.value()
    if (value !== undefined) return { kind: 'const', value }
    scan.want('a field')
    throw scan.fault()
  })
}

/** `(TERM:BYTES [host] { . TERM:BYTES [host] } seed N)`. */
function readHashed(scan: Scan): Hashed {
  scan.needMark('(')
  const parts: Hashed['parts'][number][] = []
  do {
    const term = readOperand(scan)
    scan.needMark(':')
    const bytes = scan.integer('a number of bytes')
    parts.push({ term, bytes, ...(scan.word('host') && { host: true as const }) })
  } while (scan.mark('.'))
  scan.needWord('seed')
  const seed = scan.integer('a seed')
  scan.needMark(')')
  return { kind: 'jhash', parts, seed }
}

function readArithmetic(scan: Scan): Term {
  const left = readOperand(scan)
  if (scan.mark(')')) return left
  const op = BIN_OPS.find((each) => scan.mark(OPERATOR[each]))
  if (!op) throw scan.fault()
  const right = readOperand(scan)
  scan.needMark(')')
  return { kind: 'bin', op, left, right }
}

/** `[not] {VALUE/MASK, …}`: types and flags of chunks. */
function readHeads(scan: Scan): Heads {
  const none = scan.word('not')
  const heads: Heads['heads'][number][] = []
  scan.needMark('{')
  while (!scan.mark('}')) {
    if (heads.length > 0) scan.needMark(',')
    const value = Number(scan.needValue())
    scan.needMark('/')
    heads.push({ mask: Number(scan.needValue()), value })
  }
  return { heads, none }
}

/** `(LIST TYPE [BYTES])`. TYPE: a number, or those of chunks with flags. */
function readFind(scan: Scan): Find {
  scan.needMark('(')
  const list = scan.oneOf(LISTS, 'list')
  const type = scan.at('{') || scan.at('not') ? readHeads(scan) : scan.integer('a type')
  if (scan.mark(')')) return { kind: 'find', list, type, bytes: 0 }
  const bytes = scan.integer('a number of bytes')
  scan.needMark(')')
  return { kind: 'find', list, type, bytes }
}

function readLoad(scan: Scan, base: (typeof BASES)[number], named = false): Extract<Term, { kind: 'load' }> {
  if (!named) scan.needWord(base)
  scan.needMark('[')
  const offset = () => {
    const found = scan.integer('an offset')
    scan.needMark(':')
    return found
  }
  const place = scan.either<{ readonly offset: number; readonly index?: Term }>(
    () => ({ offset: offset() }),
    () => {
      const index = readOperand(scan)
      scan.needMark('+')
      return { offset: offset(), index }
    },
  )
  const bytes = scan.integer('a number of bytes')
  scan.needMark(']')
  return { kind: 'load', base, bytes, ...place }
}

function readWalk(scan: Scan): Term {
  const family = scan.oneOf(['ipv4', 'ipv6'], 'family')
  scan.needMark('[')
  const net = scan.integer('an offset')
  scan.needMark(':')
  const until = scan.integer('a protocol number')
  scan.needMark(']')
  return { kind: 'walk', family, net, until }
}

function noField(scan: Scan, word: string): Fault {
  const start = scan.offset
  const proto = word.slice(0, word.indexOf('.') + 1)
  const near = Object.keys(FIELDS).filter((field) => field.startsWith(proto))
  return new Fault('ir/syntax', `there is no field ${word}`, scan.span(start, start + word.length), near)
}
