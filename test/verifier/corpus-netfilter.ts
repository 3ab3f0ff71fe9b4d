// Programs of netfilter: their context, dynamic pointers to the packet, the kernel functions that make them, and what they may return.

import { type FeatureCase, feature } from './corpus-features.ts'
import { type CaseOptions, END } from './corpus-kit.ts'

const one = (name: string, text: string, options: CaseOptions = {}) => feature(`netfilter ${name}`, text, options, 'netfilter') // biome-ignore format: one act

const FROM_SKB = 'r6 = r1; r1 = *(u64 *)(r6 +8); r2 = 0; r3 = r10; r3 += -16; call bpf_dynptr_from_skb#-1'
const READ = 'r1 = r10; r1 += -56; r2 = 20; r3 = r10; r3 += -16; r4 = 0; r5 = 0; call 201'

export function* netfilter(): Generator<FeatureCase> {
  for (const r0 of [
    'r0 = -1',
    'r0 = 0',
    'r0 = 1',
    'r0 = 2',
    'call 7',
    'call 7; r0 &= 1',
    'call 7; w0 &= 3',
    'r0 = r1',
    'r0 = r10',
  ])
    yield one('return', `${r0}; exit`)
  for (const access of [
    'r2 = *(u64 *)(r1 +0)', 'r2 = *(u64 *)(r1 +8)', 'r2 = *(u64 *)(r1 +16)', 'r2 = *(u32 *)(r1 +0)', 'r2 = *(u8 *)(r1 +8)', 'r2 = *(u64 *)(r1 +4)', 'r2 = *(u64 *)(r1 -8)',
    '*(u64 *)(r1 +0) = 0', '*(u64 *)(r1 +8) = r10', 'r2 = *(u64 *)(r1 +8); *(u64 *)(r10 -8) = r2; r3 = *(u64 *)(r10 -8)', 'r2 = *(u64 *)(r1 +0); r3 = *(u8 *)(r2 +0)',
    'r2 = *(u64 *)(r1 +0); r3 = *(u8 *)(r2 +1); if r3 == 2 goto +1; r3 = 0', 'r0 = *(u8 *)skb[0]',
  ])
    yield one('context', `${access}; ${END}`) // biome-ignore format: one line each
  for (const helper of [1, 5, 7, 8, 12, 25, 26, 34, 68, 160, 201, 203]) yield one('helper', `call ${helper}; ${END}`)
  for (const text of [
    READ, 'r1 = *(u8 *)(r10 -47)', READ.replace('r2 = 20', 'r2 = 0'), READ.replace('r2 = 20', 'r2 = -1'), READ.replace('r2 = 20', 'r2 = 57'), READ.replace('r2 = 20', 'call 7; r2 = r0'),
    READ.replace('r4 = 0', 'r4 = 4294967295 ll'), READ.replace('r5 = 0', 'r5 = 1'), READ.replace('r3 += -16', 'r3 += -24'), READ.replace('r3 += -16', 'r3 += -8'), READ.replace('r3 += -16', 'r3 += -14'), READ.replace('r3 = r10; r3 += -16', 'r3 = 0'),
    READ.replace('r3 = r10; r3 += -16', 'r3 = r6'), READ.replace('r1 = r10; r1 += -56', 'r1 = r6'), READ.replace('r1 = r10; r1 += -56', 'r1 = 0'), READ.replace('; r5 = 0', ''),
    `${READ}; if r0 != 0 goto out; r1 = *(u8 *)(r10 -47); if r1 != 6 goto out; r2 = 1; out: r0 = 1`,
    `r7 = 8; top: ${READ}; r7 += -1; if r7 != 0 goto top`, `call 7; if r0 == 0 goto +1; r6 = 1; ${READ}`, 'r1 = r10; r1 += -16; call bpf_dynptr_size#-2', 'r1 = r10; r1 += -16; call bpf_dynptr_size#-2; r2 = r0; r3 = *(u64 *)(r6 +0); r4 = *(u8 *)(r3 +1); r2 += r4',
  ]) {
    yield one('dynptr', `${FROM_SKB}; ${text}; ${END}`)
  } // biome-ignore format: one line each
  yield one('no dynptr', `*(u64 *)(r10 -8) = 0; *(u64 *)(r10 -16) = 0; ${READ}; ${END}`)
  yield one('dynptr on one way', `r9 = r1; call 7; r1 = r9; if r0 == 0 goto next; ${FROM_SKB}; next: ${READ}; ${END}`)
  for (const type of ['xdp', 'sched_cls', 'cgroup_skb', 'socket_filter'] as const) {
    yield feature(
      'dynptr',
      `r6 = r1; r2 = 0; r3 = r10; r3 += -16; call bpf_dynptr_from_skb#-1; ${READ}; ${END}`,
      {},
      type,
    )
  }
  yield one('free licence', `${FROM_SKB}; ${END}`, { license: 'Proprietary' })
}
