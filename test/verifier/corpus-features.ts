// The corpus by hand, second part: what takes more than a line of instructions. Functions with types, callbacks, locks, maps of
// maps, sockets, loaders without privileges, machines that want aligned accesses, and the verifier's own limits.

import { Code, encode, type FunctionProto, type MapDef, type ParamDef, type ProgTypeName } from '@netsieve/asm'
import { type CaseOptions, described, END, raw } from './corpus-kit.ts'

export interface FeatureCase {
  readonly name: string
  readonly type: ProgTypeName
  readonly text: string
  readonly bytes?: Uint8Array
  readonly options: CaseOptions
}

/** A case whose name holds its text. */
export function feature(
  name: string,
  text: string,
  options: CaseOptions = {},
  type: ProgTypeName = 'xdp',
): FeatureCase {
  return { name: `${name}: ${text}`, type, text, options }
}

const INNER: MapDef = { name: 'm', type: 'array', keySize: 4, valueSize: 16, maxEntries: 4 }
const map = (type: MapDef['type'], keySize: number, valueSize: number, more: Partial<MapDef> = {}): MapDef => ({ name: 'm', type, keySize, valueSize, maxEntries: 4, ...more }) // biome-ignore format: one act

const LOCKED = map('hash', 8, 24, { spinLockAt: 0 })
const LOCK_MAPS: readonly MapDef[] = [
  LOCKED,
  map('array', 4, 24, { spinLockAt: 4, maxEntries: 1 }),
  map('array', 4, 24),
]

const found = (body: string, map = 0) =>
  `*(u64 *)(r10 -8) = 0; r1 = map[idx:${map}]; r2 = r10; r2 += -8; call 1; if r0 == 0 goto out; r6 = r0; ${body}; out: ${END}`
const LOCK = 'r1 = r6; call 93'
const UNLOCK = 'r1 = r6; call 94'

function* locks(): Generator<FeatureCase> {
  const bodies = [
    `${LOCK}; ${UNLOCK}`, `${LOCK}; r1 = *(u32 *)(r6 +8); *(u32 *)(r6 +12) = 5; ${UNLOCK}`, LOCK, UNLOCK, `${LOCK}; ${LOCK}; ${UNLOCK}`, `${LOCK}; call 7; ${UNLOCK}`, `${LOCK}; r1 = *(u32 *)(r6 +0); ${UNLOCK}`, 'r1 = *(u32 *)(r6 +0)', '*(u64 *)(r6 +0) = 1',
    'r1 = *(u8 *)(r6 +3)', 'r1 = *(u8 *)(r6 +4)', 'r1 = r6; r1 += 4; call 93', 'r1 = r6; r1 += 8; call 93', `${LOCK}; r0 = 0; exit`, `call 7; r0 &= 4; r1 = r6; r1 += r0; call 93`, `${LOCK}; r1 = r6; r1 += 4; call 94`,
    `call 7; if r0 > 5 goto out; ${LOCK}; ${UNLOCK}`, `${LOCK}; call 7; if r0 > 5 goto out; ${UNLOCK}`, `${LOCK}; if r6 != 0 goto +0; ${UNLOCK}; ${LOCK}; ${UNLOCK}`, `${LOCK}; r7 = 1; if r7 > 5 goto out; ${UNLOCK}`, `${LOCK}; goto out`,
    `r7 = r6; *(u64 *)(r10 -8) = 1; r1 = map[idx:0]; r2 = r10; r2 += -8; call 1; if r0 == 0 goto out; r8 = r0; ${LOCK}; r1 = r8; call 94`, `r7 = r6; *(u64 *)(r10 -8) = 1; r1 = map[idx:0]; r2 = r10; r2 += -8; call 1; if r0 == 0 goto out; r8 = r0; ${LOCK}; r1 = r7; call 94`,
    `r1 = map[idx:0]; r2 = r10; r2 += -8; r3 = r6; r4 = 0; call 2`, `r1 = map[idx:0]; r2 = r10; r2 += -8; r3 = r10; r3 += -40; r4 = 0; call 2`, `r1 = map[idx:2]; r2 = r6; call 1`,
  ] // biome-ignore format: one line each
  for (const body of bodies) yield feature('locked hash', found(body), { maps: LOCK_MAPS })
  for (const body of [`${LOCK}; ${UNLOCK}`, 'r1 = r6; r1 += 4; call 93; r1 = r6; r1 += 4; call 94', 'r1 = r6; r1 += 4; call 93; r1 = r6; r1 += 4; r1 = *(u32 *)(r1 +4)'])
    yield feature('lock at 4', found(body, 1), { maps: LOCK_MAPS }) // biome-ignore format: one act
  yield feature('no lock in the map', found(`${LOCK}; ${UNLOCK}`, 2), { maps: LOCK_MAPS })
  yield feature('lock by address', `r1 = map[idx:1][0]+4; r6 = r1; call 93; r1 = r6; call 94; ${END}`, {
    maps: LOCK_MAPS,
  })
  yield feature('lock by address', `r1 = map[idx:1][0]+0; r6 = r1; call 93; r1 = r6; call 94; ${END}`, {
    maps: LOCK_MAPS,
  })
  yield feature('lock in a socket filter', found(`${LOCK}; ${UNLOCK}`), { maps: LOCK_MAPS }, 'socket_filter')
  yield feature('lock on the stack', `r1 = r10; r1 += -8; call 93; ${END}`, { maps: LOCK_MAPS })
  yield feature('lock and packet load', found(`r9 = r6; ${LOCK}; r6 = r8; r0 = *(u8 *)skb[0]; r6 = r9; ${UNLOCK}`).replace('*(u64', 'r8 = r1; *(u64'), { maps: LOCK_MAPS }, 'sched_cls') // biome-ignore format: one act
}

/** `r1 = rounds; call bpf_loop` with a callback that has the body given. */
const loop = (body: string, rounds = 'r1 = 10', context = 'r3 = 0', flags = 'r4 = 0', after = 'r0 = 0') =>
  `r6 = r1; ${rounds}; r2 = f ll; ${context}; ${flags}; call 181; ${after}; exit; f: ${body}; exit`
const each = (body: string, index = 0, context = 'r3 = 0', after = 'r0 = 0') =>
  `r6 = r1; r1 = map[idx:${index}]; r2 = f ll; ${context}; r4 = 0; call 164; ${after}; exit; f: ${body}; exit`

