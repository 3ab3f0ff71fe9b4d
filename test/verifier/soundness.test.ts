// What the verifier accepts runs without a fault, and at every step every number is one that it thought possible.
// NETSIEVE_SOUNDNESS_SEED and NETSIEVE_SOUNDNESS_COUNT choose where to begin and how many programs.

import { expect, test } from 'vitest'
import { soundness } from './soundness.ts'

const SEED = Number(process.env.NETSIEVE_SOUNDNESS_SEED ?? 1)
const COUNT = Number(process.env.NETSIEVE_SOUNDNESS_COUNT ?? 200)

test('accepted programs do not fault, and stay within the abstract states', () => {
  const { accepted, walked, violations } = soundness(SEED, COUNT)
  expect(violations).toEqual([])
  expect(accepted).toBeGreaterThan(COUNT / 3)
  expect(walked).toBeGreaterThan(COUNT / 6)
}, 7_200_000)
