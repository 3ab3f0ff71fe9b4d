import { expect, test } from 'vitest'
import { jsonPieces } from '../src/cli/json.ts'

const long = Array.from({ length: 2500 }, (_, i) => ({ i, of: [i, { text: 'two\nlines' }] }))
test.each<[string, unknown]>([
  ['a number', 5],
  ['nothing inside', { a: [], b: {}, c: null, d: undefined, e: '' }],
  ['many elements', long],
  [
    'many elements within',
    {
      v: 1,
      chains: [
        { name: 'a', rules: long },
        { name: 'b', rules: [] },
      ],
      more: [long, 1, null],
    },
  ],
  ['exactly a batch, and one more', [Array(1000).fill(1), Array(1001).fill({})]],
  ['deep', [[[[[[[[[[{ a: 1 }, []]]]]]]]]]]],
])('%s: the text is that of JSON.stringify', (_, value) => {
  expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value, undefined, 2))
})

test('a long array is no single piece', () => {
  expect(Math.max(...[...jsonPieces({ long })].map(({ length }) => length))).toBeLessThan(
    JSON.stringify(long, undefined, 2).length / 2,
  )
})