function* callbacks(): Generator<FeatureCase> {
  const stack = '*(u64 *)(r10 -8) = 0; r3 = r10; r3 += -8'
  const texts = [
    loop('r0 = 0'), loop('r0 = 1'), loop('r0 = 2'), loop('r0 = -1'), loop('call 7'), loop('call 7; r0 &= 1'), loop('r0 = r1'), loop('r0 = r10'), loop('r0 = r5; r0 = 0'), loop('r0 = 0', 'r1 = 0'), loop('r0 = 0', 'r1 = -1'), loop('r0 = 0', 'call 7; r1 = r0'),
    loop('r0 = 0', 'r1 = r6'), loop('r0 = 0', 'r1 = 10', 'r3 = r6'), loop('r0 = 0', 'r1 = 10', 'r3 = 5'), loop('r1 = *(u64 *)(r2 +0); r1 += 1; *(u64 *)(r2 +0) = r1; r0 = 0', 'r1 = 10', stack, 'r4 = 0', 'r0 = *(u64 *)(r10 -8)'), loop('*(u64 *)(r2 +8) = 1; r0 = 0', 'r1 = 10', stack),
    loop('*(u64 *)(r2 +0) = r2; r0 = 0', 'r1 = 10', stack), loop('r0 = *(u32 *)(r2 +0); r0 = 0', 'r1 = 10', 'r3 = 0'), loop('if r1 > 5 goto g; r0 = 0; exit; g: r0 = 1'), loop('r2 += r1; r0 = *(u8 *)(r2 +0); r0 = 0', 'r1 = 8', stack), loop('if r1 > 7 goto g; r2 += r1; r0 = *(u8 *)(r2 +0); g: r0 = 0', 'r1 = 8', stack),
    loop('r0 = 0', 'r1 = 10', 'r3 = 0', 'r4 = 5'), loop('r0 = 0', 'r1 = 10', 'r3 = 0', 'r4 = 0', 'r0 = r0'), loop('r1 = 3; r2 = g ll; r3 = 0; r4 = 0; call 181; r0 = 0; exit; g: r0 = 0'), loop('call g; r0 = 0; exit; g: r0 = 1'), loop('r0 = r6; r0 = 0'), loop('r6 = 1; r0 = 0', 'r1 = 10', 'r3 = 0', 'r4 = 0', 'r0 = *(u32 *)(r6 +12); r0 = 0'),
    loop('r0 = 0', 'r1 = 10', 'r3 = 0', 'r4 = 0', 'r7 = 3; if r0 > 10 goto bad; r0 = 0; exit; bad: r7 = 4; r0 = 0'), loop('r1 = *(u64 *)(r2 +0); if r1 > 100 goto g; r1 += 1; *(u64 *)(r2 +0) = r1; g: r0 = 0', 'r1 = 1000000', stack), loop('call 7; r0 = 0', 'r1 = 8388608'), loop('r0 = 0', 'r1 = 8388609'),
    each('r0 = 0'), each('r0 = 2'), each('r0 = *(u32 *)(r2 +0); r0 = 0'), each('r0 = *(u64 *)(r2 +0); r0 = 0'), each('*(u32 *)(r2 +0) = 1; r0 = 0'), each('r0 = *(u32 *)(r3 +12); r0 = 0'), each('r0 = *(u32 *)(r3 +13); r0 = 0'), each('r0 = *(u32 *)(r3 +16); r0 = 0'), each('*(u32 *)(r3 +0) = 7; r0 = 0'), each('r0 = *(u32 *)(r1 +0); r0 = 0'),
    each('r2 += 4; r0 = *(u8 *)(r2 +0); r0 = 0'), each('r2 += 2; r0 = *(u16 *)(r2 +0); r0 = 0'), each('r2 += -1; r0 = *(u8 *)(r2 +0); r0 = 0'), each('r6 = r2; call 7; r0 &= 3; r6 += r0; r0 = *(u8 *)(r6 +0); r0 = 0'), each('r6 = r2; call 7; r6 += r0; r0 = *(u8 *)(r6 +0); r0 = 0'), each('r7 = r2; r1 = map[idx:0]; r2 = r7; call 1; if r0 == 0 goto g; r0 = *(u32 *)(r0 +0); g: r0 = 0'),
    each('r1 = *(u64 *)(r4 +0); r1 += 1; *(u64 *)(r4 +0) = r1; r0 = 0', 0, stack), each('r0 = *(u64 *)(r4 +8); r0 = 0', 0, stack), each('r0 = r1'), each('r0 = r3'), each('r0 = 0', 1), each('r0 = 0', 2), each('r0 = 0', 3), each('r0 = 0', 4), each('r0 = 0', 10), each('r3 = 1; lock *(u32 *)(r2 +0) += r3; r0 = 0'), each('r1 = r2; r2 = 4; r3 = 0; r4 = r10; r4 += -8; call 105; r0 = 0'), each('r9 = r2; r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = r9; call 105; r0 = 0'),
    each('r0 = 0; r5 = 1; if r5 > 0 goto g; r0 = 1; g: r0 = 0', 0, 'r3 = 0', 'r0 = r0'), `r1 = 10; r2 = r10; r3 = 0; r4 = 0; call 181; ${END}`, `r1 = 10; r2 = 0; r3 = 0; r4 = 0; call 181; ${END}`, `r2 = f ll; r0 = *(u64 *)(r2 +0); exit; f: ${END}`, `r2 = f ll; r2 += 8; r1 = 1; r3 = 0; r4 = 0; call 181; ${END}; f: ${END}`, `r2 = f ll; r0 = r2; exit; f: ${END}`, `r2 = f ll; if r2 == 0 goto out; r0 = 1; exit; out: ${END}; f: ${END}`,
  ] // biome-ignore format: one line each
  for (const text of texts) yield feature('callback', text, { functions: described(text, {}) })
  for (const text of [loop('r0 = 0'), each('r0 = 0')]) yield feature('callback without BTF', text)
  for (const text of texts.slice(0, 24))
    yield feature('strict callback', text, { functions: described(text, {}), loader: 'bpf' })
  const global = loop('r0 = 0')
  yield feature('callback that is global', global, { functions: described(global, { f: { global: true, params: [], returns: 'scalar' } }) }) // biome-ignore format: one act
  const packet = `r7 = *(u32 *)(r1 +76); r8 = *(u32 *)(r1 +80); r2 = r7; r2 += 14; if r2 > r8 goto out; r9 = r1; r1 = 3; r2 = f ll; r3 = r10; r3 += -8; *(u64 *)(r10 -8) = r9; r4 = 0; call 181; r0 = *(u8 *)(r7 +0); out: ${END}; f: r1 = *(u64 *)(r2 +0); BODY; r0 = 0; exit`
  for (const body of ['r2 = 0; call 39', 'r0 = 0', 'r2 = 5; call 32']) {
    const text = packet.replace('BODY', body)
    yield feature('callback and packet', text, { functions: described(text, {}) }, 'sched_cls')
  }
}

const SCALAR: ParamDef = { kind: 'scalar' }
const CTX: ParamDef = { kind: 'ctx' }
const mem = (size: number, nullable = true): ParamDef => ({ kind: 'mem', size, nullable })
const global = (...params: ParamDef[]): FunctionProto => ({ global: true, params, returns: 'scalar' })

