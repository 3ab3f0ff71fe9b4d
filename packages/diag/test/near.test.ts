import { expect, test } from 'vitest'
import { nearWords } from '../src/index.ts'

test.each([
  ['mov', ['move', 'mow', 'ov', 'jmp', 'm'], ['move', 'mow', 'ov']],
  ['mark', ['mark', 'dark', 'bar'], ['mark', 'dark']],
])('near to %s', (word, words, near) => {
  expect(nearWords(word, words)).toEqual(near)
})

test('three at most', () => {
  expect(nearWords('a', ['ab', 'ac', 'ad', 'ae'])).toEqual(['ab', 'ac', 'ad'])
})
