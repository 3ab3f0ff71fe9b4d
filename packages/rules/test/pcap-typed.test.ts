import { and, cmp, evaluate, type Filter, load, not, or, type Pred, type Test } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pcapFilter } from '../src/pcap-filter/index.ts'
import { typed } from '../src/pcap-filter/typed.ts'

type Says = 'yes' | 'no' | 'missing'

/** What a predicate says of a frame of a type (if it is long enough to have one) that begins with a byte. */
function says(pred: Pred, frame: { readonly type: number | undefined; readonly byte: number }): Says {
  switch (pred.kind) {
    case 'const':
      return pred.value ? 'yes' : 'no'
    case 'not': {
      const arg = says(pred.arg, frame)
      return arg === 'missing' ? arg : arg === 'yes' ? 'no' : 'yes'
    }
    case 'and':
    case 'or': {
      const on = pred.kind === 'and' ? 'yes' : 'no'
      for (const arg of pred.args) {
        const outcome = says(arg, frame)
        if (outcome !== on) return outcome
      }
      return on
    }
    case 'cmp': {
      const value = pred.term.kind === 'field' ? frame.type : frame.byte
      if (value === undefined) return 'missing'
      return (value === Number(pred.value)) === (pred.test === '==') ? 'yes' : 'no'
    }
    default:
      throw new Error(pred.kind)
  }
}

const TYPES = [0x800, 0x806, 0x86dd]
const equality = fc.constantFrom<Test>('==', '==', '==', '!=')
const asked = fc.oneof(
  fc.tuple(equality, fc.constantFrom(...TYPES)).map(([how, type]) => cmp('eth.type', how, type)),
  fc.tuple(equality, fc.nat(2)).map(([how, value]) => cmp(load('link', 0, 1), how, value)),
)
const { pred } = fc.letrec<{ pred: Pred }>((tie) => ({
  pred: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    asked,
    tie('pred').map(not),
    fc.array(tie('pred'), { minLength: 1, maxLength: 4 }).map((args) => and(...args)),
    fc.array(tie('pred'), { minLength: 1, maxLength: 4 }).map((args) => or(...args)),
  ),
}))

describe('what the type decides', () => {
  test('is left out, and nothing else', () => {
    let shorter = 0
    fc.assert(
      fc.property(pred, (each) => {
        const now = typed(each)
        if (JSON.stringify(now, text).length < JSON.stringify(each, text).length) shorter++
        for (const type of [undefined, ...TYPES])
          for (const byte of [0, 1, 2]) expect(says(now, { type, byte })).toBe(says(each, { type, byte }))
      }),
      { numRuns: 1000, seed: 20_261_128 },
    )
    expect(shorter).toBeGreaterThan(200)
  })

  test('of large expressions, which then ask for the type once a term', () => {
    const text = Array.from({ length: 400 }, (_, i) => `(ip src net 10.${i % 256}.0.0/16 and dst net 172.16.0.0/12 and udp src port ${i + 1} and udp dst port ${i + 2})`).join(' or ') // biome-ignore format: one term
    const filter = lowered(text)
    const [step] = filter.chains[0]!.rules[0]!.steps
    const terms = step?.kind === 'match' && step.pred.kind === 'or' ? step.pred.args : []
    expect(terms).toHaveLength(400)
    for (const term of terms) {
      const args = term.kind === 'and' ? term.args : []
      expect(args.map(({ kind }) => kind)).not.toContain('or')
      expect(args.filter((arg) => arg.kind === 'cmp' && arg.term.kind === 'field' && arg.term.field === 'eth.type')).toHaveLength(1) // biome-ignore format: one condition
    }
    const alone = (i: number) => lowered(text.split(' or ')[i]!)
    for (const [i, net, port] of [
      [7, 7, 8],
      [7, 8, 8],
      [300, 44, 301],
      [300, 44, 302],
    ] as const) {
      const frame = udp(net, port)
      expect(evaluate(filter, frame).decision, `${i}`).toBe(evaluate(alone(i), frame).decision)
    }
  })
})

const text = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

function lowered(text: string): Filter {
  const parsed = pcapFilter.parse({ name: 'expression', text })
  return pcapFilter.lower(parsed.value!, {}).value!
}

/** UDP from 10.NET.0.1 to 172.16.0.1, from a port to the next. */
function udp(net: number, port: number): Uint8Array {
  const frame = new Uint8Array(60)
  const view = new DataView(frame.buffer)
  view.setUint16(12, 0x800)
  frame.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, net, 0, 1, 172, 16, 0, 1], 14)
  view.setUint16(34, port)
  view.setUint16(36, port + 1)
  return frame
}