function* globals(): Generator<FeatureCase> {
  const rows: readonly [FunctionProto, string, string][] = []
  const add = (proto: FunctionProto, args: string, body: string) =>
    (rows as [FunctionProto, string, string][]).push([proto, args, body])
  for (const args of ['r1 = 5', 'r0 = 0', 'r1 = r10', 'call 7; r1 = r0', 'r1 = *(u32 *)(r1 +0)', 'call 7']) {
    add(global(SCALAR), args, 'r0 = r1')
    add(global(CTX), args, 'r0 = *(u32 *)(r1 +12)')
    add(global(mem(8)), args, 'r0 = 0; if r1 == 0 goto g; r0 = *(u64 *)(r1 +0); g: r0 += 1')
    add(global(mem(8, false)), args, 'r0 = *(u64 *)(r1 +0)')
  }
  for (const args of [
    'r1 = r10; r1 += -8', '*(u64 *)(r10 -8) = 1; r1 = r10; r1 += -8', 'r1 = r10; r1 += -4', 'r1 = r10; r1 += -16', 'r1 = r10', 'r1 = r10; r1 += -600', 'r1 = 0', 'r1 = 1', 'r1 = map[idx:5][0]+0', 'r1 = map[idx:5][0]+16', 'r1 = map[idx:5][0]+17', 'r1 = map[idx:0]', 'r1 = map[idx:8]',
    '*(u64 *)(r10 -16) = 1; r1 = map[idx:1]; r2 = r10; r2 += -16; call 1; r1 = r0', '*(u64 *)(r10 -16) = 1; r1 = map[idx:1]; r2 = r10; r2 += -16; call 1; r1 = r0; if r0 == 0 goto out', '*(u64 *)(r10 -16) = 1; r1 = map[idx:1]; r2 = r10; r2 += -16; call 1; r1 = r0; if r0 == 0 goto out; r1 += 44', 'r1 += 4', 'call 7; r0 &= 7; r1 = r10; r1 += -16; r1 += r0', 'call 7; r0 &= 15; r1 = r10; r1 += -16; r1 += r0',
    'r2 = *(u32 *)(r1 +0); r3 = *(u32 *)(r1 +4); r1 = r2; r2 += 8; if r2 > r3 goto out', 'r2 = *(u32 *)(r1 +0); r3 = *(u32 *)(r1 +4); r1 = r2; r2 += 7; if r2 > r3 goto out', 'r1 = *(u32 *)(r1 +4)', 'call 7; r6 = r0; r6 += 4; r1 = r0', '*(u64 *)(r10 -8) = r1; r1 = r10; r1 += -8',
  ]) {
    add(global(mem(8)), args, 'r0 = 0; if r1 == 0 goto g; r0 = *(u64 *)(r1 +0); *(u64 *)(r1 +0) = 3; g: r0 += 1')
    add(global(mem(8, false)), args, '*(u64 *)(r1 +0) = 3; r0 = 0')
    add(global(CTX), args, 'r0 = 0')
  } // biome-ignore format: one line each
  add(global(mem(8)), 'r1 = 0', 'r0 = *(u64 *)(r1 +0)')
  add(global(mem(8)), 'r1 = 0', 'if r1 != 0 goto g; r0 = 0; exit; g: r0 = *(u64 *)(r1 +8)')
  add(global(mem(8, false)), 'r1 = r10; r1 += -8', 'r0 = *(u32 *)(r1 +6)')
  add(global(mem(100, false)), 'r1 = r10; r1 += -104', 'r6 = r1; call 7; r0 &= 63; r6 += r0; r0 = *(u32 *)(r6 +32)')
  add(global(mem(100, false)), 'r1 = r10; r1 += -104', 'r6 = r1; call 7; r0 &= 127; r6 += r0; r0 = *(u8 *)(r6 +0)')
  for (const body of [
    'r0 = r10',
    'exit',
    'r0 = r1',
    'r0 = 0; r6 = r5',
    'r0 = *(u32 *)(r1 +0); r0 = *(u8 *)(r0 +0)',
    'r0 = *(u32 *)(r1 +200)',
    'r0 = 0; r1 = r2',
    '*(u32 *)(r10 -400) = 1; r0 = 0',
    'call f; r0 = 0',
  ])
    add(global(CTX), 'r6 = 0', body)
  add({ global: true, params: [], returns: 'void' }, 'r6 = 0', 'r0 = 0')
  add({ global: true, params: [], returns: 'other' }, 'r6 = 0', 'r0 = 0')
  add(global(SCALAR, SCALAR, SCALAR, SCALAR, SCALAR, SCALAR), 'r2 = 0; r3 = 0; r4 = 0; r5 = 0; r1 = 0', 'r0 = r5')
  add(global(SCALAR, SCALAR, SCALAR, SCALAR, SCALAR), 'r2 = 0; r3 = 0; r4 = 0; r5 = 0; r1 = 0', 'r0 = r5')
  for (const [i, [proto, args, body]] of rows.entries()) {
    const text = `r9 = r1; ${args}; call f; r0 = 0; out: r0 = 0; exit; f: ${body}; exit`
    yield feature(`global ${i}`, text, { functions: described(text, { f: proto }) })
    if (i % 3 === 0)
      yield feature(`strict global ${i}`, text, { functions: described(text, { f: proto }), loader: 'bpf' })
  }
  const two = `r9 = r1; r1 = 1; call f; r1 = 2; call g; exit; f: r0 = 1; r1 = 5; call g; exit; g: r0 = r1; r0 &= 7; exit`
  yield feature('two globals', two, { functions: described(two, { f: global(SCALAR), g: global(SCALAR) }) })
  const unsafe = two.replace('r0 = r1; r0 &= 7', 'r0 = *(u8 *)(r1 +0)')
  yield feature('two globals', unsafe, { functions: described(unsafe, { f: global(SCALAR), g: global(SCALAR) }) })
  const never = `r9 = r1; r0 = 0; if r0 == 0 goto out; call f; out: r0 = 0; exit; f: r0 = *(u8 *)(r5 +0); exit`
  yield feature('a global never called', never, { functions: described(never, { f: global(SCALAR) }) })
  const packet = `r9 = r1; r7 = *(u32 *)(r1 +76); r8 = *(u32 *)(r1 +80); r2 = r7; r2 += 14; if r2 > r8 goto out; r1 = r9; call f; r0 = *(u8 *)(r7 +0); out: ${END}; f: BODY; r0 = 0; exit`
  for (const body of ['r2 = 0; call 39', 'r0 = 0']) {
    const text = packet.replace('BODY', body)
    yield feature('global and packet', text, { functions: described(text, { f: global(CTX) }) }, 'sched_cls')
    yield feature('local and packet', text, { functions: described(text, {}) }, 'sched_cls')
  }
  const held = `${found(`${LOCK}; r1 = 0; call f; ${UNLOCK}`)}; f: r0 = 0; exit`
  for (const body of [`r1 = r0; call 94; ${END}`, END, `call 7; ${END}`, `r6 = r0; ${END}`]) {
    const text = `${found('r1 = r0; call f; r1 = r6; call 94')}; f: r6 = r1; call 93; r0 = r6; ${body}`
    yield feature('a lock taken by a function', text, { functions: described(text, {}), maps: LOCK_MAPS })
  }
  yield feature('global under a lock', held, { functions: described(held, { f: global(SCALAR) }), maps: LOCK_MAPS })
  yield feature('local under a lock', held, { functions: described(held, {}), maps: LOCK_MAPS })
}

