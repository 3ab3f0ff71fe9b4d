// The search for an option of IPv4 that nft makes: behind the kernel's own checks of all options, as ir's ipv4-options.ts has them.

const [RR, TIMESTAMP, LSRR, CIPSO, SSRR, RA] = [7, 68, 131, 134, 137, 148] as const

/** Options of a header at most: it has room for 40 bytes of them. */
const MOST = 40

/** The statements that look for an option from `at` to `to`; the options stand `base` bytes into the frame. */
export function checkedOptions(type: number, base: string): string {
  // Of other types the kernel keeps no place.
  if (![RR, TIMESTAMP, LSRR, SSRR, RA].includes(type as typeof RR)) return '	return ABSENT;'
  const alert = type === RA ? ' && head[2] == 0 && head[3] == 0' : ''
  return `	for (int options = 0; options < ${MOST} && at < to; options++) {
		__u8 head[4] = {}; /* type, length, pointer, flags */

		if (load(p, ${base} + at, head, 1))
			return ABSENT;
		if (head[0] == 0)
			break;
		if (head[0] == 1) {
			at = forget(at + 1);
			continue;
		}
		if (at + 1 < to && load(p, ${base} + at + 1, &head[1], 1))
			return ABSENT;
		length = head[1];
		if (length < 2 || at + length > to)
			return ABSENT;
		if (length > 2 && load(p, ${base} + at + 2, &head[2], 1))
			return ABSENT;
		if (length > 3 && load(p, ${base} + at + 3, &head[3], 1))
			return ABSENT;
		switch (head[0]) {
		case ${LSRR}: /* loose and strict source route */
		case ${SSRR}:
			if (seen & 1 || length < 7 || head[2] != 4 || (length - 3) & 3)
				return ABSENT;
			seen = forget(seen | 1);
			break;
		case ${RR}: /* record route */
			if (seen & 2 || length < 3 || head[2] < 4 || (head[2] <= length && head[2] + 3U > length))
				return ABSENT;
			seen = forget(seen | 2);
			break;
		case ${TIMESTAMP}:
			if (seen & 4 || length < 4 || head[2] < 5)
				return ABSENT;
			if (head[2] > length) {
				if ((head[3] & 0xf) != 3 && head[3] >> 4 == 15)
					return ABSENT;
			} else if (head[2] + ((head[3] & 0xf) == 1 || (head[3] & 0xf) == 3 ? 7U : 3U) > length)
				return ABSENT;
			seen = forget(seen | 4);
			break;
		case ${RA}: /* router alert */
			if (length < 4)
				return ABSENT;
			break;
		case ${CIPSO}:
			return ABSENT;
		}
		if (head[0] == ${type}${alert})
			*value = at;
		at = forget(at + length);
	}
	return *value ? 0 : ABSENT;`
}
