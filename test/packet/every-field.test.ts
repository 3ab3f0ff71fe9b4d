// Every row of the field table through every layer: a packet is built that has it, evaluate reads it, programs of each type do, text and JSON
// keep it, classic BPF says it or says that it cannot. The list of fields that are not covered is empty.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { generate, generateCbpf } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import {
  check,
  cmp,
  evaluate,
  type Filter,
  fromJson,
  match,
  parse,
  print,
  toJson,
  type ViewName,
  verdict,
} from '@netsieve/ir'
import { buildPacket, FIELDS, type FieldId, isMetadata, protocol } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'
import { homeOf } from '../../packages/packet/test/build/homes.ts'

const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
const IDS = (Object.keys(FIELDS) as FieldId[]).filter((id) => !isMetadata(id) && id !== 'meta.length')
/** Views that together read every field: with the outermost tag off, with options as they are, with the bytes where they are. */
const SEEN_BY: readonly ViewName[] = ['nft-netdev', 'ethtool', 'raw']

const ETHERNET = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1)

function frameOf(text: string): Uint8Array | undefined {
  const { value } = buildPacket(text)
  if (!value || value.linkType === 1) return value?.data
  const type = value.data[0]! >> 4 === 6 ? [0x86, 0xdd] : [8, 0]
  return Uint8Array.from([...ETHERNET, ...type, ...value.data])
}

const filterOf = (view: ViewName, id: FieldId, value: bigint): Filter => ({
  syntax: 'test',
  profile: 'nft-6.18',
  base: [{ chain: 'main', hook: 'ingress', view, family: 'any', policy: 'accept' }],
  chains: [{ name: 'main', rules: [{ id: 0, text: id, steps: [match(cmp(id, '==', value)), verdict('drop')] }] }],
})

/** What metadata of dissection is in a plain TCP packet. */
const DISSECTED: Partial<Record<FieldId, bigint>> = { 'meta.protocol': 0x800n, 'meta.nfproto': 2n, 'meta.l4proto': 6n }

interface Case {
  readonly frame: Uint8Array
  readonly view: ViewName
  readonly value: bigint
}

/** A packet that has a number in the field, and a view that reads it; the number is one that says nothing about what follows, if one will do. */
function caseOf(id: FieldId): Case | undefined {
  const home = homeOf(id)
  if (!home) return { frame: frameOf('ipv4 / tcp')!, view: 'nft-netdev', value: DISSECTED[id]! }
  const { bits, proto } = FIELDS[id]
  const typed = protocol(proto).entry?.type
  const values = [
    bits > 2 ? 5n : 1n,
    ...(typed === undefined ? [] : [BigInt(typed)]),
    0n,
    4n,
    6n,
    8n,
    16n,
    20n,
    0x8100n,
  ]
  for (const value of values) {
    const frame = value >> BigInt(bits) === 0n ? frameOf(home.text(value)) : undefined
    if (!frame) continue
    const view = SEEN_BY.find((each) => evaluate(filterOf(each, id, value), frame).by === 'rule')
    if (view) return { frame, view, value }
  }
  return undefined
}

test('no field is left out', () => {
  expect(IDS.length).toBeGreaterThan(320)
  expect(IDS.filter((id) => caseOf(id) === undefined)).toEqual([])
})

describe.each(IDS)('%s', (id) => {
  const { frame, view, value } = caseOf(id)!
  const other = value ^ 1n
  // Fields of one header differ in a load; one of them is verified.
  const isFirst = IDS.find((each) => FIELDS[each].proto === FIELDS[id].proto) === id
  const filters = [filterOf(view, id, value), filterOf(view, id, other)] as const

  test('check, text and JSON take it', () => {
    for (const filter of filters) {
      expect(check(filter).diagnostics).toEqual([])
      const text = print(filter)
      expect(print(parse(source('ir', text)).value!)).toBe(text)
      expect(print(fromJson(toJson(filter)).value!)).toBe(text)
    }
  })

  test('evaluate reads it', () => {
    expect(evaluate(filters[0], frame)).toMatchObject({ decision: 'drop', rule: 0 })
    expect(evaluate(filters[1], frame)).toMatchObject({ decision: 'pass' })
  })

  test.each(TYPES)('%s programs read it', (type) => {
    for (const filter of filters) {
      const { insns, maps } = generate(filter, { type })
      if (type === 'xdp' && isFirst) expect(verify(insns, { type, maps })).toMatchObject({ status: 'accepted' })
      const { r0, fault } = load(insns, { type, maps }).run(frame)
      expect(fault).toBeUndefined()
      expect(decisionOf(type, r0)).toBe(evaluate(filter, frame).decision)
    }
  })

  test('classic BPF says it, or that it cannot', () => {
    const { value: program, diagnostics } = generateCbpf(filterOf('pcap', id, value))
    expect(program !== undefined || diagnostics.some(({ code }) => code === 'codegen/cbpf')).toBe(true)
  })
})
