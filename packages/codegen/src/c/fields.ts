// Functions that fetch values of the packet: one for each field and kind of load that the rules ask for. What makes a value absent is
// data of the view, as in ir's evaluate.ts.

import { isShort, type View } from '@netsieve/ir'
import { FIELDS, type FieldId, isMetadata, PROTOCOLS, type ProtocolName } from '@netsieve/packet'
import { brokenProtocol, isTag } from './locate.ts'
import { metadataFunction } from './metadata.ts'
import { loadNumber, u128 } from './prelude.ts'
import { absentGives, fetcher, type Scope } from './scope.ts'
import { hex, identifier, when } from './text.ts'

/** The function `(p, &value)` of a field. */
export function fieldFunction(scope: Scope, field: FieldId): string {
  const { unit, name } = scope
  const { proto, bit, bits } = FIELDS[field]
  const { base } = PROTOCOLS[proto]
  return unit.need(name(identifier(field)), () => {
    if (isMetadata(field)) return metadataFunction(scope, field)
    if (base === 'meta') return metaFunction(scope, field)
    const first = bit >> 3
    const bytes = ((bit + bits + 7) >> 3) - first
    const shift = (first + bytes) * 8 - (bit + bits)
    const wide = bytes > 8
    const type = wide ? 'u128' : '__u64'
    const from = loader(scope, base, wide, { short: isShort(bit, bits), proto })
    const where =
      bits % 8 === 0 && bit % 8 === 0 ? `bytes ${first} to ${first + bytes - 1}` : `bits ${bit} to ${bit + bits - 1}`
    const part = partOf(bits, bytes * 8, shift)
    const body = part
      ? `	int failed = ${from}(p, ${first}, ${bytes}, value);\n\n	*value = ${part};\n	return failed;`
      : `	return ${from}(p, ${first}, ${bytes}, value);`
    return `/* ${field}: ${where} of ${PROTOCOLS[proto].title} */\n${fetcher(name(identifier(field)), type)}\n{\n${body}\n}`
  })
}

/** The bits that are meant of whole bytes; none where they are all. */
function partOf(bits: number, of: number, shift: number): string | undefined {
  if (bits === of) return undefined
  const shifted = shift === 0 ? '*value' : `*value >> ${shift}`
  return shift + bits === of ? shifted : `${shift === 0 ? shifted : `(${shifted})`} & ${hex((1n << BigInt(bits)) - 1n)}`
}

export type PacketBase = 'link' | 'net' | 'transport'

interface Asked {
  /** 1, 2 or 4 aligned bytes. */
  readonly short: boolean
  /** The protocol whose header is asked; none for a plain load. */
  readonly proto?: ProtocolName
}

/** The function `(p, offset, bytes, &value)` that loads bytes counted from a base. */
export function loader(scope: Scope, base: PacketBase, wide: boolean, asked: Asked): string {
  const { unit, type, view } = scope
  const give = absentGives(scope)
  const key = base === 'transport' ? transportKey(view, asked) : base
  const plain = scope.name(`${key}${wide ? '_128' : ''}`)
  return unit.need(`load_${plain}`, () => {
    const be = loadNumber(unit, type, wide)
    const guards: string[] = []
    if (base !== 'link') guards.push(`p->${base} == NONE`)
    if (base !== 'link' && view.trim) guards.push(`p->${base} + offset + bytes > p->end`)
    const at = base === 'link' ? 'offset' : `p->${base} + offset`
    const before = base === 'transport' ? transportGuards(view, asked, give) : ''
    return `${before === '' ? '' : `/* ${titleOf(asked)} */\n`}${fetcher(`load_${plain}`, wide ? u128(unit) : '__u64', ', __u64 offset, __u32 bytes')}
{
${before}${when([...guards, `${be}(p, ${at}, bytes, value)`].join(' || '), ...give)}
	return 0;
}`
  })
}

const titleOf = ({ proto }: Asked): string =>
  proto ? `Bytes of the header: ${PROTOCOLS[proto].title}.` : 'Bytes from the transport header on.'

/** Loads of the transport header that are guarded alike share a function: its name. */
function transportKey(view: View, { short, proto }: Asked): string {
  const byProto =
    proto !== undefined &&
    (view.transportNeeds === 'header' || view.tinyDrops.includes(proto) || view.cutDrops.includes(proto))
  const long = view.laterFragments === 'short' && !short
  return `${byProto ? proto : 'transport'}${long ? '_long' : ''}`
}

/** Fragments and cut headers, as the view has them. */
function transportGuards(view: View, { short, proto }: Asked, give: readonly string[]): string {
  const lines: string[] = []
  if (proto !== undefined && view.tinyDrops.includes(proto))
    lines.push(when('p->fragment == 1 && p->nfproto == 2', 'return DROP;'))
  const fragments: string[] = []
  if (view.laterFragments === 'none' || (view.laterFragments === 'short' && !short)) fragments.push('p->fragment')
  if (view.firstFragments === 'none')
    fragments.push(view.laterFragments === 'none' ? 'p->more' : '(!p->fragment && p->more)')
  if (fragments.length > 0) lines.push(when(fragments.join(' || '), ...give))
  if (view.transportNeeds === 'header' && proto !== undefined) {
    const { minBytes } = PROTOCOLS[proto]
    const end = view.cutDrops.includes(proto) ? ['return DROP;'] : give
    lines.push(when(`p->transport != NONE && p->transport + ${minBytes} > p->end`, ...end))
  }
  return lines.map((line) => `${line}\n`).join('')
}

/** Facts that a dissection tells. */
function metaFunction(scope: Scope, field: FieldId): string {
  const { unit, view, type, name } = scope
  const give = absentGives(scope)
  const head = `/* ${field} */\n${fetcher(name(identifier(field)), '__u64')}\n{\n`
  switch (field) {
    case 'meta.protocol':
    case 'meta.nfproto':
    case 'meta.l4proto': {
      const member = field.slice('meta.'.length)
      const broken =
        field === 'meta.l4proto' && view.ipv6Walk.length > 0 && view.missing !== 'zero'
          ? `${when(`p->l4proto == ${brokenProtocol(scope)}`, ...(view.chainDrops ? ['return DROP;'] : give))}\n`
          : ''
      return `${head}${broken}${when(`p->${member} == NONE`, ...give)}\n	*value = p->${member};\n	return 0;\n}`
    }
    case 'meta.length':
      return `/* From the network header on. */\n${fetcher(name('meta_length'), '__u64')}\n{\n${when('p->net == NONE', ...give)}\n	*value = p->end - p->net;\n	return 0;\n}`
    case 'vlan.tpid':
    case 'vlan.tci': {
      loadNumber(unit, type, false)
      isTag(unit)
      const result = field === 'vlan.tpid' ? 'type' : 'tci'
      return `${head}	__u64 type, tci;

${when('load_be(p, 12, 2, &type) || !is_tag(type) || load_be(p, 14, 2, &tci)', ...give)}
	*value = ${result};
	return 0;
}`
    }
    default:
      throw new Error(`no way to fetch ${field}`)
  }
}
