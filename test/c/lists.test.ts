// Searches in lists in C through clang: every list in every view that walks it its own way, on headers with odd options.
// Two types of each list; NETSIEVE_RUNS=all takes more.

import { decisionOf, readElf } from '@netsieve/asm'
import { generateC } from '@netsieve/codegen'
import { check, evaluate, type Filter, type Find, type Pred, VIEWS, type ViewName } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAMES } from '../properties/frames.ts'
import { compileC, NO_CLANG } from './clang.ts'

const ASKED: readonly (readonly [Find['list'], readonly number[], number])[] = [
  ['ipv4', [7, 68, 148, 131], 6],
  ['tcp', [2, 1, 8], 6],
  ['dccp', [1, 34], 33],
  ['sctp', [0, 3], 132],
  ['ipv6', [0, 43, 44, 60, 51, 135], 6],
]

/** A frame whose IPv4 or IPv6 header is followed by bytes that are often options, chunks or extension headers. */
function frames(list: Find['list'], protocol: number): fc.Arbitrary<Uint8Array> {
  const byte = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 8, 10, 34, 43, 44, 51, 60, 68, 131, 135, 148), fc.nat(255))
  return fc
    .record({
      ihl: fc.constantFrom(5, 6, 8, 15),
      doff: fc.constantFrom(5, 6, 10, 15),
      rest: fc.array(byte, { minLength: 64, maxLength: 64 }),
      cut: fc.nat(80),
      next: fc.constantFrom(0, 6, 43, 44, 51, 60, 135),
      pointer: fc.constantFrom(4, 5, 8),
    })
    .map(({ ihl, doff, rest, cut, next, pointer }) => {
      const link = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
      if (list === 'ipv6')
        return Uint8Array.from([
          ...link,
          0x86,
          0xdd,
          0x60,
          0,
          0,
          0,
          0,
          rest.length,
          next,
          64,
          ...Array<number>(32).fill(1),
          ...rest,
        ])
      const options = list === 'ipv4' ? rest.slice(0, (ihl - 5) * 4) : Array<number>((ihl - 5) * 4).fill(1)
      if (list === 'ipv4' && options.length >= 4 && cut % 3)
        options.splice(0, 4, rest[0]! % 2 ? 148 : 68, 4 + (cut % 2) * 4, cut % 2 ? pointer : 0, 0)
      const header =
        list === 'tcp'
          ? [0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, doff << 4, 2, 0, 0, 0, 0, 0, 0]
          : list === 'dccp'
            ? [0, 80, 0, 80, doff, 0, 0, 0, rest[1]! & 0x1f, 0, 0, 0]
            : [0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]
      const total = ihl * 4 + header.length + rest.length
      const ip = [0x40 | ihl, 0, total >> 8, total & 255, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
      const whole = [...link, 8, 0, ...ip, ...options, ...header, ...rest]
      return Uint8Array.from(cut > 60 ? whole.slice(0, whole.length - (cut - 60)) : whole)
    })
}

function filterOf(view: ViewName, preds: readonly Pred[]): Filter {
  const rules = preds.map((pred, id) => ({
    id,
    text: 'a rule',
    steps: [{ kind: 'match', pred } as const, { kind: 'verdict', verdict: { kind: 'drop' } } as const],
  }))
  const family = VIEWS[view].reach === 'ip' ? 'ip' : 'any'
  return {
    syntax: 'test',
    profile: 'nft-6.18',
    base: [{ chain: 'main', hook: 'input', view, family, policy: 'accept' }],
    chains: [{ name: 'main', rules }],
  }
}

const ALL = process.env.NETSIEVE_RUNS === 'all'
const CASES = ASKED.flatMap(([list, types, protocol]) =>
  (['nft-ip', 'xt-ip', 'ethtool'] as const).flatMap((view) =>
    types.slice(0, ALL ? undefined : 2).map((type) => [list, type, view, protocol] as const),
  ),
)

describe.skipIf(NO_CLANG)(`searches in lists${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`, () => {
  it.each(CASES)('%s %i, %s', { timeout: 60_000 }, (list, type, view, protocol) => {
    const place: Pred = { kind: 'cmp', term: { kind: 'find', list, type, bytes: 3 }, test: '>', value: 30n }
    const preds: readonly Pred[] = [
      place,
      { kind: 'not', arg: { kind: 'exists', what: { kind: 'find', list, type, bytes: 0 } } },
    ]
    const all = [...fc.sample(frames(list, protocol), { numRuns: 100, seed: 4 }), ...FRAMES.slice(0, 60)]
    const seen = new Set<string>()
    for (const pred of preds) {
      const filter = check(filterOf(view, [pred])).value!
      const { programs, maps } = readElf(compileC(generateC(filter, { type: 'xdp' }).value!)).value!
      const { insns } = programs[0]!
      expect(verify(insns, { type: 'xdp', maps })).toMatchObject({ status: 'accepted' })
      const machine = load(insns, { type: 'xdp', maps })
      for (const frame of all) {
        const { decision } = evaluate(filter, frame)
        const { r0, fault } = machine.run(frame)
        seen.add(`${decision}`)
        if (fault || decisionOf('xdp', r0) !== decision)
          throw new Error(
            `${pred.kind}: ${fault?.reason ?? r0}, meaning ${decision}: ${Buffer.from(frame).toString('hex')}`,
          )
      }
    }
    expect(seen.size).toBe(2)
  })
})
