// The corpus by hand, third part: maps that nobody can change any more, whose contents the verifier knows.

import type { MapDef } from '@netsieve/asm'
import { type FeatureCase, feature } from './corpus-features.ts'
import { END } from './corpus-kit.ts'

const VALUE = Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i * 17)
const key = (index: number) => Uint8Array.of(index, 0, 0, 0)
const map = (more: Partial<MapDef>): MapDef => ({ name: 'm', type: 'array', keySize: 4, valueSize: 16, maxEntries: 1, flags: 0x80, entries: [[key(0), VALUE]], frozen: true, ...more }) // biome-ignore format: one act

/** Ranges of pairs: 1,200 rows of two u32 and two u16. */
function rows(): Uint8Array {
  const bytes = new Uint8Array(1200 * 12)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < 1200; i++) {
    view.setUint32(i * 12, 0x0a000000 + i * 0x10003, true)
    view.setUint32(i * 12 + 4, 0x0a000000 + i * 0x10003 + ((i * 37) % 300), true)
    view.setUint16(i * 12 + 8, 1000 + i * 41, true)
    view.setUint16(i * 12 + 10, 1000 + i * 41 + (i % 3) * 7, true)
  }
  return bytes
}

const KINDS: readonly MapDef[] = [
  map({}),
  map({ frozen: false }),
  map({ flags: 0 }),
  map({ maxEntries: 4 }),
  map({ type: 'percpu_array', entries: [] }),
  map({ type: 'hash', maxEntries: 4 }),
  map({ entries: [] }),
]
const NAMES = ['frozen', 'not frozen', 'written by programs', 'of four', 'one for each processor', 'hash', 'empty']

const looked = (index: number, body: string) =>
  `*(u32 *)(r10 -8) = 0; r1 = map[idx:${index}]; r2 = r10; r2 += -8; call 1; if r0 == 0 goto out; ${body}; out: ${END}`
/** Refused unless r3 is known to be the number. */
const unless = (value: string) => `r5 = ${value} ll; if r3 == r5 goto out; r0 = r9`

const LOADS: readonly (readonly [load: string, value: string])[] = [
  ['*(u8 *)(r1 +3)', '0x23'], ['*(u16 *)(r1 +3)', '0x3423'], ['*(u32 *)(r1 +4)', '0x67564534'], ['*(u64 *)(r1 +8)', '0xefdecdbcab9a8978'], ['*(s8 *)(r1 +0)', '-16'], ['*(s8 *)(r1 +1)', '1'], ['*(s16 *)(r1 +14)', '-4130'],
  ['*(s32 *)(r1 +12)', '-270611012'], ['*(s32 *)(r1 +0)', '0x231201f0'], ['*(u64 *)(r1 +9)', '0'], ['*(u8 *)(r1 -1)', '0'],
] // biome-ignore format: a table

const search = (count: number, base: string) =>
  `${base}; r4 = r2; r4 += 40; if r4 > r3 goto no; r5 = *(u32 *)(r2 +26); r6 = *(u16 *)(r2 +36); r1 = 0; top: r7 = map[idx:0][0]+0; r7 += r1; r8 = *(u32 *)(r7 +0); if r5 < r8 goto next; r8 = *(u32 *)(r7 +4); if r5 > r8 goto next; r8 = *(u16 *)(r7 +8); if r6 < r8 goto next; r8 = *(u16 *)(r7 +10); if r6 <= r8 goto yes; next: r1 += 12; if r1 != ${count * 12} goto top; no: r0 = 2; exit; yes: r0 = 1; exit`

export function* frozen(): Generator<FeatureCase> {
  for (const [index, name] of NAMES.entries()) {
    yield feature(`${name}, read`, looked(index, `r3 = *(u64 *)(r0 +8); ${unless('0xefdecdbcab9a8978')}`), { maps: KINDS }) // biome-ignore format: one act
    yield feature(`${name}, by address`, `r1 = map[idx:${index}][0]+4; r3 = *(u8 *)(r1 +4); ${unless('0x78')}; out: ${END}`, { maps: KINDS }) // biome-ignore format: one act
    yield feature(`${name}, somewhere`, looked(index, 'r6 = r0; call 7; r0 &= 7; r6 += r0; r3 = *(u64 *)(r6 +0)'), { maps: KINDS }) // biome-ignore format: one act
    yield feature(`${name}, written`, looked(index, '*(u32 *)(r0 +4) = 1'), { maps: KINDS })
    yield feature(`${name}, as memory`, looked(index, 'r1 = r0; r2 = 4; r3 = 0; r4 = 0; r5 = 0; call 28'), { maps: KINDS }, 'sched_cls') // biome-ignore format: one act
  }
  for (const [load, value] of LOADS)
    for (const at of ['map[idx:0][0]+0', 'map[idx:0][0]+4; r1 += -4', 'map[idx:0][0]+0; r4 = 8; r1 += r4; r1 -= 8'])
      for (const loader of ['root', 'bpf'] as const)
        yield feature(`frozen${loader === 'bpf' ? ', strict' : ''}`, `r1 = ${at}; r3 = ${load}; ${unless(value)}; out: ${END}`, { maps: KINDS, loader }) // biome-ignore format: one act
  yield feature('frozen, an atomic load', `r1 = map[idx:0][0]+0; r3 = load_acquire((u32 *)(r1 +4)); ${unless('0x67564534')}; out: ${END}`, { maps: KINDS }) // biome-ignore format: one act
  const packet = 'r2 = *(u32 *)(r1 +0); r3 = *(u32 *)(r1 +4)'
  const table = (more: Partial<MapDef>) => ({
    maps: [map({ valueSize: 14_400, entries: [[key(0), rows()]], ...more })],
  })
  yield feature('a search of 100 frozen rows', search(100, packet), table({}))
  yield feature('a search of 1,200 frozen rows', search(1200, packet), table({}))
  yield feature('a search of 1,200 rows', search(1200, packet), table({ frozen: false }))
}
