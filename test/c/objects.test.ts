// Generated C as clang has compiled it (objects/, one for each view and way to be called): accepted by the verifier, and the verdicts that the rules mean, where there is
// no clang too. The objects are recorded again by
//   NETSIEVE_RECORD=1 npx vitest run test/c/objects.test.ts

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { decisionOf, type ProgTypeName, readElf } from '@netsieve/asm'
import { generateC } from '@netsieve/codegen'
import { evaluate } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { CAPTURES, recorded } from '../golden/recorded.ts'
import { CLANG_VERSION, compileC, NO_CLANG } from './clang.ts'

const OBJECTS = new URL('objects/', import.meta.url)

/** Recorded rulesets by name, and the program type that each was compiled as. */
const ROWS: readonly (readonly [string, string, ProgTypeName])[] = [
  ['http-nft.o', 'http.nft', 'xdp'],
  ['http-flower.o', 'http.flower', 'sched_cls'],
  ['http-ethtool.o', 'http.ethtool', 'socket_filter'],
  ['nft-chains.o', 'chains under nft', 'sched_cls'],
  ['nft-header-fields-ip6.o', 'header-fields-ip6 under nft', 'socket_filter'],
  ['nft-several-hooks.o', 'several-hooks under nft', 'xdp'],
  ['nft-ingress-more.o', 'ingress-more under nft', 'sched_cls'],
  ['xt-http6-raw.o', 'xt-http6-raw under iptables-legacy', 'xdp'],
  ['xt-chains.o', 'xt-chains under iptables-legacy', 'socket_filter'],
  ['pcap-port.o', 'port 80 or not 443', 'xdp'],
  ['pcap-flags.o', 'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0', 'sched_cls'],
  ['pcap-vlan.o', 'vlan or tcp port 80', 'socket_filter'],
]

const FILTERS = new Map(recorded(60).map(({ name, filter }) => [name, filter]))

describe.runIf(process.env.NETSIEVE_RECORD)('recording', () => {
  it('compiles all', { timeout: 120_000 }, () => {
    expect(NO_CLANG).toBeUndefined()
    rmSync(OBJECTS, { recursive: true, force: true })
    mkdirSync(OBJECTS)
    for (const [file, name, type] of ROWS)
      writeFileSync(new URL(file, OBJECTS), compileC(generateC(FILTERS.get(name)!, { type }).value!))
    writeFileSync(new URL('VERSION', OBJECTS), `${CLANG_VERSION}\n`)
  })
})

describe('compiled C', () => {
  it.each(ROWS)('%s: %s as %s', { timeout: 30_000 }, (file, name, type) => {
    const { programs, maps } = readElf(readFileSync(new URL(file, OBJECTS))).value!
    const { insns } = programs[0]!
    expect(verify(insns, { type, maps })).toMatchObject({ status: 'accepted' })
    const machine = load(insns, { type, maps, engine: 'jit', patience: 0 })
    const filter = FILTERS.get(name)!
    const wrong = CAPTURES.flatMap((capture) =>
      capture.frames.flatMap((frame, i) => {
        const { r0, fault } = machine.run(frame)
        const got = fault ? fault.reason : decisionOf(type, r0)
        const { decision } = evaluate(filter, frame)
        return got === decision ? [] : [`${capture.name} ${i}: ${got}, meaning ${decision}`]
      }),
    )
    expect(wrong).toEqual([])
  })
})
