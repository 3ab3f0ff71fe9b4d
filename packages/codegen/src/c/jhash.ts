// Hashes of numbers in C: a function for each that is asked for, which makes words of the numbers, and one that mixes them.

import { ENDING, type Hashed, initial, MIXING, type Turn, termKey, third, wordsIn } from '@netsieve/ir'
import { u128 } from './prelude.ts'
import type { Scope } from './scope.ts'

const NAMES = ['a', 'b', 'c'] as const
const turn = ({ from, left }: Turn): string => `(${NAMES[from]} << ${left} | ${NAMES[from]} >> ${32 - left})`
const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('')

/** The function of some numbers. */
export function hashFunction({ unit }: Scope, hashed: Hashed): string {
  unit.need('jhash', () => `/* Bob Jenkins' hash of words. */
static __always_inline __u32 jhash(const __u32 *words, int count, __u32 init)
{
	__u32 a = init, b = init, c = init;

	for (; count > 3; count -= 3, words += 3) {
		a += words[0];
		b += words[1];
		c += words[2];
${lines(MIXING.flatMap((each) => [`		${NAMES[each.to]} = (${NAMES[each.to]} - ${NAMES[each.from]}) ^ ${turn(each)};`, `		${NAMES[each.from]} += ${NAMES[third(each)]};`]))}	}
	a += words[0];
	if (count > 1)
		b += words[1];
	if (count > 2)
		c += words[2];
${lines(ENDING.map((each) => `	${NAMES[each.to]} = (${NAMES[each.to]} ^ ${NAMES[each.from]}) - ${turn(each)};`))}	return c;
}`) // biome-ignore format: C
  return unit.called(`hash ${termKey(hashed)}`, () => {
    const name = unit.unique('hash')
    const parameters = hashed.parts.map(({ bytes }, i) => `${bytes > 8 ? u128(unit) : '__u64'} v${i + 1}`)
    const words = hashed.parts.flatMap((part, i) => wordsOf(part, `v${i + 1}`))
    return {
      name,
      text: `static __always_inline __u32 ${name}(${parameters.join(', ')})
{
	const __u32 words[] = { ${words.join(', ')} };

	return jhash(words, ${words.length}, ${initial(hashed)}U);
}`,
    }
  })
}

/** The words of a number, as its bytes lie in a packet. */
function wordsOf(part: Hashed['parts'][number], value: string): string[] {
  const { bytes, host } = part
  if (host) return [`(__u32)${value}`]
  const count = wordsIn(part)
  return Array.from({ length: count }, (_, i) => {
    const shift = bytes * 8 - 32 * (i + 1)
    const moved = shift > 0 ? `${value} >> ${shift}` : shift < 0 ? `${value} << ${-shift}` : value
    return `__builtin_bswap32((__u32)(${moved}))`
  })
}