const MORE_MAPS: readonly MapDef[] = [
  map('array_of_maps', 4, 4, { inner: INNER }), map('hash_of_maps', 4, 4, { inner: INNER }), map('devmap', 4, 4), map('cpumap', 4, 4), map('xskmap', 4, 4), map('lpm_trie', 8, 12, { flags: 1 }), map('lru_hash', 4, 8), map('percpu_hash', 4, 8), map('bloom_filter', 0, 4),
  map('stack', 0, 8), map('hash_of_maps', 4, 4, { inner: LOCKED }), map('sockmap', 4, 4), map('sockhash', 4, 4), map('cgroup_array', 4, 4), map('hash', 4, 8, { flags: 0x80 }), map('array', 4, 8, { maxEntries: 1, flags: 0x80 }),
] // biome-ignore format: one table

const KINDS: readonly MapDef[] = [map('hash', 4, 8), map('array', 4, 8), map('prog_array', 4, 4), map('perf_event_array', 4, 4), map('percpu_array', 4, 8), map('ringbuf', 0, 0, { maxEntries: 4096 }), map('queue', 0, 8), map('devmap_hash', 4, 4), map('lru_percpu_hash', 4, 8)] // biome-ignore format: one row

function* mapKinds(): Generator<FeatureCase> {
  const lookup = (index: number, use: string) =>
    `*(u64 *)(r10 -8) = 0; r6 = r1; r1 = map[idx:${index}]; r2 = r10; r2 += -8; call 1; ${use}; out: ${END}`
  const nested = (use: string) => `if r0 == 0 goto out; r1 = r0; r2 = r10; r2 += -8; call 1; ${use}`
  const uses = ['r0 = 0', 'if r0 == 0 goto out; r1 = *(u32 *)(r0 +0)', 'if r0 == 0 goto out; r1 = *(u32 *)(r0 +8)', 'r1 = *(u32 *)(r0 +0)', 'if r0 == 0 goto out; *(u32 *)(r0 +0) = 1', nested('if r0 == 0 goto out; r1 = *(u32 *)(r0 +12)'), nested('if r0 == 0 goto out; r1 = *(u64 *)(r0 +12)'), nested('r1 = *(u32 *)(r0 +0)')] // biome-ignore format: one row
  for (const [index] of MORE_MAPS.entries()) {
    for (const use of uses) yield feature('lookup', lookup(index, use), { maps: MORE_MAPS })
    for (const call of ['r3 = r10; r3 += -24; r4 = 0; call 2', 'call 3', 'r2 = 0; r3 = 0; call 51', 'r3 = r10; r3 += -24; r4 = 0; call 87', 'call 88', 'call 89', 'r3 = 0; call 195'])
      yield feature('map call', `*(u64 *)(r10 -8) = 0; *(u64 *)(r10 -24) = 0; *(u64 *)(r10 -16) = 0; r1 = map[idx:${index}]; r2 = r10; r2 += -8; ${call}; ${END}`, { maps: MORE_MAPS }) // biome-ignore format: one act
  }
  for (const [index] of [...MORE_MAPS, ...KINDS].entries()) {
    for (const use of ['*(u32 *)(r1 +0) = 1', 'r2 = *(u32 *)(r1 -4)', 'r1 += 4', 'r1 += 0'])
      yield feature('map struct', `r1 = map[idx:${index}]; ${use}; ${END}`, { maps: [...MORE_MAPS, ...KINDS] })
    yield feature('strict map struct', `r1 = map[idx:${index}]; r2 = *(u32 *)(r1 +0); ${END}`, { maps: [...MORE_MAPS, ...KINDS], loader: 'bpf' }) // biome-ignore format: one act
  }
  yield feature('lookup', lookup(11, 'if r0 == 0 goto out; r1 = r0; call 86'), { maps: MORE_MAPS })
  yield feature('a lock in an inner map', lookup(10, nested('if r0 == 0 goto out; r6 = r0; r1 = r6; call 93; r1 = r6; call 94')), { maps: MORE_MAPS }) // biome-ignore format: one act
  yield feature('a lock in an inner map', lookup(10, 'if r0 == 0 goto out; r7 = r0; r1 = r0; r2 = r10; r2 += -8; call 1; if r0 == 0 goto out; r8 = r0; r1 = r7; r2 = r10; r2 += -8; call 1; if r0 == 0 goto out; r9 = r0; r1 = r8; call 93; r1 = r9; call 94'), { maps: MORE_MAPS }) // biome-ignore format: one act
}

