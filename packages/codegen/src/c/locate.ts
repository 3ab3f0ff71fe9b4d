// Where the headers of a frame are, by the choices of a view: the C text of what ir's locate.ts does slowly.

import { MAX_EXTENSION_HEADERS, type View } from '@netsieve/ir'
import { load, loadNumber, startsAtNetwork } from './prelude.ts'
import type { Scope } from './scope.ts'
import { when } from './text.ts'

/** `locate(p)`: fills in where headers are; false for frames that rules of the view do not see. */
export function locate(scope: Scope): string {
  const { unit, view, name } = scope
  return unit.need(name('locate'), () => {
    const ways = [
      `	if (type == ETH_P_IP) {
		p->nfproto = 2;
		return ${locateIpv4(scope)}(p);
	}
	if (type == ETH_P_IPV6) {
		p->nfproto = 10;
		return ${locateIpv6(scope)}(p);
	}`,
      view.reach === 'ip'
        ? '	return false;'
        : view.tags === 'fixed'
          ? `	/* libpcap follows the length of an IPv4 header whatever the type. */\n	return ${locateIpv4(scope)}(p);`
          : '	return true;',
    ]
    return `/* The headers as ${view.title} finds them. False: its rules do not see such frames. */
static __always_inline bool ${name('locate')}(struct packet *p)
{
	${startsAtNetwork(scope.type) ? '__u64 type' : view.tags === 'first' || view.tags === 'two' ? '__u64 type, inner' : view.tags === 'priority' ? '__u64 type, tci, at' : '__u64 type'};

	p->protocol = p->nfproto = p->net = p->l4proto = p->transport = NONE;
	p->fragment = p->more = 0;
	p->end = p->size;
${tags(scope)}
	p->protocol = type;
${ways.join('\n')}
}`
  })
}

/** From the Ethernet type to that behind the tags that are taken off. */
function tags({ unit, view, type }: Scope): string {
  unit.include('linux/if_ether.h')
  if (startsAtNetwork(type)) return atNetwork(view)
  loadNumber(unit, type, false)
  const short = view.reach === 'ip' ? 'return false;' : 'return true;'
  const first = `	if (load_be(p, 12, 2, &type))
		${short}
	p->net = 14;`
  switch (view.tags) {
    case 'opaque':
    case 'fixed':
      return first
    case 'beside':
      isTag(unit)
      return `${first}
	if (is_tag(type))
		p->net = 18;`
    case 'first':
      isTag(unit)
      return `${first}
	if (is_tag(type) && !load_be(p, 16, 2, &inner)) {
		type = inner;
		p->net = 18;
	}`
    case 'two':
      isTag(unit)
      return `${first}
	if (is_tag(type) && !load_be(p, 16, 2, &inner)) {
		type = inner;
		p->net = 18;
		if (is_tag(type) && !load_be(p, 20, 2, &inner)) {
			type = inner;
			p->net = 22;
		}
	}`
    case 'priority':
      isTag(unit)
      return `	/* Tags with VLAN id 0 come off, two at most; another tag means another device. */
	for (at = 14;; at += 4) {
		if (load_be(p, at - 2, 2, &type))
			return false;
		if (!is_tag(type))
			break;
		if (at > 18 || load_be(p, at, 2, &tci) || (tci & 0xfff))
			return false;
	}
	p->net = at;`
  }
}

/** The context tells the type of packets that start at the network header; no type stands for frames too short for one. */
function atNetwork({ reach }: View): string {
  return `	type = p->type;
	if (!type)
		return ${reach === 'ip' ? 'false' : 'true'};
	p->net = 0;`
}

function isTag(unit: Scope['unit']): string {
  unit.include('linux/if_ether.h')
  return unit.need('is_tag', () => `static __always_inline bool is_tag(__u64 type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD;
}`) // biome-ignore format: C
}

/** What a bad IP header makes of the packet. */
function bad(view: View): readonly string[] {
  if (view.reach === 'ip') return ['return false;']
  return view.netNeeds === 'bytes' ? ['return true;'] : ['p->net = NONE;', 'return true;']
}

function locateIpv4(scope: Scope): string {
  const { unit, view, type, name } = scope
  return unit.need(name('locate_ipv4'), () => {
    if (view.header === 'trust') return trustedIpv4(scope)
    load(unit, type)
    unit.include('linux/ip.h')
    const checked = view.header === 'checked'
    const version = checked ? ' || ip.version != 4' : ''
    return `static __always_inline bool ${name('locate_ipv4')}(struct packet *p)
{
	struct iphdr ip;
	__u32 header${checked ? ', total' : ''};

${when(`load(p, p->net, &ip, sizeof(ip))${version} || ip.ihl < 5`, ...bad(view))}
	header = ip.ihl * 4;
${
  checked
    ? `	total = bpf_ntohs(ip.tot_len);
${when('total < header || total > p->size - p->net', ...bad(view))}
`
    : ''
}	p->transport = p->net + header;
	p->l4proto = ip.protocol;
	p->fragment = bpf_ntohs(ip.frag_off) & 0x1fff;
	p->more = bpf_ntohs(ip.frag_off) & 0x2000;
${view.trim ? '	p->end = p->net + total;\n' : ''}	return true;
}`
  })
}

