// `walk`: the loop over headers that libpcap's `protochain` makes. The verifier follows it because it counts.

import type { Label } from '@netsieve/asm'
import { MOST_WALKED, type Term, WALKED } from '@netsieve/ir'
import { IPPROTO } from '@netsieve/packet'
import { MAX_OFFSET } from './access.ts'
import { forget } from './dispatch.ts'
import { R } from './emitter.ts'
import { SLOT } from './path.ts'
import { reach } from './reach.ts'
import type { Bits, Failures, Scope } from './scope.ts'
import { number } from './terms.ts'

/** R.A = the protocol number that the walk ends at. Takes two spill slots: for that number and for the count. */
export function walkHeaders(scope: Scope, term: Term & { kind: 'walk' }, failures: Failures, depth: number): void {
  const { e } = scope
  const { family, net, until } = term
  const [type, count] = [SLOT.spill - 8 * depth, SLOT.spill - 8 * (depth + 1)]
  const [again, extension, ah, next, done] = ['again', 'extension', 'ah', 'next', 'done'].map((name) => e.label(name)) as [Label, Label, Label, Label, Label] // biome-ignore format: a list
  const byte = (offset: number): Term => ({ kind: 'load', base: 'link', offset: net + offset, bytes: 1 })
  number(scope, byte(family === 'ipv6' ? 6 : 9), failures, depth)
  e.put((c) => c.store(8, R.FP, type, { reg: R.A }))
  if (family === 'ipv4') {
    number(scope, byte(0), failures, depth)
    e.put((c) => {
      c.alu('and', R.A, 0xf)
      c.alu('lsh', R.A, 2)
    })
  } else e.put((c) => c.mov(R.A, 40))
  e.put((c) => {
    c.store(8, R.FP, SLOT.index, { reg: R.A })
    c.store(8, R.FP, count, MOST_WALKED)
    c.load(8, R.A, R.FP, type)
  })

  e.bind(again)
  e.jump('jeq', R.A, until | 0, done)
  e.put((c) => c.load(8, R.B, R.FP, count))
  e.jump('jeq', R.B, 0, done)
  e.put((c) => {
    c.alu('sub', R.B, 1)
    c.store(8, R.FP, count, { reg: R.B })
  })
  if (family === 'ipv6') for (const header of WALKED) e.jump('jeq', R.A, header, extension)
  e.jump('jeq', R.A, IPPROTO.ah, ah)
  e.goto(done)

  // Both bytes are one access: the program ends where either is missing.
  const header: Bits = { base: 'link', offset: net, bytes: 2, mask: 0xffffn, shift: 0, index: 'slot' }
  const enter = (label: Label, extra: number, shift: number) => {
    e.bind(label)
    const { reg, disp } = reach(scope, header, failures, depth)
    e.put((c) => {
      c.load(1, R.C, reg, disp)
      c.load(1, R.B, reg, disp + 1)
      c.alu('add', R.B, extra)
      c.alu('lsh', R.B, shift)
    })
  }
  enter(extension, 1, 3)
  e.put((c) => {
    c.load(8, R.A, R.FP, SLOT.index)
    c.alu('add', R.B, { reg: R.A })
  })
  e.goto(next)
  // libpcap goes on at AH's own length from the network header, not from AH.
  enter(ah, 2, 2)
  e.bind(next)
  // Places that no program reaches are all alike, and the ways to here shall be so to the verifier, which follows each of them otherwise.
  const near = e.label('near')
  e.jump('jle', R.B, MAX_OFFSET, near)
  e.put((c) => c.mov(R.B, MAX_OFFSET + 1))
  e.bind(near)
  forget(e, R.B, 2)
  e.put((c) => {
    c.store(8, R.FP, SLOT.index, { reg: R.B })
    c.mov(R.A, { reg: R.C })
  })
  e.goto(again)
  e.bind(done)
}