function* sockets(): Generator<FeatureCase> {
  const lookup = (use: string, tuple = 'r2 = r10; r2 += -16; r3 = 12', id = 84) =>
    `*(u64 *)(r10 -16) = 0; *(u64 *)(r10 -8) = 0; r6 = r1; ${tuple}; r4 = -1; r5 = 0; call ${id}; ${use}`
  const release = 'if r0 == 0 goto out; r1 = r0; call 86'
  const uses = [
    `${release}; out: ${END}`, END, `if r0 == 0 goto out; r1 = *(u32 *)(r0 +4); r1 = r0; call 86; out: ${END}`, `r1 = *(u32 *)(r0 +4); ${END}`, `${release}; r1 = *(u32 *)(r0 +4); out: ${END}`, `r7 = r0; ${release}; r1 = r7; call 86; out: ${END}`, `r7 = r0; if r0 == 0 goto out; r1 = r7; call 86; r1 = *(u32 *)(r7 +0); out: ${END}`,
    `r1 = r0; call 86; ${END}`, `if r0 == 0 goto out; r1 = r0; r1 += 4; call 86; out: ${END}`, `if r0 == 0 goto out; r0 += 4; r1 = *(u32 *)(r0 +0); out: ${END}`, `if r0 == 0 goto out; *(u32 *)(r0 +4) = 1; r1 = r0; call 86; out: ${END}`, `r1 = r6; call 86; ${END}`, `r1 = r10; call 86; ${END}`, `r1 = 0; call 86; ${release}; out: ${END}`,
    `*(u64 *)(r10 -24) = r0; if r0 == 0 goto out; r1 = *(u64 *)(r10 -24); call 86; out: ${END}`, `*(u64 *)(r10 -24) = r0; *(u64 *)(r10 -24) = 0; ${END}`, `if r0 != 0 goto in; ${END}; in: r1 = r0; call 86; ${END}`, `r7 = r0; r2 = map[idx:2]; r1 = r6; r3 = 0; call 12; r0 = r7; ${release}; out: ${END}`, `if r0 == 0 goto out; r7 = r0; call 7; r1 = r7; call 86; out: ${END}`,
    `if r0 == 0 goto out; r7 = r0; *(u64 *)(r10 -16) = 0; r2 = r10; r2 += -16; r3 = 12; r1 = r6; r4 = -1; r5 = 0; call 84; if r0 == 0 goto one; r1 = r0; call 86; one: r1 = r7; call 86; out: ${END}`, `if r0 == 0 goto out; call f; out: ${END}; f: r0 = 0; exit`, `if r0 == 0 goto out; r1 = r0; call f; out: ${END}; f: call 86; r0 = 0; exit`,
    `if r0 == 0 goto out; r7 = r0; r1 = r0; r2 = r6; r2 = *(u32 *)(r6 +0); call 7; r1 = r7; call 86; out: ${END}`, `if r0 == 0 goto out; r1 = 1; lock *(u64 *)(r0 +0) += r1; r1 = r0; call 86; out: ${END}`, `if r0 == 0 goto out; r7 = r0; if r7 > 5 goto +0; r1 = r7; call 86; out: ${END}`,
  ] // biome-ignore format: one line each
  for (const use of uses) {
    yield feature('tcp socket', lookup(use))
    yield feature('tcp socket', lookup(use), {}, 'sched_cls')
    yield feature('strict tcp socket', lookup(use), { loader: 'bpf' }, 'sched_cls')
  }
  yield feature('skc', lookup(`${release}; out: ${END}`, undefined, 99))
  yield feature('udp', lookup(`${release}; out: ${END}`, undefined, 85))
  const tc = (use: string) => lookup(`if r0 == 0 goto out; r7 = r0; ${use}; r1 = r7; call 86; out: ${END}`)
  for (const use of ['r1 = r7; call 95', 'r1 = r7; call 96; if r0 == 0 goto +1; r1 = *(u32 *)(r0 +0)', 'r1 = r7; call 96; r1 = *(u32 *)(r0 +0)', 'r1 = r7; call 98', 'r1 = r6; r2 = r7; r3 = 0; call 124', 'r1 = r7; call 96; if r0 == 0 goto +3; r1 = r0; call 86; goto out', 'r1 = r7; r2 = r10; r2 += -16; r3 = 16; r4 = r7; r5 = 20; call 100', 'r1 = r7; r2 = r7; call 124'])
    yield feature('socket', tc(use), {}, 'sched_cls') // biome-ignore format: one act
  yield feature('borrowed socket', `r1 = *(u64 *)(r1 +168); if r1 == 0 goto out; call 95; if r0 == 0 goto out; r1 = r0; call 86; out: ${END}`, {}, 'sched_cls') // biome-ignore format: one act
  yield feature('two objects', tc('r1 = map[idx:3]; r2 = 40; r3 = 0; call 131; if r0 == 0 goto no; r8 = r0; r1 = r7; r2 = r8; r3 = 20; r4 = r8; r5 = 20; call 100; r1 = r8; r2 = 0; call 132; no: r1 = 0'), {}, 'sched_cls') // biome-ignore format: one act
  yield feature('size of tuple', lookup(`${release}; out: ${END}`, 'r2 = r10; r2 += -16; r3 = 17'))
  yield feature('size of tuple', lookup(`${release}; out: ${END}`, 'r2 = r1; r3 = 12'))
}

function* records(): Generator<FeatureCase> {
  const reserve = (use: string, size = 'r2 = 16', flags = 'r3 = 0') =>
    `r6 = r1; r1 = map[idx:3]; ${size}; ${flags}; call 131; ${use}; out: ${END}`
  for (const use of [
    'if r0 == 0 goto out; r1 = r0; r2 = 0; call 132', 'if r0 == 0 goto out; r1 = r0; r2 = 0; call 133', 'r1 = r0; r2 = 0; call 132', 'if r0 == 0 goto out', 'if r0 == 0 goto out; *(u64 *)(r0 +8) = 1; r1 = r0; r2 = 0; call 132', 'if r0 == 0 goto out; *(u64 *)(r0 +9) = 1; r1 = r0; r2 = 0; call 132', 'if r0 == 0 goto out; r1 = r0; r1 += 8; r2 = 0; call 132', 'if r0 == 0 goto out; r1 = r0; r1 += -8; r2 = 0; call 132',
    'if r0 == 0 goto out; r7 = r0; call 7; r0 &= 7; r1 = r7; r1 += r0; r2 = 0; call 132', 'if r0 == 0 goto out; r7 = r0; call 7; r0 &= 7; r8 = r7; r8 += r0; *(u8 *)(r8 +8) = 1; r1 = r7; r2 = 0; call 132', 'if r0 == 0 goto out; r7 = r0; r1 = r0; r2 = 0; call 132; *(u64 *)(r7 +0) = 1', 'if r0 == 0 goto out; r7 = r0; *(u64 *)(r7 +0) = r6; r1 = r7; r2 = 0; call 132', 'if r0 == 0 goto out; r7 = r0; r1 = r0; r2 = r7; call 132',
    'if r0 == 0 goto out; r7 = r0; r1 = map[idx:3]; r2 = r7; r3 = 16; r4 = 0; call 130; r1 = r7; r2 = 0; call 133', 'if r0 == 0 goto out; r7 = r0; r1 = 1; lock *(u64 *)(r7 +0) += r1; r1 = r7; r2 = 0; call 132', 'if r0 == 0 goto out; r7 = r0; r1 = r6; r2 = 0; r3 = r7; r4 = 16; call 26; r1 = r7; r2 = 0; call 132',
  ]) {
    yield feature('record', reserve(use), {}, 'sched_cls')
    yield feature('strict record', reserve(use), { loader: 'bpf' }, 'sched_cls')
  } // biome-ignore format: one line each
  for (const size of [
    'r2 = 0',
    'r2 = -1',
    'call 7; r1 = map[idx:3]; r2 = r0',
    'r2 = 5000',
    'r2 = r10',
    'call 7; r1 = map[idx:3]; r2 = r0; if r2 != 8 goto out',
  ])
    yield feature('record', reserve('if r0 == 0 goto out; r1 = r0; r2 = 0; call 132', size))
  yield feature('two records', reserve('if r0 == 0 goto out; r7 = r0; r1 = map[idx:3]; r2 = 8; r3 = 0; call 131; if r0 == 0 goto out; r1 = r0; r2 = 0; call 132; r1 = r7; r2 = 0; call 132')) // biome-ignore format: one act
}

const typed = (name: string, text: string, type: ProgTypeName = 'xdp') => feature(name, text, { functions: described(text, {}) }, type) // biome-ignore format: one act

