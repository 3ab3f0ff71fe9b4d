// Terms as C expressions, and the functions that fetch fields. A term that is absent ends the rule (GET); in a view that reads 0 for what is
// not there, the term of a comparison is 0 as a whole (GET0).

import { type FieldPlace, isShort, type Pred, placeOf, type Term } from '@netsieve/ir'
import { FIELDS, type FieldId, isMetadata, PROTOCOLS, type ValueKind } from '@netsieve/packet'
import { loader, metaFunction } from './fields.ts'
import { hashFunction } from './jhash.ts'
import { findFunction } from './lists.ts'
import { metadataFunction } from './metadata.ts'
import { get, number, u128 } from './prelude.ts'
import { fetcher, type Scope, Unsupported } from './scope.ts'
import { inRanges, setOf, valueFunction } from './sets.ts'
import { hex, identifier } from './text.ts'
import { type Absence, type Fetch, isOwn, mayEnd, ownValue, packetValue } from './values.ts'
import { walkFunction } from './walk-headers.ts'

/** The term of a comparison. */
export function asked(scope: Scope, term: Term): string {
  if (scope.view.missing !== 'zero') return expression(scope, term)
  const simple = term.kind === 'mask' ? term.term : term
  if (simple.kind !== 'bin' && simple.kind !== 'mask' && !('index' in simple)) return expression(scope, term, 'zero')
  // More than one value may be absent: a function of its own, whose absence is 0.
  return packetValue(scope, 64, (from) => termFunction(from, term), 'zero')
}

function termFunction(scope: Scope, term: Term): Fetch {
  const { unit } = scope
  const text = expression(scope, term)
  const wide = isWide(scope, term)
  const name = unit.called(
    `term ${scope.name(text)}`,
    () => {
      const own = unit.unique(scope.name('term'))
      return { name: own, text: `${fetcher(own, wide ? u128(unit) : '__u64')}\n{\n	*value = ${text};\n	return 0;\n}` }
    },
    'prelude',
  )
  return { name, args: [], wide }
}

/** A use of GET with other values than the packet. */
function got({ unit }: Scope, name: string, args: readonly string[], wide = false, zero = false): string {
  return `${get(unit, { wide, zero })}(${[name, ...args].join(', ')})`
}

/** A term as an expression, in brackets where it needs them; and what becomes of values that are not there. */
export function expression(scope: Scope, term: Term, absence: Absence = 'ends'): string {
  switch (term.kind) {
    case 'const':
      // Unsigned: a sum of two would be signed otherwise, and could overflow.
      return number(scope.unit, term.value).replace(/\d$/, '$&U')
    case 'length':
      return scope.values ? packetValue(scope, 32, (from) => simply(lengthFunction(from))) : '(__u64)p->size'
    case 'field': {
      const { field } = term
      if (isOwn(scope, field) && scope.values) return ownValue(scope.unit, scope.values, field, absence)
      const wide = isWide(scope, term)
      return packetValue(scope, FIELDS[field].bits, (from) => simply(fieldFunction(from, field), wide), absence)
    }
    case 'load': {
      const { base, offset, bytes, index } = term
      const short = !index && isShort(offset * 8, bytes * 8)
      const wide = bytes > 8
      return packetValue(scope, bytes * 8, (from) => {
        const at = index ? `${offset} + ${near(from, index)}` : String(offset)
        return { name: loader(from, base, wide, { short }), args: [at, String(bytes)], wide }
      }, absence) // biome-ignore format: one value
    }
    case 'raw': {
      const wide = isWide(scope, term)
      return packetValue(scope, term.bits, (from) => simply(rawFunction(from, term), wide), absence)
    }
    case 'mask': {
      const kind = kindOf(term.term)
      const mask = number(scope.unit, term.mask, kind === 'ipv4' || kind === 'mac' ? kind : 'hex')
      return `(${expression(scope, term.term, absence)} & ${mask})`
    }
    case 'bin':
      return arithmetic(scope, term)
    case 'mapped': {
      const { name, wide } = valueFunction(scope, setOf(scope, term.map))
      return inOrder(scope, term.terms, (values) => got(scope, name, values, wide, absence === 'zero'))
    }
    case 'find':
      return packetValue(scope, 32, (from) => simply(findFunction(from, term)), absence)
    case 'headers':
      throw new Unsupported('a list of headers')
    case 'jhash':
      return inOrder(scope, term.parts.map((part) => part.term), (values) => `${hashFunction(scope, term)}(${values.join(', ')})`) // biome-ignore format: one call
    case 'walk':
      return packetValue(scope, 16, (from) => simply(walkFunction(from, term)), absence)
  }
}

