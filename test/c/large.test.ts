// Sets too large for code, and metadata, in C through clang: an array that is searched by halves or row by row, fields of the context, the map of a packet's metadata.

import { readElf } from '@netsieve/asm'
import { generate, generateC } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, evaluate, type Filter, type Pred, type SetDef, type Term } from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { Sieve } from 'netsieve'
import { describe, expect, it } from 'vitest'
import { compileC, NO_CLANG } from './clang.ts'

function filterOf(pred: Pred, sets: readonly SetDef[] = [], six = false): Filter {
  const { value, diagnostics } = check({
    syntax: 'test',
    profile: 'nft-6.18',
    sets,
    base: [{ chain: 'main', hook: 'input', view: 'nft-ip', family: six ? 'ipv6' : 'ipv4', policy: 'accept' }],
    chains: [
      {
        name: 'main',
        rules: [
          {
            id: 0,
            text: 'rule',
            steps: [
              { kind: 'match', pred },
              { kind: 'verdict', verdict: { kind: 'drop' } },
            ],
          },
        ],
      },
    ],
  })
  if (!value) throw new Error(JSON.stringify(diagnostics))
  return value
}

/** A program of the C of a filter, with what its maps hold at first. */
function programOf(filter: Filter, type: 'xdp' | 'sched_cls') {
  const object = readElf(compileC(generateC(filter, { type }).value!, { debug: true })).value!
  return { insns: object.programs[0]!.insns, maps: object.maps, type }
}

const packet = (src: string, dport: number) => buildPacket(`eth / ipv4(src=${src}) / tcp(dport=${dport})`).value!.data