function* others(): Generator<FeatureCase> {
  for (const text of [
    `r6 = 0; top: r6 += 1; may_goto +1; goto top; ${END}`, `r6 = 0; top: may_goto out; r6 += 1; goto top; out: ${END}`, `r6 = r10; top: may_goto out; r6 += -1; *(u8 *)(r6 +0) = 1; goto top; out: ${END}`, `r6 = 0; top: may_goto out; r6 += 1; if r6 > 100 goto out; goto top; out: ${END}`, `top: may_goto out; call 7; if r0 == 3 goto out; goto top; out: ${END}`, `may_goto +0; ${END}`,
    `r6 = 1; top: may_goto out; r6 <<= 1; r7 = r10; r7 += -8; *(u64 *)(r7 +0) = r6; goto top; out: ${END}`, `r6 = 0; top: may_goto out; r7 = 0; in: may_goto next; r7 += 1; goto in; next: r6 += 1; goto top; out: ${END}`, `r6 = r1; top: may_goto out; r1 = *(u32 *)(r6 +0); r6 = r1; goto top; out: ${END}`, `*(u64 *)(r10 -8) = 0; top: may_goto out; r1 = *(u64 *)(r10 -8); r1 += 1; *(u64 *)(r10 -8) = r1; goto top; out: ${END}`,
  ])
    for (const loader of ['root', 'bpf'] as const) yield feature(loader === 'bpf' ? 'strict may_goto' : 'may_goto', text, { loader }) // biome-ignore format: one line each
  for (const license of ['GPL', 'Proprietary', 'Dual BSD/GPL', 'GPL v2', 'MIT'])
    yield feature(`licence ${license}`, `*(u64 *)(r10 -8) = 0; r1 = r10; r1 += -8; r2 = 8; call 6; ${END}`, { license })
  for (const attach of ['ingress', 'egress'] as const)
    for (const r0 of [-1, 0, 1, 2, 3, 4]) yield feature(attach, `r0 = ${r0}; exit`, { attach }, 'cgroup_skb')
  for (const added of [-1887727597, -536870912, -536870911, 536870911, 536870912])
    for (const sum of ['r2 = r10; r2 += r1', 'r1 += r10', 'r2 = r10; r2 -= r1'])
      yield feature('a linked number', `call 7; r1 = r0; r1 += ${added}; if r1 s> 39 goto out; if r1 s< 0 goto out; ${sum}; out: ${END}`) // biome-ignore format: one act
  const tail = 'r2 = map[idx:2]; r3 = 0; call 12'
  for (const below of [200, 232, 248, 256, 264, 300])
    yield typed('tail call below', `*(u64 *)(r10 -${Math.ceil(below / 8) * 8}) = 0; call f; exit; f: ${tail}; ${END}`)
  yield typed(
    'tail call from a function',
    `*(u64 *)(r10 -8) = 0; call f; exit; f: *(u64 *)(r10 -400) = 0; ${tail}; ${END}`,
  )
  yield feature('tail call from an untyped function', `call f; exit; f: ${tail}; ${END}`)
  yield typed('packet load in a function', `call f; exit; f: r6 = r1; r0 = *(u8 *)skb[0]; ${END}`, 'sched_cls')
  yield feature(
    'packet load in an untyped function',
    `call f; exit; f: r6 = r1; r0 = *(u8 *)skb[0]; ${END}`,
    {},
    'sched_cls',
  )
  yield feature(
    'two kinds at one place',
    `r9 = r1; call 7; r2 = r10; if r0 == 0 goto +1; r2 = r9; r3 = *(u32 *)(r2 -8); ${END}`,
  )
  yield feature(
    'two kinds at one place',
    `r9 = r1; *(u64 *)(r10 -16) = 0; call 7; r2 = r10; r2 += -16; if r0 == 0 goto +1; r2 = r9; r3 = *(u32 *)(r2 +12); ${END}`,
  )
  yield feature(
    'two kinds at one place',
    `r9 = r1; *(u64 *)(r10 -16) = 0; call 7; r2 = r10; r2 += -16; if r0 == 0 goto +1; r2 = map[idx:5][0]+0; r3 = *(u32 *)(r2 +12); ${END}`,
  )
  for (const text of [
    'r1 = map[idx:5][0]+536870912',
    'r1 = map[idx:5][0]+23',
    'r1 = map[idx:5][0]+24',
    'r1 = map[idx:1][0]+0',
    'r1 = map[idx:0][0]+0',
  ])
    yield feature('map address', `${text}; ${END}`)
  for (const text of [
    'r2 = r1; r2 += -4; r3 = *(u32 *)(r2 +16)', 'r1 += -8; r2 = r10; r2 += -8; r3 = 4; call 26', 'r1 += 8; r2 = 0; r3 = r10; r3 += -8; r4 = 8; call 26', 'call 7; r6 = r0; r6 &= 7; r1 += r6', 'r9 = r1; call 7; r0 &= 7; r9 += r0; r1 = *(u32 *)(r9 +0)', 'r9 = r1; call 7; r1 = r9; r2 = 0; r3 = r10; r3 += r0; r4 = 8; call 26', 'r9 = r1; call 7; r1 = r10; r1 += r0; *(u8 *)(r1 +0) = 1',
    'r9 = r1; call 7; r0 <<= 32; r1 = r10; r1 += r0; *(u8 *)(r1 +0) = 1', 'r9 = r1; call 7; r0 &= 0x7fffffff; r1 = r10; r1 += r0; r1 += r0', 'r1 = -536870911; r2 = r10; r2 += r1; r2 += r1; *(u8 *)(r2 +0) = 1', 'r9 = r1; call 7; r0 |= 0x40000000; r1 = r10; r1 += r0', 'r2 = 8 ; r2 = -r2; *(u64 *)(r10 -8) = r2', 'r9 = r1; call 7; w0 = w0; r1 = r10; r1 += r0; *(u8 *)(r1 -8) = 1', 'r9 = r1; call 7; w0 = w0; r1 = r10; r1 += r0; r2 = *(u8 *)(r1 -8)', '*(u64 *)(r10 -8) = 0; r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = r10; r4 += -20; call 105', 'r1 = r10; r2 = 8; r3 = 0; r4 = r10; r4 += -12; call 105', 'r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = r10; r4 += -8; call 105', 'r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = r10; r4 += -4; call 105',
    'r6 = r1; r2 = 0; r3 = r10; r3 += -8; r4 = 4294967295 ll; call 26', 'r6 = r1; call 7; r4 = r0; r1 = r6; r2 = 0; r3 = r10; r3 += -8; r4 <<= 4; call 26', 'r6 = r1; r7 = *(u32 *)(r1 +76); r8 = *(u32 *)(r1 +80); r2 = r7; r2 += 8; if r2 > r8 goto +6; r1 = r6; r2 = 0; r3 = r7; r4 = 8; call 26; r0 = 0', 'r6 = r1; r2 = 0; r3 = r1; r4 = 8; call 26',
  ])
    for (const type of ['sched_cls', 'cgroup_skb'] as const) yield feature('odd', `${text}; ${END}`, {}, type) // biome-ignore format: one line each
  const packet = (body: string) =>
    `r7 = *(u32 *)(r1 +76); r8 = *(u32 *)(r1 +80); r2 = r7; r2 += 40; if r2 > r8 goto out; ${body}; out: ${END}`
  for (const body of ['*(u8 *)(r7 +0) = 1', 'r3 = *(u16 *)(r7 +12)', 'r3 = *(u32 *)(r7 +14)', 'r3 = *(u32 *)(r7 +16)', 'r3 = *(u64 *)(r7 +6)', 'r3 = *(u64 *)(r7 +14)', 'r3 = *(u16 *)(r7 +13)', 'call 7; r0 &= 4; r7 += r0; r2 = r7; r2 += 20; if r2 > r8 goto out; r3 = *(u32 *)(r7 +2)', 'call 7; r0 &= 7; r7 += r0; r2 = r7; r2 += 20; if r2 > r8 goto out; r3 = *(u32 *)(r7 +2)'])
    for (const strictAlignment of [false, true]) for (const type of ['sched_cls', 'cgroup_skb'] as const) yield feature(strictAlignment ? 'aligned' : 'packet', packet(body), { strictAlignment }, type) // biome-ignore format: one act
  for (const body of [
    'r1 = *(u32 *)(r10 -6)',
    'r1 = *(u64 *)(r1 +4)',
    'r1 = *(u32 *)(r1 +2)',
    'r1 = map[idx:5][0]+2; r1 = *(u32 *)(r1 +0)',
    'r1 = map[idx:5][0]+4; r1 = *(u32 *)(r1 +0)',
    'r1 = map[idx:5][0]+4; r1 = *(u64 *)(r1 +0)',
    'r1 = *(u64 *)(r1 +168); if r1 == 0 goto +1; r1 = *(u32 *)(r1 +2)',
  ])
    yield feature('aligned', `${body}; ${END}`, { strictAlignment: true }, 'sched_cls')
}