const simply = (name: string, wide = false): Fetch => ({ name, args: [], wide })

function lengthFunction({ unit }: Scope): string {
  return unit.need('frame_size', () => `${fetcher('frame_size', '__u64')}\n{\n	*value = p->size;\n	return 0;\n}`)
}

/** The term of a comparison that does not hold for numbers above all that the term can be: in brief, where a packet without it only ends the rule. */
export function compared(scope: Scope, term: Term): string {
  const { view, absent, values } = scope
  const drops = view.cutDrops.length > 0 || view.tinyDrops.length > 0 || view.chainDrops || view.lists.drops
  const plain = term.kind === 'field' || term.kind === 'load' || term.kind === 'raw'
  return values && plain && !drops && absent === 'NEXT' && view.missing !== 'zero'
    ? expression(scope, term, 'above')
    : asked(scope, term)
}

/** A function of the values of terms. */
export function call(scope: Scope, name: string, terms: readonly Term[]): string {
  return inOrder(scope, terms, (values) => `${name}(${values.join(', ')})`, asked)
}

/** What is made of the values of terms. Where it matters which one fails first, they are fetched one after the other whatever the compiler likes. */
export function inOrder(
  scope: Scope,
  terms: readonly Term[],
  make: (values: readonly string[]) => string,
  value: (scope: Scope, term: Term) => string = expression,
): string {
  const values = terms.map((term) => value(scope, term))
  const { cutDrops, chainDrops, lists } = scope.view
  const drops = cutDrops.length > 0 || chainDrops || lists.drops
  if (!drops || values.filter(mayEnd).length < 2) return make(values)
  const names = values.map((_, i) => `v${i + 1}`)
  const first = values.map((text, i) => `${isWide(scope, terms[i]!) ? 'u128' : '__u64'} ${names[i]} = ${text};`)
  return `({ ${first.join(' ')} ${make(names)}; })`
}

/** The function `(p, &value)` of a field. */
function fieldFunction(scope: Scope, field: FieldId): string {
  const { unit } = scope
  const name = scope.name(identifier(field))
  return unit.need(name, () => {
    if (isMetadata(field)) return metadataFunction(scope, field)
    const place = placeOf(field)
    if (!place) return metaFunction(scope, field)
    const { proto, bit, bits } = FIELDS[field]
    const [first, last] = [bit >> 3, (bit + bits - 1) >> 3]
    const whole = bits % 8 === 0 && bit % 8 === 0
    const where = !whole
      ? `bits ${bit} to ${bit + bits - 1}`
      : first === last
        ? `byte ${first}`
        : `bytes ${first} to ${last}`
    return `/* ${field}: ${where} of ${PROTOCOLS[proto].title} */\n${bitsFunction(scope, name, place, field)}`
  })
}

