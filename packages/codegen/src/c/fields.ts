// Functions that load bytes of the packet, one for each way of loading that the rules ask for, and that tell facts of its dissection. What
// makes a value absent is data of the view, as in ir's evaluate.ts.

import { headerEnd, type View } from '@netsieve/ir'
import { type FieldId, PROTOCOLS, type ProtocolName } from '@netsieve/packet'
import { brokenProtocol } from './locate.ts'
import { loadNumber, u128 } from './prelude.ts'
import { fetcher, type Scope } from './scope.ts'
import { identifier, when } from './text.ts'

export type PacketBase = 'link' | 'net' | 'transport'

interface Asked {
  /** 1, 2 or 4 aligned bytes. */
  readonly short: boolean
  /** The protocol whose header is asked; none for a plain load. */
  readonly proto?: ProtocolName
}

/** The function `(p, offset, bytes, &value)` that loads bytes counted from a base. */
export function loader(scope: Scope, base: PacketBase, wide: boolean, asked: Asked): string {
  const { unit, type, view, absent } = scope
  const key = base === 'transport' ? transportKey(view, asked) : base
  const plain = scope.name(`${key}${wide ? '_128' : ''}`)
  return unit.need(`load_${plain}`, () => {
    const be = loadNumber(unit, type, wide)
    const guards: string[] = []
    if (base !== 'link') guards.push(`p->${base} == NONE`)
    if (base !== 'link' && view.trim) guards.push(`p->${base} + offset + bytes > p->end`)
    const at = base === 'link' ? 'offset' : `p->${base} + offset`
    const before = base === 'transport' ? transportGuards(view, asked, absent) : ''
    return `${before === '' ? '' : `/* ${titleOf(asked)} */\n`}${fetcher(`load_${plain}`, wide ? u128(unit) : '__u64', ', __u64 offset, __u32 bytes')}
{
${before}${when([...guards, `${be}(p, ${at}, bytes, value)`].join(' || '), `return ${absent};`)}
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
export function transportGuards(view: View, { short, proto }: Asked, absent: string): string {
  const lines: string[] = []
  if (proto !== undefined && view.tinyDrops.includes(proto))
    lines.push(when('p->fragment == 1 && p->nfproto == 2', 'return DROP;'))
  const fragments: string[] = []
  if (view.laterFragments === 'none' || (view.laterFragments === 'short' && !short)) fragments.push('p->fragment')
  if (view.firstFragments === 'none')
    fragments.push(view.laterFragments === 'none' ? 'p->more' : '(!p->fragment && p->more)')
  if (fragments.length > 0) lines.push(when(fragments.join(' || '), `return ${absent};`))
  if (view.transportNeeds === 'header' && proto !== undefined) {
    const end = view.cutDrops.includes(proto) ? 'DROP' : absent
    lines.push(when(`p->transport != NONE && p->transport + ${headerEnd(proto)} > p->end`, `return ${end};`))
  }
  return lines.map((line) => `${line}\n`).join('')
}

/** The function of a fact that a dissection tells. @throws Error for a field that is none */
export function metaFunction(scope: Scope, field: FieldId): string {
  const { view, name, absent } = scope
  const head = `/* ${field} */\n${fetcher(name(identifier(field)), '__u64')}\n{\n`
  const gives = (value: string) => `	*value = ${value};\n	return 0;\n}`
  switch (field) {
    case 'meta.protocol':
    case 'meta.nfproto':
      return `${head}${when(`p->${field.slice(5)} == NONE`, `return ${absent};`)}\n${gives(`p->${field.slice(5)}`)}`
    case 'meta.l4proto': {
      const follows = view.ipv6Walk.length > 0 && view.missing !== 'zero'
      const gone = view.chainDrops ? 'DROP' : absent
      const broken = follows ? `${when(`p->l4proto == ${brokenProtocol(scope)}`, `return ${gone};`)}\n` : ''
      return `${head}${broken}${when('p->l4proto == NONE', `return ${absent};`)}\n${gives('p->l4proto')}`
    }
    case 'meta.length':
      return `${head}${when('p->net == NONE', `return ${absent};`)}\n${gives('p->end - p->net')}`
    default:
      throw new Error(`no way to fetch ${field}`)
  }
}