const STRICT: readonly string[] = [
  'r0 = r1; exit', 'r0 = *(u64 *)(r10 -8); r0 = 0; exit', '*(u8 *)(r10 -1) = 1; r0 = *(u64 *)(r10 -8); r0 = 0; exit', 'w1 = w1; r0 = 0; exit', 'r2 = (s32)r1; r0 = 0; exit', 'w2 = (s8)w1; r0 = 0; exit', '*(u64 *)(r10 -8) = r1; *(u32 *)(r10 -8) = 1; r0 = 0; exit', 'r1 = -r1; r0 = 0; exit', 'r1 = be16 r1; r0 = 0; exit', 'r2 = r10; r2 -= r1; r0 = 0; exit', 'w1 -= 1; r0 = 0; exit', 'if r1 > 5 goto +0; r0 = 0; exit', 'if r1 == 0 goto +0; r0 = 0; exit', 'if r1 == r10 goto +0; r0 = 0; exit', 'r2 = 5; if r2 > r1 goto +0; r0 = 0; exit',
  'r2 = map[idx:5][0]+0; *(u64 *)(r2 +0) = r1; r0 = 0; exit', '*(u64 *)(r10 -8) = r1; r2 = 1; lock *(u64 *)(r10 -8) += r2; r0 = 0; exit', '*(u64 *)(r10 -8) = 1; lock *(u64 *)(r10 -8) += r1; r0 = 0; exit', 'r0 = r1; r2 = 1; *(u64 *)(r10 -8) = 1; r0 = atomic64_cmpxchg((u64 *)(r10 -8), r0, r2); r0 = 0; exit', 'call 7; r0 &= 7; r2 = r10; r2 += r0; *(u8 *)(r2 -8) = 1; r0 = 0; exit', 'call 7; r2 = r10; r2 += -8; r2 += r0; r0 = 0; exit', 'r2 = r10; r2 += -520; r0 = 0; exit', 'r2 = r10; r2 += 8; r0 = 0; exit',
  'r3 = 8; r2 = r10; r2 += -16; r2 += r3; *(u8 *)(r2 +0) = 1; r0 = 0; exit', 'r3 = -8; r2 = r10; r2 += r3; *(u8 *)(r2 +0) = 1; r0 = 0; exit', 'r3 = -600; r2 = r10; r2 += r3; r0 = 0; exit', 'call 7; r3 = -8; if r0 == 0 goto +1; r3 = -16; r2 = r10; r2 += r3; r0 = 0; exit', 'r2 = map[idx:5][0]+0; call 7; r0 &= 7; r2 = map[idx:5][0]+0; r2 += r0; r1 = *(u8 *)(r2 +0); r0 = 0; exit', 'call 7; r0 &= 31; r2 = map[idx:5][0]+0; r2 += r0; r0 = 0; exit', 'call 7; r2 = map[idx:5][0]+0; r2 += r0; r0 = 0; exit', 'call 7; r2 = map[idx:5][0]+0; r0 s>>= 60; r2 += r0; r0 = 0; exit',
  'call 7; r0 &= 7; r2 = map[idx:5][0]+16; r2 -= r0; r1 = *(u8 *)(r2 +0); r0 = 0; exit', 'call 7; r0 &= 7; r2 = map[idx:5][0]+4; r2 -= r0; r1 = *(u8 *)(r2 +0); r0 = 0; exit', 'call 7; r6 = r0; r6 &= 3; if r0 == 0 goto a; r2 = map[idx:5][0]+4; goto b; a: r2 = map[idx:5][0]+8; b: r2 += r6; r1 = *(u8 *)(r2 +0); r0 = 0; exit', 'call 7; r0 &= 3; r2 = map[idx:5][0]+4; r0 += r2; r1 = *(u8 *)(r0 +0); r0 = 0; exit', 'call 7; r0 &= 3; r2 = *(u32 *)(r1 +0); r0 = 0; exit', 'r7 = *(u32 *)(r1 +0); call 7; r0 &= 3; r7 += r0; r0 = 0; exit', 'r7 = *(u32 *)(r1 +0); r8 = *(u32 *)(r1 +4); r2 = r7; r2 += 14; if r2 > r8 goto out; r3 = *(u8 *)(r7 +13); out: r0 = 0; exit',
  'r7 = *(u32 *)(r1 +0); r8 = *(u32 *)(r1 +4); r8 -= r7; r0 = 0; exit', 'r7 = *(u32 *)(r1 +0); r8 = *(u32 *)(r1 +4); if r8 == r7 goto +0; r0 = 0; exit', 'r7 = *(u32 *)(r1 +0); *(u64 *)(r7 +0) = r1; r0 = 0; exit', 'r2 = 0; if r2 == 0 goto +1; r0 = *(u8 *)(r2 +0); r0 = 0; exit', '*(u64 *)(r10 -8) = r10; r2 = 0; if r2 == 0 goto +2; r3 = *(u64 *)(r10 -8); r3 = *(u8 *)(r3 -600); r0 = 0; exit', 'r6 = 0; top: r6 += 1; if r6 < 3 goto top; r0 = 0; exit', 'call 7; r6 = r0; top: r6 += 1; if r6 < 3 goto top; r0 = 0; exit', '*(u64 *)(r10 -8) = 1; call 7; r0 &= 7; r2 = r10; r2 += r0; r3 = *(u8 *)(r2 -8); r0 = 0; exit',
  'r3 = 8; r2 = r10; r2 += -512; r2 += r3; r0 = 0; exit', 'r3 = 8; r2 = r10; r2 += -512; r2 -= r3; r0 = 0; exit', 'r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = r10; r4 += -16; call 105; r0 = 0; exit', '*(u64 *)(r10 -8) = r1; r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = r10; r4 += -16; call 105; r0 = 0; exit', '*(u32 *)(r10 -8) = 0; r1 = map[idx:0]; r2 = r10; r2 += -4; call 1; r0 = 0; exit', '*(u8 *)(r10 -8) = 0; r1 = map[idx:0]; r2 = r10; r2 += -8; call 1; r0 = 0; exit', 'r9 = r1; call 7; r0 &= 7; r2 = r10; r2 += -16; r2 += r0; r1 = map[idx:0]; call 1; r0 = 0; exit', 'r1 = r10; call 118; r2 = r10; call 5; r1 = r10; r0 = 0; exit', 'r2 = r1; r3 = r1; call 23; r0 = 0; exit',
] // biome-ignore format: one line each