/** The function `(p, &value)` of bits anywhere. */
function rawFunction(scope: Scope, term: Term & { kind: 'raw' }): string {
  const { unit } = scope
  const key = JSON.stringify(term, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  return unit.called(
    `raw ${scope.name('')} ${key}`,
    () => {
      const name = unit.unique(scope.name(`bits_${term.base}_${term.bit}`))
      return { name, text: bitsFunction(scope, name, term) }
    },
    'prelude',
  )
}

/** Bits of whole bytes: where these start, how many they are, and how far the bits are from their end. */
function wholeBytes({ bit, bits }: Pick<FieldPlace, 'bit' | 'bits'>): { first: number; bytes: number; shift: number } {
  const first = bit >> 3
  const bytes = ((bit + bits + 7) >> 3) - first
  return { first, bytes, shift: (first + bytes) * 8 - (bit + bits) }
}

function bitsFunction(scope: Scope, name: string, place: FieldPlace, field?: FieldId): string {
  const { base, bit, bits, index, guard } = place
  const { first, bytes, shift } = wholeBytes(place)
  if (bytes > 16) throw new Unsupported(`${bits} bits that lie in ${bytes} bytes`)
  const wide = bytes > 8
  // An entry of a list is looked at by itself, whatever else its protocol needs.
  const proto = index || !field ? undefined : FIELDS[field].proto
  const from = loader(scope, base, wide, { short: !index && isShort(bit, bits), ...(proto && { proto }) })
  const at = index ? `${first} + ${near(scope, index)}` : String(first)
  const guards = guard ? guarded(scope, guard).map((one) => `	if (!${one})\n		return ${scope.absent};\n`) : []
  const part = partOf(bits, bytes * 8, shift)
  const load = `${from}(p, ${at}, ${bytes}, value)`
  const body = part
    ? `	if ((failed = ${load}))\n		return failed;\n	*value = ${part};\n	return 0;`
    : `	return ${load};`
  const type = wide ? u128(scope.unit) : '__u64'
  return `${fetcher(name, type)}\n{\n${part ? '	int failed;\n\n' : ''}${guards.join('')}${body}\n}`
}

/** The conditions of a header that is not always there. */
function guarded(scope: Scope, guard: Pred): string[] {
  if (guard.kind === 'and') return guard.args.flatMap((arg) => guarded(scope, arg))
  if (guard.kind !== 'in') throw new Unsupported(`a header that is there by ${guard.kind}`)
  return [inRanges(scope, asked(scope, guard.term), guard.ranges, isWide(scope, guard.term))]
}

/** The bits that are meant of whole bytes; none where they are all. */
function partOf(bits: number, of: number, shift: number): string | undefined {
  if (bits === of) return undefined
  const shifted = shift === 0 ? '*value' : `*value >> ${shift}`
  return shift + bits === of ? shifted : `${shift === 0 ? shifted : `(${shifted})`} & ${hex((1n << BigInt(bits)) - 1n)}`
}

/** An index of the packet's bytes. */
function near(scope: Scope, index: Term): string {
  scope.unit.need('near', () => `/* An index of the packet's bytes: no frame is longer. */
static __always_inline __u64 near(__u64 index)
{
	return index > 0xffffff ? 0xffffff : index;
}`) // biome-ignore format: C
  return `near(${expression(scope, index)})`
}

const C_OPERATOR = { add: '+', sub: '-', mul: '*', div: '/', mod: '%', and: '&', or: '|', xor: '^', lsh: '<<', rsh: '>>' } as const // biome-ignore format: one family

/** 32-bit arithmetic. */
function arithmetic(scope: Scope, { op, left, right }: Term & { kind: 'bin' }): string {
  const { unit, absent } = scope
  const operator = C_OPERATOR[op]
  const both = (make: (first: string, second: string) => string) =>
    inOrder(scope, [left, right], ([first, second]) => make(first!, second!))
  switch (op) {
    case 'and':
    case 'or':
    case 'xor':
      return `(${both((first, second) => `${first} ${operator} ${second}`)})`
    case 'add':
    case 'sub':
    case 'mul':
      return `(__u32)(${both((first, second) => `${first} ${operator} ${second}`)})`
    case 'lsh':
    case 'rsh':
      unit.need(op, () => `/* Shifts of 32 or more give 0. */
static __always_inline __u64 ${op}(__u64 left, __u64 right)
{
	return right > 31 ? 0 : (__u32)(left ${operator} right);
}`) // biome-ignore format: C
      return both((first, second) => `${op}(${first}, ${second})`)
    case 'div':
    case 'mod': {
      const divide = scope.name(op === 'div' ? 'divide' : 'modulo')
      unit.need(divide, () => `/* Nothing is divided by 0. */
static __always_inline int ${divide}(__u64 left, __u64 right, __u64 *value)
{
	if (right == 0)
		return ${absent};
	*value = left ${operator} right;
	return 0;
}`) // biome-ignore format: C
      return both((first, second) => got(scope, divide, [first, second]))
    }
  }
}

/** Whether a term's value is fetched as one of more than 64 bits. */
export function isWide(scope: Scope, term: Term): boolean {
  switch (term.kind) {
    case 'field': {
      const place = placeOf(term.field)
      return place ? wholeBytes(place).bytes > 8 : FIELDS[term.field].bits > 64
    }
    case 'raw':
      return wholeBytes(term).bytes > 8
    case 'load':
      return term.bytes > 8
    case 'mask':
      return isWide(scope, term.term)
    case 'mapped':
      return valueFunction(scope, setOf(scope, term.map)).wide
    default:
      return false
  }
}

export function kindOf(term: Term): ValueKind | undefined {
  return term.kind === 'field' ? FIELDS[term.field].kind : term.kind === 'mask' ? kindOf(term.term) : undefined
}
