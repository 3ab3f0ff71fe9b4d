// Searches in lists: options of IPv4, TCP and DCCP, extension headers of IPv6, chunks of SCTP, as ir's lists.ts has them. The function of a
// search gives 0 and the place of an entry from its list's base, ABSENT where there is none, or the verdict of a packet that cannot be asked.

import { DCCP_TYPE_BYTES, entryOf, type Find, MAX_CHUNKS, MAX_EXTENSION_HEADERS, MAX_OPTIONS } from '@netsieve/ir'
import { EXTENSION_HEADERS, IPPROTO, NFPROTO, PROTOCOLS, type ProtocolName } from '@netsieve/packet'
import { typeOf } from '../find.ts'
import { transportGuards } from './fields.ts'
import { checkedOptions } from './ipv4-options.ts'
import { brokenProtocol } from './locate.ts'
import { forget, load } from './prelude.ts'
import { fetcher, type Scope, Unsupported } from './scope.ts'

/** The function `(p, &value)` of the place of an entry. */
export function findFunction(scope: Scope, what: Find): string {
  const { unit, absent } = scope
  const name = scope.name(`place_of_${nameOf(what)}`)
  return unit.need(name, () => {
    const seek = seekFunction(scope, what)
    return `${fetcher(name, '__u64')}\n{\n	int failed = ${seek}(p, value);\n\n	return failed == ABSENT ? ${absent} : failed;\n}`
  })
}

/** The function `(p, &value)` of whether an entry is there. */
export function exists(scope: Scope, what: ProtocolName | Find): string {
  const { unit } = scope
  const find = entryOf(what)
  const name = scope.name(`has_${nameOf(find)}`)
  return unit.need(name, () => {
    const seek = seekFunction(scope, find)
    const title = typeof what === 'string' ? `/* ${PROTOCOLS[what].title} */\n` : ''
    return `${title}${fetcher(name, '__u64')}\n{\n	int failed = ${seek}(p, value);\n\n	*value = !failed;\n	return failed == ABSENT ? 0 : failed;\n}`
  })
}

const nameOf = ({ list, type, bytes }: Find): string => {
  if (typeof type === 'object') throw new Unsupported('a search for chunks by their flags')
  return `${list}_${type}${bytes > 0 ? `_of_${bytes}` : ''}`
}

function seekFunction(scope: Scope, find: Find): string {
  const { unit, type } = scope
  const name = scope.name(`seek_${nameOf(find)}`)
  unit.need('ABSENT', () => '/* What a search in a list gives that has no such entry. */\n#define ABSENT -1')
  return unit.need(name, () => {
    load(unit, type)
    const bodies = { ipv4: inIpv4, ipv6: inExtensions, tcp: inTransport, dccp: inTransport, sctp: inTransport }
    const body = bodies[find.list](scope, find)
    return `/* The place of the first entry of type ${typeOf(find)} among those of ${find.list}. */\n${fetcher(name, '__u64')}\n{\n${body}\n}`
  })
}

/** Bytes of a list, that must be there. */
const take = (base: string, at: string, to: string, bytes: number) => `load(p, ${base} + ${at}, ${to}, ${bytes})`

function inTransport(scope: Scope, find: Find): string {
  const { view } = scope
  const list = find.list as 'tcp' | 'dccp' | 'sctp'
  const { minBytes } = PROTOCOLS[list]
  const drops = view.lists.drops ? 'DROP' : 'ABSENT'
  const broken = view.chainDrops ? `	if (p->l4proto == ${brokenProtocol(scope)})\n		return DROP;\n` : ''
  const there = `${broken}	if (p->l4proto != ${IPPROTO[list]} || p->transport == NONE)
		return ABSENT;
${list === 'sctp' && view.lists.fragments ? '' : transportGuards(view, { short: false, proto: list }, 'ABSENT')}	if (p->transport + ${minBytes} > p->end || load(p, p->transport, header, sizeof(header)))
		return ABSENT;`
  if (list === 'sctp') return `	__u8 header[4]; /* type, flags, length */\n\n${there}\n${inChunks(find, drops)}`
  const from = list === 'tcp' ? '20' : 'dccp'
  const bytes = list === 'tcp' ? 13 : 9
  const dccp = `	switch (header[8] >> 1 & 0xf) {
${DCCP_TYPE_BYTES.map((more, type) => `	case ${type}:\n		dccp = ${12 + more};\n		break;`).join('\n')}
	default:
		dccp = 24;
	}
	dccp += (header[8] & 1) * 4;
`
  const single = list === 'dccp' && view.lists.badLength === 'end' ? 31 : 1
  return `	__u8 header[${bytes}], type, said;
	__u32 length, at, to${list === 'dccp' ? ', dccp' : ''};

${there}
${list === 'dccp' ? dccp : ''}	to = ${list === 'tcp' ? '(header[12] >> 4) * 4' : 'header[4] * 4'};
	if (to < ${from} || p->transport + to > p->end)
		return ${drops};
	at = ${from};
${inOptions(scope, find, 'p->transport', single)}`
}

