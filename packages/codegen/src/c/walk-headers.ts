// The walk over headers that libpcap's `protochain` makes, as ir's walk-headers.ts has it.

import { MOST_WALKED, type Term, WALKED } from '@netsieve/ir'
import { IPPROTO } from '@netsieve/packet'
import { loadNumber } from './prelude.ts'
import { fetcher, type Scope } from './scope.ts'

/** The function `(p, &value)` of the number that a walk ends at. */
export function walkFunction(scope: Scope, { family, net, until }: Term & { kind: 'walk' }): string {
  const { unit, type, absent } = scope
  const six = family === 'ipv6'
  return unit.need(scope.name(`walk_${family}_${net}_${until}`), () => {
    loadNumber(unit, type, false)
    const first = six
      ? `	if (load_be(p, ${net + 6}, 1, &next))
		return ${absent};`
      : `	if (load_be(p, ${net + 9}, 1, &next) || load_be(p, ${net}, 1, &at))
		return ${absent};
	at = (at & 0xf) * 4;`
    const walked = six ? `next != ${WALKED.join(' && next != ')} && ` : ''
    const extension = six ? `next != ${IPPROTO.ah} ? at + (head[1] + 1) * 8 : (head[1] + 2) * 4` : '(head[1] + 2) * 4'
    return `/* Where libpcap's walk over headers ends that starts ${net} bytes into the frame and looks for protocol ${until}. */
${fetcher(scope.name(`walk_${family}_${net}_${until}`), '__u64')}
{
	__u64 next, at${six ? ' = 40' : ''};
	__u8 head[2]; /* next header, length */

${first}
	for (int headers = 0; headers < ${MOST_WALKED} && next != ${until}; headers++) {
		if (${walked}next != ${IPPROTO.ah})
			break;
		if (load(p, ${net} + at, head, sizeof(head)))
			return ${absent};
		/* Behind AH it goes on at AH's own length from the network header: that is libpcap's doing. */
		at = ${extension};
		next = head[0];
	}
	*value = next;
	return 0;
}`
  })
}
