// Which extension headers an IPv6 packet has: a loop as those of find.ts, over the same slots. See ir's headers.ts.

import type { Label } from '@netsieve/asm'
import { find, HEADER_BITS, MOST_HEADERS, NO_NEXT, SEEN_HEADERS } from '@netsieve/ir'
import { IPPROTO } from '@netsieve/packet'
import { R } from './emitter.ts'
import { at, here, round, type Search } from './find.ts'
import { beforeEnd, begin } from './find-ipv6.ts'
import { SLOT } from './path.ts'
import type { Scope } from './scope.ts'

/** R.A = the bits; to `missing` where they are not told. */
export function headersSeen(scope: Scope, missing: Label): void {
  const { e, access, path, netRef } = scope
  if (path.kind !== 'ipv6' || !path.net) return e.goto(missing)
  const { trim } = path.view
  const ends = { absent: missing, missing, cut: missing }
  const search: Search = { scope, ref: netRef, find: find('ipv6', 0), ends, broken: missing }
  begin(search, MOST_HEADERS + 1)
  e.put((c) => {
    c.store(1, R.FP, SLOT.walkType, { reg: R.RET })
    c.store(1, R.FP, SLOT.walkSeen, 0)
  })
  const [again, none, last, other, done] = ['again', 'none', 'last', 'protocol', 'done'].map((name) => e.label(name)) as [Label, Label, Label, Label, Label] // biome-ignore format: one row
  e.bind(again)
  round(search, missing, 2)
  // Behind the packet's end the number is that of no header.
  if (trim) beforeEnd(search, 0, last)
  here(search)
  access.reachIndexed(e, netRef, -1, 1, last)
  e.put((c) => c.load(1, R.RET, R.FP, SLOT.walkType))
  e.jump('jeq', R.RET, NO_NEXT, none)
  const extension = e.label('extension')
  for (const type of [...Object.keys(SEEN_HEADERS).map(Number), IPPROTO.esp]) e.jump('jeq', R.RET, type, extension)
  e.goto(other)
  e.bind(extension)
  if (trim) beforeEnd(search, 2, missing)
  const place = at(search, 0, 2, missing)
  e.put((c) => {
    c.load(1, R.C, place.reg, place.disp + 1)
    c.load(1, R.B, place.reg, place.disp)
    c.load(1, R.RET, R.FP, SLOT.walkType)
  })
  const [moved, esp] = [e.label('moved'), e.label('esp')]
  e.jump('jeq', R.RET, IPPROTO.esp, esp)
  e.put((c) => c.store(1, R.FP, SLOT.walkType, { reg: R.B }))
  const others = e.label('others')
  const steps = Object.entries(SEEN_HEADERS).map(([type, bit]) => ({ type: Number(type), bit, label: e.label(`header ${type}`) })) // biome-ignore format: one call
  for (const { type, label } of steps) e.jump('jeq', R.RET, type, label)
  e.goto(others)
  for (const { type, bit, label } of steps) {
    e.bind(label)
    if (!e.reachable) continue
    e.put((c) => {
      c.load(1, R.A, R.FP, SLOT.walkSeen)
      c.alu('or', R.A, bit)
      c.store(1, R.FP, SLOT.walkSeen, { reg: R.A })
      if (type === IPPROTO.fragment) c.mov(R.C, 8)
      else {
        c.alu('add', R.C, type === IPPROTO.ah ? 2 : 1)
        c.alu('lsh', R.C, type === IPPROTO.ah ? 2 : 3)
      }
    })
    e.goto(moved)
  }
  e.bind(others)
  if (e.reachable) e.goto(missing)
  e.bind(moved)
  e.put((c) => {
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.alu('add', R.A, { reg: R.C })
    c.store(8, R.FP, SLOT.walkAt, { reg: R.A })
  })
  e.goto(again)

  const ending = (label: Label, bit: number): void => {
    e.bind(label)
    if (!e.reachable) return
    e.put((c) => {
      c.load(1, R.A, R.FP, SLOT.walkSeen)
      c.alu('or', R.A, bit)
    })
    e.goto(done)
  }
  ending(esp, HEADER_BITS.esp)
  ending(none, HEADER_BITS.none)
  e.bind(last)
  if (e.reachable) {
    const ends = e.label('ends')
    e.put((c) => c.load(1, R.RET, R.FP, SLOT.walkType))
    e.jump('jeq', R.RET, IPPROTO.esp, ends)
    e.jump('jne', R.RET, NO_NEXT, other)
    e.bind(ends)
    e.put((c) => c.load(1, R.A, R.FP, SLOT.walkSeen))
    e.goto(done)
  }
  ending(other, HEADER_BITS.protocol)
  e.bind(done)
}