/** Options from `at` to `to`: of one byte up to type \`single\`, of type, length and value above. */
function inOptions({ unit, view: { lists } }: Scope, find: Find, base: string, single: number): string {
  forget(unit)
  const last = lists.lastByte ? 'to' : 'to - 1'
  const bad = lists.badLength === 'end' ? `type > ${single} && said < 2` : undefined
  const misfits = [
    ...(bad ? [`(${bad})`] : []),
    ...(lists.whole ? ['at + length > to'] : []),
    ...(find.bytes > 0 ? [`length < ${find.bytes}`] : []),
  ]
  const found = misfits.length > 0 ? `			if (${misfits.join(' || ')})\n				return ABSENT;\n` : ''
  const ends = [...(bad ? [`(${bad})`] : []), ...(lists.end ? ['type == 0'] : [])]
  const end = ends.length > 0 ? `		if (${ends.join(' || ')})\n			return ABSENT;\n` : ''
  return `	for (int options = 0; options < ${MAX_OPTIONS} && at < ${last}; options++) {
		if (${take(base, 'at', '&type', 1)})
			return ABSENT;
		said = type <= ${single};
		if (type > ${single} && at + 1 < to && ${take(base, 'at + 1', '&said', 1)})
			return ABSENT;
		length = ${lists.badLength === 'step' ? 'said ? said : 1' : 'said'};
		if (type == ${typeOf(find)}) {
${found}			*value = at;
			return 0;
		}
${end}		at = forget(at + length);
	}
	return ABSENT;`
}

/** Chunks follow 12 bytes of header, each at a multiple of 4. */
function inChunks(find: Find, drops: string): string {
  const { bytes } = find
  const fits =
    bytes > 0 ? `			if (length < ${bytes} || p->transport + at + length > p->end)\n				return ABSENT;\n` : ''
  return `	for (__u32 chunks = 0, at = 12; chunks < ${MAX_CHUNKS}; chunks++) {
		__u32 length = 0;

		if (chunks > 0 && p->transport + at >= p->end)
			return ABSENT;
		if (p->transport + at + 4 <= p->end && !${take('p->transport', 'at', 'header', 4)})
			length = header[2] << 8 | header[3];
		if (length == 0)
			return ${drops};
		if (header[0] == ${typeOf(find)}) {
${fits}			*value = at;
			return 0;
		}
		at += (length + 3) & ~3U;
	}
	return ABSENT;`
}

/** IPv4's options follow 20 bytes of header, up to what its length field says. */
function inIpv4(scope: Scope, find: Find): string {
  const checked = scope.view.lists.ipv4 === 'checked'
  if (checked) forget(scope.unit)
  const search = checked ? checkedOptions(typeOf(find), 'p->net') : inOptions(scope, find, 'p->net', 1)
  const variables = checked
    ? search.includes('seen')
      ? '	__u32 length, at = 20, to, seen = 0; /* routes, a record, a timestamp */\n	__u8 type;\n'
      : '	__u32 to;\n	__u8 type;\n'
    : '	__u8 type, said;\n	__u32 length, at = 20, to;\n'
  return `${variables}
	*value = 0;
	if (p->nfproto != ${NFPROTO.ipv4})
		return ${scope.absent};
	if (p->net == NONE || p->net + 20 > p->end || ${take('p->net', '0', '&type', 1)})
		return ABSENT;
	to = (type & 0xf) * 4;
	if (to <= 20 || p->net + to > p->end)
		return ABSENT;
${search}`
}

/** Fixed parts of extension headers, which must be there where a view looks at them by their protocol. */
const FIXED = new Map<number, number>(
  (['hopopt', 'dstopts', 'routing', 'fragment', 'ah6', 'mobility'] as const).map((name) => [
    PROTOCOLS[name].entry.type,
    PROTOCOLS[name].minBytes,
  ]),
)
/** Bytes of those that must be there whole. */
const SIZES: Readonly<Record<number, string>> = {
  [IPPROTO.hopopt]: '(head[1] + 1) * 8',
  [IPPROTO.dstopts]: '(head[1] + 1) * 8',
  [IPPROTO.routing]: '(head[1] + 1) * 8',
  [IPPROTO.ah]: '(head[1] + 2) * 4',
}

/** The kernel's search for one header (ipv6_find_hdr), whatever the view's own walk stops at. */
function inExtensions({ view, absent }: Scope, find: Find): string {
  const broken = view.lists.drops ? 'DROP' : 'ABSENT'
  const walked = Object.values(EXTENSION_HEADERS).map((number) => `type != ${number}`)
  const whole = view.lists.drops
    ? `	if (p->net + at + ${FIXED.get(typeOf(find)) ?? 0} > p->end)
		return DROP;
${
  typeOf(find) in SIZES
    ? `	if (load(p, p->net + at, head, 2) || p->net + at + ${SIZES[typeOf(find)]} > p->end)
		return DROP;
`
    : ''
}`
    : ''
  return `	__u8 head[4], type;
	__u32 at = 40;

	if (p->nfproto != ${NFPROTO.ipv6})
		return ${absent};
	if (p->net == NONE || p->net + 40 > p->end || ${take('p->net', '6', '&type', 1)})
		return ABSENT;
	for (int headers = 0; headers <= ${MAX_EXTENSION_HEADERS}; headers++, type = head[0]) {
		if (${walked.join(' && ')}) {
			if (type != ${typeOf(find)})
				return ABSENT;
			goto found;
		}
		if (headers == ${MAX_EXTENSION_HEADERS})
			return ${broken};
		if (type == ${IPPROTO.routing} || type == ${IPPROTO.fragment}) {
			if (p->net + at + 4 > p->end || ${take('p->net', 'at', 'head', 4)})
				return ${broken};
		} else if (p->net + at + 2 > p->end || ${take('p->net', 'at', 'head', 2)})
			return ${broken};
		if (type == ${typeOf(find)})
			goto found;
		if (type == ${IPPROTO.fragment}) {
			if (head[2] || head[3] >> 3)
				return ABSENT; /* a later fragment: what follows is no header */
			at += 8;
		} else if (type == ${IPPROTO.ah})
			at += (head[1] + 2) * 4;
		else
			at += (head[1] + 1) * 8;
	}
	return ${broken};
found:
${whole}	*value = at;
	return 0;`
}