describe.skipIf(NO_CLANG)(`large sets and metadata${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`, () => {
  it('searches 5,000 ranges by halves', () => {
    const elements = Array.from({ length: 5000 }, (_, i) => ({
      key: [{ lo: BigInt(i * 8), hi: BigInt(i * 8 + (i % 5)) }],
    }))
    const set = { name: 'ranges', keys: [{ bits: 32, kind: 'ipv4' }], elements } as const
    const filter = filterOf({ kind: 'inSet', terms: [{ kind: 'field', field: 'ipv4.src' }], set: 'ranges' }, [set])
    const program = programOf(filter, 'xdp')
    expect(verify(program.insns, program)).toMatchObject({ status: 'accepted' })
    const machine = load(program.insns, program)
    for (let i = 0; i < 40_100; i += i < 100 || i > 39_900 ? 1 : 37) {
      const frame = packet(`0.0.${i >> 8}.${i & 255}`, 80)
      expect([i, machine.run(frame).r0 === 1]).toEqual([i, evaluate(filter, frame).decision === 'drop'])
    }
  })

  it('searches 1,500 pairs row by row, the first that overlaps', () => {
    const elements = Array.from({ length: 1500 }, (_, i) => {
      const port = i % 2 ? { lo: BigInt(i), hi: BigInt(i + 3) } : { lo: BigInt(i), hi: BigInt(i) }
      return { key: [{ lo: BigInt(i), hi: BigInt(i + 1) }, port], value: BigInt(i % 3) }
    })
    const keys = [
      { bits: 32, kind: 'ipv4' },
      { bits: 16, kind: 'port' },
    ] as const
    const set = { name: 'pairs', keys, data: { bits: 32 }, elements } as const
    const terms = [
      { kind: 'field', field: 'ipv4.src' },
      { kind: 'field', field: 'tcp.dport' },
    ] as const
    const filter = filterOf({ kind: 'cmp', term: { kind: 'mapped', terms, map: 'pairs' }, test: '>=', value: 1n }, [
      set,
    ])
    const program = programOf(filter, 'sched_cls')
    expect(verify(program.insns, program)).toMatchObject({ status: 'accepted' })
    const machine = load(program.insns, program)
    const seen = new Set<string>()
    for (let i = 0; i < 1510; i += 7) {
      for (const port of [i - 1, i, i + 1, i + 2, i + 3]) {
        const frame = packet(`0.0.${i >> 8}.${i & 255}`, Math.max(0, port))
        const { decision } = evaluate(filter, frame)
        seen.add(decision)
        expect([i, port, machine.run(frame).r0 === 2]).toEqual([i, port, decision === 'drop'])
      }
    }
    expect(seen.size).toBe(2)
  })

  it.each([
    ['addresses and ports', { bits: 32, kind: 'ipv4' }, 'ipv4.src', 0x0a000000n],
    ['IPv6 addresses', { bits: 128, kind: 'ipv6' }, 'ipv6.src', 0xfe80n << 112n],
  ] as const)('searches pairs and more of %s by halves', (_, address, src, base) => {
    // Ports in ranges, of every other address all of them.
    const elements = Array.from({ length: 400 }, (_, i) => {
      const port = i % 2 ? { lo: BigInt(i * 3), hi: BigInt(i * 3 + 1) } : { lo: 0n, hi: 65535n }
      const own = { lo: base + BigInt(i), hi: base + BigInt(i) }
      return { key: address.bits > 100 ? [own] : [own, port], value: BigInt(i % 3) }
    })
    const wide = address.bits > 100
    const keys = wide ? [address] : [address, { bits: 16, kind: 'port' } as const]
    const terms: Term[] = [{ kind: 'field', field: src }]
    if (!wide) terms.push({ kind: 'field', field: 'tcp.dport' })
    const set: SetDef = { name: 'sorted', keys, data: { bits: 32 }, elements }
    const filter = filterOf({ kind: 'cmp', term: { kind: 'mapped', terms, map: 'sorted' }, test: '>=', value: 1n }, [set], wide) // biome-ignore format: one call
    expect(generateC(filter, { type: 'xdp' }).value).toContain('halves')
    const program = programOf(filter, 'xdp')
    expect(verify(program.insns, program)).toMatchObject({ status: 'accepted' })
    const machine = load(program.insns, program)
    const decisions = new Set<string>()
    for (let i = 0; i < 402; i++) {
      for (const port of [0, i * 3 - 1, i * 3, i * 3 + 1, i * 3 + 2, 65535]) {
        const to = `tcp(dport=${Math.max(0, port)})`
        const text = wide ? `eth / ipv6(src=fe80::${i.toString(16)}) / ${to}` : `eth / ipv4(src=10.0.${i >> 8}.${i & 255}) / ${to}` // biome-ignore format: one value
        const frame = buildPacket(text).value!.data
        const { decision } = evaluate(filter, frame)
        decisions.add(decision)
        expect([i, port, machine.run(frame).r0 === 1]).toEqual([i, port, decision === 'drop'])
      }
    }
    expect(decisions.size).toBe(2)
  })

  const METADATA: Pred = {
    kind: 'or',
    args: [
      { kind: 'cmp', term: { kind: 'field', field: 'meta.mark' }, test: '==', value: 7n },
      { kind: 'cmp', term: { kind: 'field', field: 'meta.iif' }, test: '==', value: 3n },
      { kind: 'cmp', term: { kind: 'field', field: 'ct.state' }, test: '==', value: 8n },
      { kind: 'cmp', term: { kind: 'field', field: 'ct.label' }, test: '==', value: (5n << 64n) | 6n },
      { kind: 'cmp', term: { kind: 'field', field: 'meta.pkttype' }, test: '==', value: 2n },
    ],
  }
  it('sets metadata, which later rules see and the context is given', () => {
    const filter = filterOf({ kind: 'cmp', term: { kind: 'field', field: 'meta.mark' }, test: '==', value: 12n })
    const [chain] = filter.chains
    const sum: Term = {
      kind: 'bin',
      op: 'add',
      left: { kind: 'field', field: 'meta.mark' },
      right: { kind: 'const', value: 5n },
    }
    const setting: Filter = {
      ...filter,
      chains: [
        {
          ...chain!,
          rules: [{ id: 1, text: 'set', steps: [{ kind: 'set', field: 'meta.mark', term: sum }] }, ...chain!.rules],
        },
      ],
    }
    const program = programOf(setting, 'sched_cls')
    expect(verify(program.insns, program)).toMatchObject({ status: 'accepted' })
    const machine = load(program.insns, program)
    const frame = packet('10.0.0.1', 80)
    for (const mark of [7, 12, 0]) {
      const { decision } = evaluate(setting, frame, { meta: { 'meta.mark': BigInt(mark) } })
      expect([mark, machine.run(frame, { mark }).r0 === 2]).toEqual([mark, decision === 'drop'])
      expect(decision).toBe(mark === 7 ? 'drop' : 'pass')
    }
  })

  it.each(['xdp', 'sched_cls'] as const)('reads metadata as %s', (type) => {
    const filter = filterOf(METADATA)
    const program = programOf(filter, type)
    expect(verify(program.insns, program)).toMatchObject({ status: 'accepted' })
    // Its map is laid out as that of our own programs.
    const { metadata } = generate(filter, { type })
    const sieve = new Sieve({
      source: source('', ''),
      syntax: 'nft',
      filter,
      ...program,
      ...(metadata && { metadata }),
    })
    const frame = packet('10.0.0.1', 80)
    for (const meta of [
      {},
      { 'meta.mark': 7n },
      { 'meta.iif': 3n },
      { 'meta.iif': 2n, 'ct.state': 8n },
      { 'meta.iif': 2n, 'ct.state': 2n, 'ct.label': (5n << 64n) | 6n },
      { 'meta.iif': 2n, 'ct.state': 2n, 'ct.label': 6n, 'meta.pkttype': 2n },
      { 'meta.iif': 2n, 'ct.state': 2n, 'ct.label': 6n, 'meta.pkttype': 0n },
      { 'meta.iif': 2n, 'ct.state': 2n },
    ]) {
      const got = sieve.judge(frame, {}, meta)
      expect([Object.keys(meta), got.fault, got.verdict]).toEqual([
        Object.keys(meta),
        undefined,
        evaluate(filter, frame, { meta }).decision,
      ])
    }
  })
})
