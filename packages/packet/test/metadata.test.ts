import {
  captureMetadata,
  formatName,
  isMetadata,
  layoutMetadata,
  loadableAt,
  METADATA,
  type MetadataField,
  type MetadataId,
  metadataExpected,
  metadataFromJson,
  metadataId,
  metadataOf,
  parseMetadata,
  parseName,
  readBits,
  writeMetadata,
} from '@netsieve/packet'
import { describe, expect, it } from 'vitest'

const rows = Object.entries(METADATA) as [MetadataId, MetadataField][]

describe.each(rows)('%s', (id, { bits, kind, names, bitNames }) => {
  it('is whole bytes, of the width of its kind', () => {
    expect([8, 16, 32, 64, 128]).toContain(bits)
    const width = { ifname: 128, ipv4: 32, ipv6: 128, port: 16 } as Partial<Record<string, number>>
    expect(bits).toBe(width[kind] ?? bits)
  })

  it('reads its names, the names joined where they are bits, and its largest number; nothing larger', () => {
    for (const [name, value] of Object.entries(names ?? {})) expect(parseMetadata(id, name)).toBe(BigInt(value))
    const list = Object.keys(names ?? {})
    const sum = Object.values(names ?? {}).reduce((one, other) => one | BigInt(other), 0n)
    if (list.length > 1) expect(parseMetadata(id, list.join(','))).toBe(bitNames ? sum : undefined)
    if (['ifname', 'ipv4', 'ipv6'].includes(kind)) return
    const top = (1n << BigInt(bits)) - 1n
    expect(parseMetadata(id, String(top))).toBe(top)
    expect(parseMetadata(id, `0x${top.toString(16)}`)).toBe(top)
    expect(parseMetadata(id, String(top + 1n))).toBeUndefined()
    for (const wrong of ['', '-1', '1.5', 'nonsense', '0x', ' 1', 'constructor'])
      expect(parseMetadata(id, wrong)).toBeUndefined()
    expect(metadataExpected(id).length).toBeGreaterThan(0)
  })

  it('is written where the layout says, at its alignment, alone or among all', () => {
    for (const fields of [[id], rows.map(([each]) => each)]) {
      const layout = layoutMetadata(fields)
      const slot = layout.slots.find(({ field }) => field === id)!
      expect(slot.valueAt % Math.min(8, slot.bytes)).toBe(0)
      const value = 0x0123456789abcdef0123456789abcdefn & ((1n << BigInt(bits)) - 1n)
      const bytes = writeMetadata(layout, { [id]: value })
      expect(bytes.length).toBe(layout.bytes)
      expect(bytes[slot.knownAt]).toBe(1)
      expect(readBits(bytes, slot.valueAt * 8, bits)).toBe(value)
      expect(bytes.reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0)).toBeLessThanOrEqual(1 + slot.bytes)
      expect(writeMetadata(layout, {}).every((byte) => byte === 0)).toBe(true)
    }
  })
})

it('slots do not overlap', () => {
  const { slots } = layoutMetadata(rows.map(([id]) => id))
  const used = new Set<number>()
  for (const { knownAt, valueAt, bytes } of slots) {
    for (const at of [knownAt, ...Array.from({ length: bytes }, (_, i) => valueAt + i)]) {
      expect(used.has(at)).toBe(false)
      used.add(at)
    }
  }
})

it('names of devices are 16 bytes as the kernel keeps them', () => {
  expect(parseName('lo')).toBe(0x6c6fn << 112n)
  expect(formatName(parseName('enp0s31f6.100')!)).toBe('enp0s31f6.100')
  expect(parseName('fifteen-letters')).toBeDefined()
  for (const wrong of ['', 'sixteen-letters-', 'a b', 'a/b', 'é']) expect(parseName(wrong), wrong).toBeUndefined()
})

