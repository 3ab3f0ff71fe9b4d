// Programs of cgroups and of netfilter, and programs that keep something or read metadata, in the real kernel.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { beyondType, generate, METADATA_MAP } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, evaluate, type Filter, locate, newState, print, VIEWS, type ViewName } from '@netsieve/ir'
import { parseName, writeMetadata } from '@netsieve/packet'
import { SYNTAXES } from '@netsieve/rules'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAMES, frame } from '../properties/frames.ts'
import { filterOf } from '../properties/random-ir.ts'
import { askKernel, MISSING, programOf, testRuns } from './oracle.ts'

const PROGRAMS = Number(process.env.NETSIEVE_RUNS ?? 60)
const SEED = 20_261_123
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe.skipIf(MISSING)(`the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  const seen = (['nft-ip', 'nft-netdev', 'xt-ip', 'flower', 'ethtool'] as const).flatMap((view) =>
    (['cgroup_skb', 'netfilter'] as const).map((type) => [view, type] as const),
  )
  it.each(seen)(
    'runs programs that start at the network header as the view %s has it, %s',
    (view: ViewName, type: ProgTypeName) => {
      const filters = fc
        .sample(filterOf(view), { numRuns: PROGRAMS * 4, seed: SEED })
        .filter((filter) => check(filter).value && beyondType(filter, type).length === 0)
        .slice(0, PROGRAMS)
      // Sockets get IP packets without tags.
      const bytes = [...fc.sample(frame, { numRuns: 80, seed: SEED }), ...FRAMES].filter((one) => {
        const { seen, net, nfproto } = locate(VIEWS[view], one)
        return seen && net === 14 && nfproto !== undefined
      })
      const programs = filters.map((filter) => generate(filter, { type }))
      let judged = 0
      for (const group of testRuns(type, bytes)) {
        const { frames, ...context } = group
        const replies = askKernel(
          programs.map((program) => ({ op: 'run', type, ...programOf(program), ...context, frames: frames.map(hex) })),
        )
        for (const [i, reply] of replies.entries()) {
          if (!reply.accepted) throw new Error(`the kernel rejects: ${reply.reason}\n${print(filters[i]!)}`)
          for (const [j, r0] of (reply.run?.retvals ?? []).entries()) {
            if (r0 === null || r0 < 0) continue
            judged++
            const want = evaluate(filters[i]!, group.whole[j]!).decision
            if (decisionOf(type, r0) !== want)
              throw new Error(`kernel: ${r0}, meaning: ${want}\n${print(filters[i]!)}\nframe ${hex(group.whole[j]!)}`)
          }
        }
      }
      expect(judged).toBeGreaterThan(filters.length * 10)
      expect(filters.length).toBeGreaterThan(10)
    },
  )

  const nft = (...rules: readonly string[]): Filter =>
    SYNTAXES.nft.read(
      source(
        'rules',
        `table inet t {\n chain c {\n  type filter hook input priority 0; policy drop\n${rules.map((rule) => `  ${rule}\n`).join('')} }\n}\n`,
      ),
      {},
    ).value!
  const ip = FRAMES.filter((one) => locate(VIEWS['nft-ip'], one).seen && one.length >= 40)

  it.each(['xdp', 'sched_cls', 'socket_filter', 'cgroup_skb'] as const)(
    'keeps quotas and turns over a run, and takes tokens, %s',
    (type: ProgTypeName) => {
      const filter = nft(
        'quota 700 bytes accept',
        'meta l4proto tcp meta mark set 5',
        'meta mark 5 counter accept',
        'limit rate 1/hour burst 3 packets accept',
        'reject',
      )
      const generated = generate(filter, { type, counters: true })
      const [reply] = askKernel([{ op: 'run', type, ...programOf(generated), frames: ip.map(hex) }])
      expect(reply).toMatchObject({ accepted: true })
      const state = newState(filter)
      const want = ip.map((one) => evaluate(filter, one, { state, timestampNs: 1n }).decision)
      expect(reply!.run!.retvals.map((r0) => r0 !== null && decisionOf(type, r0))).toEqual(want)
      expect(new Set(want).size).toBe(2)
    },
  )

  it.each(['xdp', 'sched_cls', 'socket_filter', 'cgroup_skb'] as const)(
    'reads metadata from the map, %s',
    (type: ProgTypeName) => {
      const filter = nft('iifname "eth*" ct state { new, established } ct mark & 0xff0000 == 0x120000 accept')
      const generated = generate(filter, { type })
      const values = { 'meta.iifname': parseName('eth7')!, 'ct.state': 8n, 'ct.mark': 0x123456n }
      const given = [
        values,
        { ...values, 'ct.state': 1n },
        { ...values, 'ct.mark': 0x563412n },
        { 'ct.state': 8n, 'ct.mark': 0x123456n },
      ]
      const replies = askKernel(
        given.map((meta) => {
          const entries = [[new Uint8Array(4), writeMetadata(generated.metadata!, meta)] as const]
          const maps = generated.maps.map((map) => (map.name === METADATA_MAP ? { ...map, entries } : map))
          return { op: 'run', type, ...programOf({ ...generated, maps }), frames: [hex(ip[0]!)] }
        }),
      )
      expect(replies.map((reply) => decisionOf(type, reply.run!.retvals[0]!))).toEqual(['pass', 'drop', 'drop', 'drop'])
    },
  )
})