function* strict(): Generator<FeatureCase> {
  for (const text of STRICT) {
    yield feature('strict', text, { loader: 'bpf' })
    yield feature('as strict', text)
  }
}

/** Programs that run into the verifier's own limits. */
function* limits(): Generator<FeatureCase> {
  const big = (name: string, build: (c: Code) => void): FeatureCase => {
    const c = new Code()
    build(c)
    c.mov(0, 0)
    c.exit()
    return { name, type: 'xdp', text: '', bytes: encode(c.layout()), options: {} }
  }
  yield big('more than 1,000,000 instructions to process', (c) => {
    const top = c.label()
    c.mov(6, 0)
    c.bind(top)
    c.alu('add', 6, 1)
    c.jump('jlt', 6, 600_000, top)
  })
  yield big('9,000 jumps put off', (c) => {
    c.call(7)
    const out = c.label()
    for (let i = 0; i < 9000; i++) c.jump('jeq', 0, i, out)
    c.bind(out)
  })
  yield big('257 functions', (c) => {
    const labels = Array.from({ length: 257 }, () => c.label())
    for (const label of labels) c.emit('call_local', {}, label)
    c.mov(0, 0)
    c.exit()
    for (const label of labels) {
      c.bind(label)
      c.mov(0, 0)
      c.exit()
    }
  })
  const call = (imm: number) => ({ name: `call of slot ${imm + 1}`, type: 'xdp' as const, text: '', bytes: raw([[0x85, 0, 1, 0, imm], [0xb7], [0x95]]), options: {} }) // biome-ignore format: one act
  yield* [-3, -1, 5, 70000].map(call)
  yield { name: 'exit by register', type: 'xdp', text: '', bytes: raw([[0xb7], [0x95, 0, 3]]), options: {} }
  yield { name: 'exit with offset', type: 'xdp', text: '', bytes: raw([[0xb7], [0x95, 0, 0, 1]]), options: {} }
  yield { name: 'map value far away', type: 'xdp', text: '', bytes: raw([[0x18, 1, 6, 0, 5], [0, 0, 0, 0, 1 << 29], [0xb7], [0x95]]), options: {} } // biome-ignore format: one act
  const deep = (levels: number) =>
    `${Array.from({ length: levels }, (_, i) => `call f${i}; exit; f${i}: `).join('')}${END}`
  for (const levels of [6, 7, 8, 9]) yield feature(`${levels} calls deep`, deep(levels))
  // Found by chance: the kernel goes back to a state whose stack has no such slot yet.
  yield feature('a slot read that one way has not got', `r6 = r1; r7 = *(u32 *)(r6 +0); r8 = *(u32 *)(r6 +4); call 125; r2 = r7; r2 += 2; if r8 < r2 goto +1; *(u64 *)(r10 -32) = r0; w0 s%= w0; w0 = 1909295387; r0 %= r0; r9 = *(u32 *)(r6 +16); r2 = r7; r2 += 20; if r2 >= r8 goto +4; *(u64 *)(r10 -56) = -529; *(u64 *)(r10 -40) = r10; w0 = -w0; r0 ^= 4096; r2 = *(u64 *)(r10 -32); r0 s%= r0; if r2 s< 56 goto +1; r2 = 38; if r2 s>= 0 goto +1; r2 = 0; r4 = r7; r4 += r2; r3 = r4; r3 += 11; if r3 > r8 goto +1; r3 = *(u16 *)(r4 +7); r0 = 1; exit`) // biome-ignore format: one line
  for (const text of [
    `r1 = 0; r2 = f ll; r3 = 0; r4 = 0; call 181; call g; exit; g: ${END}; f: ${END}`,
    `r1 = 0; r2 = f ll; r3 = 0; r4 = 0; call 181; call g; exit; f: ${END}; g: ${END}`,
    `r1 = 0; r2 = f ll; r3 = 0; r4 = 0; call 181; ${END}; f: ${END}`,
  ])
    yield feature('a callback never entered', text, { functions: described(text, {}) })
  const recursive = `r9 = r1; r1 = 0; call f; exit; f: call g; exit; g: r0 = 0; if r0 == 0 goto +1; call f; r0 = 0; exit`
  yield feature('recursion never reached', recursive)
  const loop = 'r9 = r1; call f; exit; f: call g; r0 = 0; exit; g: call f; r0 = 0; exit'
  yield feature('globals that call each other', loop, { functions: described(loop, { f: global(), g: global() }) })
}

/** What may be null is passed on or used before it is compared. */
function* unchecked(): Generator<FeatureCase> {
  const value = (use: string) => `*(u64 *)(r10 -8) = 0; r1 = map[idx:0]; r2 = r10; r2 += -8; call 1; ${use}; ${END}`
  for (const use of [
    'r1 = r0; call 93',
    'r1 = r0; r2 = r10; r2 += -8; call 1',
    'r1 = r0; r2 = 0; call 132',
    'r1 = r0; call 86',
  ])
    yield feature('a value not compared', value(use), { maps: LOCK_MAPS }, 'sched_cls')
  const record = (use: string) => `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; ${use}; ${END}`
  for (const use of [
    '*(u64 *)(r0 +0) = 1',
    'r1 = *(u8 *)(r0 +8)',
    'r1 = r0; r2 = 0; call 132',
    'r0 += 8',
    'r1 = r0; call 93',
  ])
    yield feature('a record not compared', record(use))
}

export function* features(): Generator<FeatureCase> {
  for (const family of [locks, callbacks, globals, mapKinds, sockets, records, others, unchecked, strict, limits])
    yield* family()
}