it('fields go by their names, without meta. too', () => {
  expect(metadataId('iif')).toBe('meta.iif')
  expect(metadataId('ct.state')).toBe('ct.state')
  expect(metadataId('state')).toBeUndefined()
  expect(isMetadata('meta.protocol')).toBe(false)
})

it('hooks have what packets have there; a hook of another world has all', () => {
  expect(
    ['ingress', 'prerouting', 'input', 'forward', 'output', 'postrouting', 'egress'].map((hook) => [
      loadableAt('meta.iif', hook),
      loadableAt('meta.oif', hook),
      loadableAt('ct.state', hook),
    ]),
  ).toEqual([
    [true, false, false],
    [true, false, true],
    [true, false, true],
    [true, true, true],
    [false, true, true],
    [true, true, true],
    [false, true, false],
  ])
  expect(loadableAt('meta.oif', 'capture')).toBe(true)
})

it('what nothing sets is 0, the packet type is told by the destination, the rest is not known', () => {
  const to = (...bytes: number[]) => Uint8Array.from([...bytes, 0, 0, 0, 0, 0, 0])
  expect(metadataOf('meta.mark', {}, to())).toBe(0n)
  expect(metadataOf('meta.mark', { 'meta.mark': 7n }, to())).toBe(7n)
  expect(metadataOf('meta.iif', {}, to())).toBeUndefined()
  expect(metadataOf('meta.pkttype', {}, to(2, 0, 0, 0, 0, 1))).toBe(0n)
  expect(metadataOf('meta.pkttype', {}, to(255, 255, 255, 255, 255, 255))).toBe(1n)
  expect(metadataOf('meta.pkttype', {}, to(1, 0, 0x5e, 0, 0, 1))).toBe(2n)
  expect(metadataOf('meta.pkttype', { 'meta.pkttype': 3n }, to(1))).toBe(3n)
})

describe('JSON', () => {
  it('takes numbers, texts, names, lists of bits, truth and null', () => {
    expect(
      metadataFromJson({
        iif: 3,
        iifname: 'eth0',
        'ct.state': ['new', 'related'],
        'meta.nftrace': true,
        mark: '0x10',
        oif: null,
      }),
    ).toEqual({
      'meta.iif': 3n,
      'meta.iifname': parseName('eth0'),
      'ct.state': 12n,
      'meta.nftrace': 1n,
      'meta.mark': 16n,
    })
  })

  it.each([
    [3],
    [null],
    [[1]],
    ['x'],
    [{ nonsense: 1 }],
    [{ iif: 'eth0' }],
    [{ iif: -1 }],
    [{ iif: 1e20 }],
    [{ iif: {} }],
    [{ 'ct.state': ['new', 3] }],
  ])('%j is refused with a reason', (value) => {
    expect(typeof metadataFromJson(value)).toBe('string')
  })
})

describe('what a record tells by itself', () => {
  const record = { linkType: 1, data: new Uint8Array(60), sec: 0, nsec: 0 }
  const seen = { id: 0, linkType: 1, name: 'eth0' } as const
  it.each([
    ['its interface', { ...record, interface: seen }, { 'meta.iifname': parseName('eth0'), 'meta.ifname': parseName('eth0') }], // biome-ignore format: a row
    ['that it came in', { ...record, options: { direction: 'in' } }, { 'meta.direction': 0n }],
    ['that it went out, by its interface', { ...record, interface: seen, options: { direction: 'out' } }, { 'meta.direction': 1n, 'meta.pkttype': 4n, 'meta.oifname': parseName('eth0'), 'meta.ifname': parseName('eth0') }], // biome-ignore format: a row
    ['who it was sent to', { ...record, options: { reception: 'multicast' } }, { 'meta.pkttype': 2n }],
    ['nothing', record, {}],
  ] as const)('%s', (_, given, told) => {
    expect(captureMetadata(given as unknown as Parameters<typeof captureMetadata>[0])).toEqual(told)
  })
})
