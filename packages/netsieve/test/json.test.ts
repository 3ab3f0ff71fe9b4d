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
])('%s: the text says what JSON.stringify says', (_, value) => {
  expect(JSON.parse([...jsonPieces(value)].join(''))).toEqual(JSON.parse(JSON.stringify(value)))
})

test('what holds no list of objects is a line', () => {
  const rules = [{ id: 0, steps: [{ kind: 'match', pred: { kind: 'const', value: true } }] }]
  expect([...jsonPieces({ v: 1, none: [], rules, numbers: [1, 2] })].join('')).toBe(`{
  "v": 1,
  "none": [],
  "rules": [
    {
      "id": 0,
      "steps": [
        {"kind":"match","pred":{"kind":"const","value":true}}
      ]
    }
  ],
  "numbers": [1,2]
}`)
})

test('a long array is no single piece', () => {
  const flat = Array.from({ length: 5000 }, (_, i) => ({ i }))
  for (const list of [long, flat])
    expect(Math.max(...[...jsonPieces({ list })].map(({ length }) => length))).toBeLessThan(
      JSON.stringify(list).length / 2,
    )
})
