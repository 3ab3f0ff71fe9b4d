// Lists of rules where a word that is not there ends the program (tc u32): packets that have all words are decided at once, shorter ones as the rules
// ask one after the other.

import { decisionOf } from '@netsieve/asm'
import { and, cmp, evaluate, type Filter, inRanges, load, masked, match, type Pred, verdict } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load as loadProgram } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { generate } from '../src/index.ts'

const filterOf = (preds: readonly Pred[]): Filter => ({
  syntax: 'test',
  profile: 'u32',
  base: [{ chain: 'c', hook: 'ingress', view: 'u32', family: 'any', policy: 'accept' }],
  chains: [{ name: 'c', rules: preds.map((pred, id) => ({ id, text: `rule ${id}`, steps: [match(cmp('meta.protocol', '==', 0x0800)), match(pred), verdict(id % 3 === 0 ? 'accept' : 'drop')] })) }],
}) // biome-ignore format: one filter

const word = (at: number) => load('net', at, 4)
/** Of the protocol, the source and the last port: words that packets of different lengths have. */
const tuples = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    and(
      cmp(masked(word(8), 0xff0000n), '==', BigInt(6 + (i % 2) * 11) << 16n),
      cmp(masked(word(12), 0xffff0000n), '==', 0x0a000000n),
      cmp(masked(word(20), 0xffffn), '==', i % 7),
    ),
  )

/** From 14 to 44 bytes, of few different values. */
const frames = Array.from({ length: 3000 }, (_, i) => {
  const frame = new Uint8Array(14 + (i % 31))
  const ip = [
    0x45,
    0,
    0,
    28,
    0,
    0,
    0,
    0,
    64,
    i % 5 === 0 ? 17 : 6,
    0,
    0,
    10,
    i % 11 === 0 ? 1 : 0,
    0,
    1,
    10,
    0,
    0,
    2,
    0,
    1,
    0,
    i % 9,
  ]
  frame.set([...Array(12).fill(2), ...(i % 13 === 0 ? [0x86, 0xdd] : [8, 0]), ...ip].slice(0, frame.length))
  return frame
})

describe.each([
  ['tuples', tuples(40)],
  ['one word', Array.from({ length: 30 }, (_, i) => cmp(masked(word(20), 0xffffn), '==', i))],
  ['words of any value among them', [...tuples(20), inRanges(word(28), [{ lo: 0n, hi: 0xffff_ffffn }]), ...tuples(20)]],
] as const)('%s', (_, preds) => {
  const filter = filterOf(preds)
  it.each(['xdp', 'sched_cls', 'socket_filter'] as const)('%s', (type) => {
    const { insns, maps } = generate(filter, { type })
    expect(verify(insns, { type, maps })).toMatchObject({ status: 'accepted' })
    const machine = loadProgram(insns, { type, maps })
    const wrong = frames.filter((frame) => {
      const { r0, fault } = machine.run(frame)
      return (fault?.reason ?? decisionOf(type, r0)) !== evaluate(filter, frame).decision
    })
    expect(wrong).toEqual([])
    expect(new Set(frames.map((frame) => evaluate(filter, frame).decision)).size).toBe(2)
  })
})

it('a long list is one decision', () => {
  const size = (count: number) => generate(filterOf(tuples(count)), { type: 'xdp' }).insns.length
  // To port 80 of 10.0.0.2, which no rule takes.
  const frame = Uint8Array.from([...Array(12).fill(2), 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 80, ...Array(22).fill(0)]) // biome-ignore format: one frame
  const steps = (count: number) => {
    const { insns, maps } = generate(filterOf(tuples(count)), { type: 'xdp' })
    return loadProgram(insns, { type: 'xdp', maps }).run(frame).insns
  }
  expect(size(400)).toBeGreaterThan(size(40))
  expect(steps(400)).toBeLessThan(steps(40) * 2)
})
