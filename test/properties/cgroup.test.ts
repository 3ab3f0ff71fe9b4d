// Programs of cgroups and of netfilter start at the network header: on IP packets they decide as evaluate does, whatever tags the view takes off;
// rules that ask for the link header are refused with their place.

import { beyondType, generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, evaluate, print } from '@netsieve/ir'
import fc from 'fast-check'
import { compile, objectOf, Sieve } from 'netsieve'
import { describe, expect, it } from 'vitest'
import { byForce, verifyAll } from './by-force.ts'
import { arrives, frame } from './frames.ts'
import { filterOf } from './random-ir.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 20)

const cases = (['nft-ip', 'nft-netdev', 'xt-ip', 'flower', 'ethtool'] as const).flatMap((view) =>
  (['cgroup_skb', 'netfilter'] as const).map((type) => [view, type] as const),
)

describe.each(cases)('view %s, %s', (view, type) => {
  it('programs decide as evaluate does, and are accepted', () => {
    let judged = 0
    fc.assert(
      fc.property(filterOf(view), fc.array(frame, { minLength: 40, maxLength: 40 }), (filter, frames) => {
        fc.pre(check(filter).value !== undefined && beyondType(filter, type).length === 0)
        // Two programs in three are divided into functions, half of them into programs.
        const plan = { part: 40, inline: 0, depth: judged % 2, program: judged % 4 > 1 ? 150 : 1_000_000 }
        const generated = judged % 3 > 0 ? byForce(filter, { type }, plan) : generate(filter, { type })
        const verdict = verifyAll(generated)
        if (verdict.status !== 'accepted') throw new Error(`${verdict.status}: ${verdict.message}\n${print(filter)}`)
        const sieve = new Sieve(
          { source: source('', ''), syntax: 'nft', filter, ...generated },
          judged % 2 ? 'jit' : 'interpreter',
        )
        for (const bytes of frames) {
          if (!arrives(view, bytes)) continue
          const got = sieve.judge(bytes)
          const { decision, rule } = evaluate(filter, bytes)
          if (got.fault || got.verdict !== decision || (got.rule ?? undefined) !== rule)
            throw new Error(
              `program: ${JSON.stringify(got)}, meaning: ${decision} by ${rule}\n${print(filter)}\nframe ${Buffer.from(bytes).toString('hex')}`,
            )
          judged++
        }
      }),
      { numRuns: RUNS * 4, seed: 20_261_123, endOnFailure: false },
    )
    expect(judged).toBeGreaterThan(RUNS * 5)
  })
})

describe('what a cgroup does not see', () => {
  const chain = (hook: string, rule: string) =>
    `table inet t {\n chain c {\n  type filter hook ${hook} priority 0\n  ${rule}\n }\n}\n`
  const said = (hook: string, rule: string, attach: 'ingress' | 'egress' = 'ingress') =>
    compile(source('rules', chain(hook, rule)), { type: 'cgroup_skb', attach }).diagnostics.map(
      ({ code, message, span }) => `${code}: ${message} ${span ? span.source.text.slice(span.start, span.end) : ''}`,
    )

  it.each([
    [
      'input',
      'ether saddr 02:00:00:00:00:01 drop',
      'ingress',
      [
        'codegen/type: programs of type cgroup_skb start at the network header: eth.src cannot be asked there ether saddr 02:00:00:00:00:01',
      ],
    ],
    ['input', 'tcp dport 80 drop', 'ingress', []],
    [
      'input',
      'tcp dport 80 drop',
      'egress',
      [
        'codegen/attach: the program is attached to packets that go out, the hook input is for packets that come in type filter hook input priority 0',
      ],
    ],
    ['output', 'tcp dport 80 drop', 'egress', []],
    ['output', 'meta mark 5 oifname "eth0" drop', 'egress', []],
  ] as const)('%s: %s, attached to %s', (hook, rule, attach, messages) => {
    expect(said(hook, rule, attach).filter((text) => !text.startsWith('rules/hook-chosen'))).toEqual(messages)
  })

  it('an object for packets that go out says so in its section', () => {
    const { value } = compile(source('rules', chain('output', 'tcp dport 80 drop')), {
      type: 'cgroup_skb',
      attach: 'egress',
    })
    expect(objectOf(value!).programs[0]!.section).toBe('cgroup_skb/egress')
  })
})
