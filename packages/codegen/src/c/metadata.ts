// What is known of a packet beside its bytes: fields of the program's context, and a map of one value that is filled in before each packet.

import { CONTEXTS, PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { METADATA, type MetadataId, type MetadataLayout } from '@netsieve/packet'
import { askKnown, METADATA_MAP } from '../metadata.ts'
import { u128 } from './prelude.ts'
import { fetcher, type Scope } from './scope.ts'
import { identifier, when } from './text.ts'
import type { Unit } from './unit.ts'
import { NotKept } from './values.ts'

/** The function `(p, &value)` of a field: as it came, or as rules have set it. */
export function metadataFunction(scope: Scope, field: MetadataId): string {
  const own = identifier(field)
  if (!scope.metadata.locals.has(field)) return fromOutside(scope, field, own)
  if (scope.beforeRules) throw new NotKept()
  return `/* ${field}, which rules set */
${fetcher(scope.name(own), '__u64')}
{
${when(`!p->${own}_known`, `return ${scope.absent};`)}
	*value = p->${own};
	return 0;
}`
}

/** Fields that rules set are members of the packet's struct, filled at the start of the program; the statements that do so. */
export function localsAtFirst(scope: Scope): string[] {
  const { unit, values } = scope
  return [...scope.metadata.locals.keys()].map((field) => {
    const own = identifier(field)
    const name = unit.need(scope.name(`${own}_at_first`), () => fromOutside(scope, field, `${own}_at_first`))
    if (values) return values.fetchedFirst(unit, field, name)
    return `	p.${own}_known = !${name}(&p, &value);\n	p.${own} = value;`
  })
}

export const localMembers = (fields: readonly MetadataId[]): string[] =>
  fields.flatMap((field) => [`__u32 ${identifier(field)};`, `bool ${identifier(field)}_known;`])

/** The statements that write what rules have set where others see it. */
export function localsAtLast({ metadata, type, values }: Scope): string[] {
  return [...metadata.locals.keys()].flatMap((field) => {
    const offset = metadata.writable(field)
    return offset === undefined
      ? []
      : [`	ctx->${contextName(type, offset)} = ${values ? `v.${values.own(field).name}` : `p.${identifier(field)}`};`]
  })
}

function fromOutside(scope: Scope, field: MetadataId, own: string): string {
  const { unit, metadata, name, type, context, absent } = scope
  const { bits, title } = METADATA[field]
  const head = `/* ${field}: ${title} */\n${fetcher(name(own), bits > 64 ? u128(unit) : '__u64')}\n{\n`
  const place = metadata.context(field)
  if (place) {
    const member = contextName(type, place.offset)
    context.add(member)
    return `${head}${place.known ? '' : `${when(`!p->${member}`, `return ${absent};`)}\n`}	*value = p->${member};\n	return 0;\n}`
  }
  const slot = metadata.slots.get(field)!
  const asked = askKnown(slot) ? `${when(`!p->metadata->known[${slot.knownAt}]`, `return ${absent};`)}\n` : ''
  const swap = { 16: 'bpf_ntohs', 32: 'bpf_ntohl', 64: 'bpf_be64_to_cpu' }[bits as number]
  const wide = `(u128)bpf_be64_to_cpu(p->metadata->${identifier(field)}[0]) << 64 | bpf_be64_to_cpu(p->metadata->${identifier(field)}[1])`
  const value =
    bits > 64 ? wide : bits === 8 ? `p->metadata->${identifier(field)}` : `${swap}(p->metadata->${identifier(field)})`
  return `${head}${asked}	*value = ${value};\n	return 0;\n}`
}

function contextName(type: ProgTypeName, offset: number): string {
  const { fields } = CONTEXTS[PROG_TYPES[type].context]
  return Object.entries(fields).find(([, field]) => field.offset === offset)![0]
}

/** The map and the struct of its value: the layout that netsieve itself fills in. */
export function metadataMap(unit: Unit, { slots }: MetadataLayout): string {
  return unit.need(METADATA_MAP, () => {
    const members = slots.map(({ field, bytes }) => {
      const words = bytes > 8 ? `[${bytes / 8}]` : ''
      const type = bytes === 1 ? '__u8' : `__be${Math.min(bytes, 8) * 8}`
      return `	${type} ${identifier(field)}${words};`
    })
    return `/* What is known of a packet beside its bytes: whoever feeds the program fills it in. Numbers are big endian. */
struct metadata {
	__u8 known[${slots.length}]; /* 1 for each of the following that is */
${members.join('\n')}
} __attribute__((aligned(8)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct metadata);
	__uint(max_entries, 1);
} ${METADATA_MAP} SEC(".maps");`
  })
}
