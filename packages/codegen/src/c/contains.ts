// Looks for bytes anywhere in a packet, as ir's contains.ts does.

import { type Contains, wantedBytes } from '@netsieve/ir'
import { load } from './prelude.ts'
import { fetcher, type Scope, Unsupported } from './scope.ts'

const MOST_PLACES = 256

/** The function `(p, &value)` of whether a packet has the bytes. */
export function contains(scope: Scope, what: Contains): string {
  const { unit, type, view } = scope
  const { from, to, bytes, nocase } = what
  // The verifier follows each round of a loop in C.
  if (to - from > MOST_PLACES) throw new Unsupported(`a search for bytes at more than ${MOST_PLACES} places`)
  const name = scope.name(`has_${bytes}${nocase ? '_in_any_case' : ''}_from_${from}_to_${to}`)
  return unit.need(name, () => {
    load(unit, type)
    const wanted = wantedBytes(what)
    const same = wanted.map((values, i) => {
      const each = values.map((value) => `found[${i}] == ${hex(value)}`).join(' || ')
      return values.length > 1 ? `(${each})` : each
    })
    const end = view.trim ? 'p->end' : 'p->size'
    return `/* ${JSON.stringify(readable(bytes)).slice(1, -1)}, anywhere. */
${fetcher(name, '__u64')}
{
	__u8 found[${wanted.length}];

	*value = 0;
	if (p->net == NONE)
		return 0;
	for (__u32 at = ${from}; at + ${wanted.length} <= ${to}; at++) {
		if (p->net + at + ${wanted.length} > ${end} || load(p, p->net + at, found, ${wanted.length}))
			return 0;
		if (${same.join(' && ')}) {
			*value = 1;
			return 0;
		}
	}
	return 0;
}`
  })
}

const hex = (value: number) => `0x${value.toString(16).padStart(2, '0')}`
const readable = (bytes: string) =>
  (bytes.match(/../g) ?? []).map((digits) => { const code = Number.parseInt(digits, 16); return code >= 0x20 && code < 0x7f && code !== 0x2a && code !== 0x2f ? String.fromCharCode(code) : '.' }).join('') // biome-ignore format: one row
