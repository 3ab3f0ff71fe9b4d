// Dynamic pointers: what bpf_dynptr_from_skb, bpf_dynptr_size and bpf_dynptr_read give for a packet of 60 bytes, as Linux 6.18 gave it in test runs.

import { Code, HELPERS, KFUNCS } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

const PACKET = new Uint8Array(60).fill(0x11)

/** A program that makes a dynamic pointer at fp-16, has 7 in the eight bytes at fp-80, and does `more`. */
function program(flags: number, more: (c: Code) => void): Code {
  const c = new Code()
  c.mov(6, { reg: 1 })
  c.mov(0, 7)
  c.store(8, 10, -80, { reg: 0 })
  c.mov(1, { reg: 6 })
  c.mov(2, flags)
  c.mov(3, { reg: 10 })
  c.alu('add', 3, -16)
  c.callKernel(KFUNCS.bpf_dynptr_from_skb.id)
  more(c)
  c.exit()
  return c
}

const size = (c: Code): void => {
  c.mov(1, { reg: 10 })
  c.alu('add', 1, -16)
  c.callKernel(KFUNCS.bpf_dynptr_size.id)
}

const read =
  (length: number, offset: number, flags = 0) =>
  (c: Code): void => {
    c.mov(1, { reg: 10 })
    c.alu('add', 1, -80)
    c.mov(2, length)
    c.mov(3, { reg: 10 })
    c.alu('add', 3, -16)
    c.mov(4, offset)
    c.mov(5, flags)
    c.call(HELPERS.dynptr_read.id)
  }

const [EINVAL, E2BIG] = [-22 >>> 0, -7 >>> 0]

describe.each(['interpreter', 'jit'] as const)('%s', (engine) => {
  const r0 = (code: Code, type: 'sched_cls' | 'netfilter' = 'sched_cls') => load(code.layout(), { type, engine }).run(PACKET).r0 // biome-ignore format: one act

  test.each([
    ['made', 0, () => {}, 0],
    ['made with flags', 1, () => {}, EINVAL],
    ['size', 0, size, 60],
    ['size of none', 1, size, EINVAL],
    ['the first bytes', 0, read(20, 0), 0],
    ['the last bytes', 0, read(20, 40), 0],
    ['past the end', 0, read(20, 41), E2BIG],
    ['behind it', 0, read(20, 60), E2BIG],
    ['nothing at the end', 0, read(0, 60), 0],
    ['nothing behind it', 0, read(0, 61), E2BIG],
    ['an offset below 0', 0, read(8, -1), E2BIG],
    ['with flags', 0, read(20, 0, 1), EINVAL],
    ['of none', 1, read(20, 0), EINVAL],
  ] as const)('%s', (_, flags, more, expected) => {
    expect(r0(program(flags, more)) >>> 0).toBe(expected)
  })

  const left =
    (before: (c: Code) => void) =>
    (c: Code): void => {
      before(c)
      c.load(8, 0, 10, -80)
    }
  test('what cannot be read leaves the memory alone', () => {
    expect(r0(program(0, left(read(8, 60))))).toBe(7)
    expect(r0(program(0, left(read(4, 0))))).toBe(0x11111111)
  })

  test('bytes that are no dynamic pointer, and functions without a number, are faults', () => {
    const bare = (body: (c: Code) => void) => {
      const c = new Code()
      body(c)
      c.exit()
      return load(c.layout(), { type: 'sched_cls', engine }).run(PACKET).fault?.reason
    }
    const stored = (c: Code): void => {
      c.mov(0, 5)
      c.store(8, 10, -16, { reg: 0 })
      c.store(8, 10, -8, { reg: 0 })
      size(c)
    }
    expect(bare(stored)).toMatch(/^r1 is no dynamic pointer/)
    expect(bare((c) => c.callKernel(63866))).toMatch(/^a kernel function that is not known here/)
    expect(bare((c) => c.callKernel(-77))).toMatch(/^a kernel function that is not known here/)
    expect(bare((c) => c.call(-1))).toMatch(/^there is no helper/)
    const fromNumber = (c: Code): void => {
      c.mov(1, 0)
      c.callKernel(KFUNCS.bpf_dynptr_from_skb.id)
    }
    expect(bare(fromNumber)).toMatch(/^r1 is no socket buffer/)
  })
})

describe('netfilter', () => {
  test.each(['interpreter', 'jit'] as const)(
    'the context tells the hook and the family, nothing else, %s',
    (engine) => {
      const frame = (type: number) => new Uint8Array(60).fill(type >> 8, 12, 13).fill(type & 0xff, 13, 14)
      const state = (offset: number) => {
        const c = new Code()
        c.load(8, 2, 1, 0)
        c.load(1, 0, 2, offset)
        c.exit()
        return load(c.layout(), { type: 'netfilter', engine })
      }
      expect([0x0800, 0x86dd, 0x0806].map((type) => state(1).run(frame(type)).r0)).toEqual([2, 10, 0])
      expect(state(0).run(frame(0x0800), { hook: 3 }).r0).toBe(3)
      expect(state(48).run(frame(0x0800)).fault?.reason).toMatch(/^out of nf_hook_state by 1 byte/)
      const skb = new Code()
      skb.load(8, 2, 1, 8)
      skb.load(4, 0, 2, 112)
      skb.exit()
      expect(load(skb.layout(), { type: 'netfilter', engine }).run(frame(0x0800)).fault?.kind).toBe('no-region')
    },
  )
})
