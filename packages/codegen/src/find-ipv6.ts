// A search among the extension headers of IPv6: see find.ts.

import type { Label } from '@netsieve/asm'
import { MAX_EXTENSION_HEADERS } from '@netsieve/ir'
import { EXTENSION_HEADERS, IPPROTO, PROTOCOLS } from '@netsieve/packet'
import { R } from './emitter.ts'
import { at, here, round, type Search, start, typeOf } from './find.ts'
import { SLOT } from './path.ts'

const WALKED: readonly number[] = Object.values(EXTENSION_HEADERS)
/** Fixed parts of the headers that a view looks at by their protocol. */
const FIXED: ReadonlyMap<number, number> = new Map(
  (['hopopt', 'dstopts', 'routing', 'fragment', 'ah6', 'mobility'] as const).map((name) => [
    PROTOCOLS[name].entry.type,
    PROTOCOLS[name].minBytes,
  ]),
)

/** Begins a walk over so many headers behind the fixed one at most: the first one's type is in R.RET, where the packet ends is kept. */
export function begin(search: Search, most: number): void {
  const { scope, ref, ends } = search
  const { e, access, path } = scope
  const { trim } = path.view
  const { reg, disp } = access.reach(e, ref, 0, 40, ends.absent)
  e.put((c) => {
    c.load(1, R.RET, reg, disp + 6)
    c.load(2, R.C, reg, disp + 4)
    c.be(R.C, 16)
  })
  if (trim) {
    const sized = e.label('sized')
    e.put((c) => c.alu('add', R.C, 40))
    e.jump('jne', R.C, 40, sized)
    // A payload length of 0 before hop-by-hop options: the frame's own end counts.
    e.jump('jne', R.RET, IPPROTO.hopopt, sized)
    e.put((c) => c.mov(R.C, 0x1ffff))
    e.bind(sized)
    e.put((c) => c.store(8, R.FP, SLOT.walkEnd, { reg: R.C }))
  }
  start(search, 40, most)
}

/** IPv6's extension headers. SLOT.walkEnd is the length of the packet where that ends before the frame does. */
export function extensions(search: Search): void {
  const { scope, find, ends, broken } = search
  const { e, path } = scope
  const { trim } = path.view
  begin(search, MAX_EXTENSION_HEADERS)
  e.put((c) => c.store(1, R.FP, SLOT.walkType, { reg: R.RET }))
  const [again, walked, found] = [e.label('again'), e.label('walked'), e.label('found')]
  e.bind(again)
  e.put((c) => c.load(1, R.RET, R.FP, SLOT.walkType))
  if (!WALKED.includes(typeOf(find))) e.jump('jeq', R.RET, typeOf(find), found)
  for (const type of WALKED) e.jump('jeq', R.RET, type, walked)
  e.goto(ends.absent)
  e.bind(walked)
  round(search, broken, 2)
  const four = e.label('four')
  const isFour = (type: number) => type === IPPROTO.routing || type === IPPROTO.fragment
  const enter = (bytes: 2 | 4, next: Label): void => {
    if (trim) beforeEnd(search, bytes, broken)
    const { reg, disp } = at(search, 0, bytes, broken)
    e.put((c) => {
      if (bytes === 4) c.load(2, R.B, reg, disp + 2)
      c.load(1, R.C, reg, disp + 1)
      c.load(1, R.RET, reg, disp)
      c.load(1, R.A, R.FP, SLOT.walkType)
    })
    if (isFour(typeOf(find)) === (bytes === 4)) e.jump('jeq', R.A, typeOf(find), found)
    e.put((c) => c.store(1, R.FP, SLOT.walkType, { reg: R.RET }))
    // R.C = how many units, R.A = the type of the header that they are of.
    const [ah, moved] = [e.label('ah'), e.label('moved')]
    if (bytes === 2) e.jump('jeq', R.A, IPPROTO.ah, ah)
    else {
      // A fragment header of another fragment hides what follows.
      e.jump('jne', R.A, IPPROTO.fragment, ah)
      e.put((c) => {
        c.be(R.B, 16)
        c.alu('rsh', R.B, 3)
      })
      e.jump('jne', R.B, 0, ends.absent)
      e.put((c) => c.mov(R.C, 0))
      e.bind(ah)
    }
    e.put((c) => {
      c.alu('add', R.C, 1)
      c.alu('lsh', R.C, 3)
    })
    e.goto(moved)
    if (bytes === 2) {
      e.bind(ah)
      e.put((c) => {
        c.alu('add', R.C, 2)
        c.alu('lsh', R.C, 2)
      })
    }
    e.bind(moved)
    e.put((c) => {
      c.load(8, R.A, R.FP, SLOT.walkAt)
      c.alu('add', R.A, { reg: R.C })
      c.store(8, R.FP, SLOT.walkAt, { reg: R.A })
    })
    e.goto(next)
  }
  e.put((c) => c.load(1, R.RET, R.FP, SLOT.walkType))
  for (const type of WALKED.filter(isFour)) e.jump('jeq', R.RET, type, four)
  enter(2, again)
  e.bind(four)
  enter(4, again)
  e.bind(found)
  if (path.view.lists.drops) entryThere(search)
  here(search)
}

/** Bytes from the place that the search is at lie before SLOT.walkEnd. */
export function beforeEnd(search: Search, bytes: number, outside: Label): void {
  const { e } = search.scope
  e.put((c) => {
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.load(8, R.B, R.FP, SLOT.walkEnd)
    c.alu('add', R.A, bytes)
  })
  e.jump('jgt', R.A, { reg: R.B }, outside)
}

/** The header that was found must be there with its fixed part, and some of them whole. */
function entryThere(search: Search): void {
  const { scope, ref, find, ends } = search
  const { e, access, path } = scope
  const bytes = FIXED.get(typeOf(find)) ?? 0
  if (bytes === 0) return
  if (path.view.trim) beforeEnd(search, bytes, ends.cut)
  const { reg, disp } = at(search, 0, bytes, ends.cut)
  const ah = typeOf(find) === IPPROTO.ah
  if (!ah && typeOf(find) !== IPPROTO.hopopt && typeOf(find) !== IPPROTO.dstopts && typeOf(find) !== IPPROTO.routing)
    return
  e.put((c) => {
    c.load(1, R.C, reg, disp + 1)
    c.alu('add', R.C, ah ? 2 : 1)
    c.alu('lsh', R.C, ah ? 2 : 3)
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.alu('add', R.A, { reg: R.C })
    c.load(8, R.B, R.FP, SLOT.walkEnd)
  })
  if (path.view.trim) e.jump('jgt', R.A, { reg: R.B }, ends.cut)
  access.reachIndexed(e, ref, -1, 1, ends.cut)
}