/** No check of the header: its length byte places what follows, its protocol is where its bytes are. */
function trustedIpv4({ unit, type, name }: Scope): string {
  loadNumber(unit, type, false)
  return `static __always_inline bool ${name('locate_ipv4')}(struct packet *p)
{
	__u64 first, protocol;

	if (load_be(p, p->net, 1, &first))
		return true;
	p->transport = p->net + (first & 0xf) * 4;
	if (!load_be(p, p->net + 9, 1, &protocol))
		p->l4proto = protocol;
	return true;
}`
}

function locateIpv6(scope: Scope): string {
  const { unit, view, type, name } = scope
  return unit.need(name('locate_ipv6'), () => {
    load(unit, type)
    if (view.header === 'trust') return trustedIpv6(scope)
    unit.include('linux/ipv6.h')
    const checked = view.header === 'checked'
    const placed =
      view.ipv6Walk.length > 0
        ? `	${walk(scope)}(p, ip.nexthdr);\n`
        : '	p->l4proto = ip.nexthdr;\n	p->transport = p->net + 40;\n'
    return `static __always_inline bool ${name('locate_ipv6')}(struct packet *p)
{
	struct ipv6hdr ip;
${checked ? '\t__u32 length;\n\tbool jumbo;\n' : ''}
${when(`load(p, p->net, &ip, sizeof(ip))${checked ? ' || ip.version != 6' : ''}`, ...bad(view))}
${
  checked
    ? `	length = 40 + bpf_ntohs(ip.payload_len);
	/* No length before hop-by-hop options may be a jumbogram: the frame's end counts (RFC 2675). */
	jumbo = length == 40 && ip.nexthdr == 0;
${when('!jumbo && length > p->size - p->net', ...bad(view))}
${view.trim ? '	if (!jumbo)\n\t\tp->end = p->net + length;\n' : ''}`
    : ''
}${placed}	return true;
}`
  })
}

function trustedIpv6({ unit, type, name }: Scope): string {
  loadNumber(unit, type, false)
  return `static __always_inline bool ${name('locate_ipv6')}(struct packet *p)
{
	__u64 next, last;

	if (!load_be(p, p->net + 6, 1, &next))
		p->l4proto = next;
	if (!load_be(p, p->net + 39, 1, &last))
		p->transport = p->net + 40;
	return true;
}`
}

/** The number that stands for a transport protocol that is not known. */
export function brokenProtocol({ unit }: Scope): string {
  return unit.need(
    'BROKEN',
    () => '/* The transport protocol behind IPv6 headers that could not be followed. */\n#define BROKEN 256',
  )
}

/** Follows IPv6 extension headers (RFC 8200 §4; AH: RFC 4302 §2.2). */
function walk(scope: Scope): string {
  const { unit, view, type, name } = scope
  return unit.need(name('walk'), () => {
    load(unit, type)
    // A flow dissector keeps the number of the header that it could not follow, and looks at fewer bytes.
    const flower = view.missing === 'zero'
    const broken = flower ? 'protocol' : 'BROKEN'
    if (!flower) brokenProtocol(scope)
    const take = (bytes: number) => `if (headers == ${MAX_EXTENSION_HEADERS} || at + ${bytes} > p->end || load(p, at, head, ${bytes}))
				goto broken;` // biome-ignore format: C
    const ah = view.ipv6Walk.includes('ah')
      ? `			at += (head[1] + 2) * 4;
			break;`
      : '			goto found; /* it is not walked through */'
    return `static __always_inline void ${name('walk')}(struct packet *p, __u32 protocol)
{
	__u32 at = p->net + 40;
	__u8 head[8]; /* next header, length, … */

	for (int headers = 0; headers <= ${MAX_EXTENSION_HEADERS}; headers++, protocol = head[0]) {
		switch (protocol) {
		case 0: /* hop-by-hop options */
		case 60: /* destination options */
			${take(2)}
			at += (head[1] + 1) * 8;
			break;
		case 43: /* routing */
			${take(flower ? 2 : 4)}
			at += (head[1] + 1) * 8;
			break;
		case 51: /* authentication */
			${take(2)}
${ah}
		case 44: /* fragment */
			${take(flower ? 8 : 4)}
${fragment(flower)}
		default:
			goto found;
		}
	}
broken:
	p->l4proto = ${broken};
	return;
found:
	p->l4proto = protocol;
	p->transport = at;
}`
  })
}

function fragment(flower: boolean): string {
  const word = `			p->fragment = head[2] << 5 | head[3] >> 3;
			p->more = head[3] & 1;`
  if (flower) {
    return `${word}
			p->l4proto = head[0]; /* nothing is looked for behind it */
			return;`
  }
  return `${word}
			if (p->fragment) {
				/* A later one has no transport header: the kernel reads from the IPv6 header itself. */
				protocol = head[0];
				at = p->net;
				if (protocol == 0 || protocol == 43 || protocol == 44 || protocol == 51 || protocol == 60)
					goto broken;
				goto found;
			}
			at += 8;
			break;`
}
