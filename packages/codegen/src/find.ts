// Searches in lists: options of TCP, DCCP and IPv4, extension headers of IPv6, chunks of SCTP. Loops over a place and a number of steps kept on
// the stack, so that helpers may be called and the verifier sees every round alike. The same walks as ir's lists.ts makes slowly.

import type { Label } from '@netsieve/asm'
import { DCCP_TYPE_BYTES, type Find, field, type Heads, MAX_CHUNKS, MAX_OPTIONS, typeText } from '@netsieve/ir'
import { PROTOCOLS } from '@netsieve/packet'
import type { BaseRef, Place } from './access.ts'
import { forget } from './dispatch.ts'
import { R } from './emitter.ts'
import { checkedIpv4 } from './find-ipv4.ts'
import { extensions } from './find-ipv6.ts'
import { REMEMBERED, SLOT } from './path.ts'
import { transportBase } from './reach.ts'
import type { Scope } from './scope.ts'
import { number } from './terms.ts'

/** Where a search goes that ends without an entry. */
export interface Ends {
  readonly absent: Label
  /** The packet is of another network protocol. */
  readonly missing: Label
  readonly cut: Label
}

/** A search under way. */
export interface Search {
  readonly scope: Scope
  /** What places are counted from. */
  readonly ref: BaseRef
  readonly find: Find
  readonly ends: Ends
  /** Where a list goes that is not all there, or of a wrong length. */
  readonly broken: Label
}

/** R.A = bytes from the list's base to the entry; control goes on only if there is one. A search that was made on all ways here is not made again. */
export function findEntry(scope: Scope, find: Find, ends: Ends): void {
  const { e, path } = scope
  const key = `${find.list} ${typeText(find.type)} ${find.bytes} ${path.view.title}`
  if (!e.searches.includes(key) && e.searches.length < REMEMBERED.length) e.searches.push(key)
  const slot = REMEMBERED[e.searches.indexOf(key)]
  if (slot === undefined) return search(scope, find, ends)
  if (e.flow.searched.has(key)) {
    e.put((c) => c.load(2, R.A, R.FP, slot))
    return e.jump('jeq', R.A, 0, ends.absent)
  }
  const [absent, done] = [e.label('absent'), e.label('done')]
  // The place, or 0, is forgotten: what was found is not followed apart from what was not.
  const remember = (): void => {
    forget(e, R.A, 2)
    e.put((c) => c.store(2, R.FP, slot, { reg: R.A }))
    e.know({ searched: new Set([...e.flow.searched, key]) })
  }
  search(scope, find, { ...ends, absent })
  remember()
  e.goto(done)
  e.bind(absent)
  if (e.reachable) {
    e.put((c) => c.mov(R.A, 0))
    remember()
    e.goto(ends.absent)
  }
  e.bind(done)
}

function search(scope: Scope, find: Find, ends: Ends): void {
  const { e, path, netRef } = scope
  const { view } = path
  const broken = view.lists.drops ? ends.cut : ends.absent
  switch (find.list) {
    case 'ipv4':
    case 'ipv6': {
      if (path.kind !== find.list) return e.goto(ends.missing)
      if (!path.net) return e.goto(ends.absent)
      const way = { scope, ref: netRef, find, ends, broken }
      if (find.list === 'ipv6') return extensions(way)
      return ipv4Options({ ...way, broken: ends.absent })
    }
    default: {
      const { ipProtocol, minBytes } = PROTOCOLS[find.list]
      const failures = { missing: ends.absent, cut: ends.cut }
      number(scope, field('meta.l4proto'), failures)
      if (!e.reachable) return
      e.jump('jne', R.A, ipProtocol, ends.absent)
      const ref = transportBase(scope, find.list, minBytes, failures)
      if (!ref || !e.reachable) return e.goto(ends.absent)
      const way = { scope, ref, find, ends, broken }
      if (find.list === 'sctp') return chunks(way)
      if (find.list === 'tcp') return tcpOptions(way)
      return dccpOptions(way)
    }
  }
}

/** Where a search looks. */
export type Where = Pick<Search, 'scope' | 'ref'>

/** R.A = the place that the search is at. */
export function here({ scope: { e } }: Where): void {
  e.put((c) => c.load(8, R.A, R.FP, SLOT.walkAt))
}

/** Makes bytes of the list at the place that the search is at readable. */
export function at(search: Where, offset: number, bytes: number, missing: Label): Place {
  const { scope, ref } = search
  here(search)
  return scope.access.reachIndexed(scope.e, ref, offset, bytes, missing)
}

/**
 * Counts a round; goes to `spent` after the last. The place is below 256 or 65536 by now, and all rounds look alike to the verifier from here on.
 */
export function round(search: Search, spent: Label, bytes: 1 | 2): void {
  const { e } = search.scope
  e.put((c) => c.load(4, R.B, R.FP, SLOT.walkCount))
  e.jump('jeq', R.B, 0, spent)
  e.put((c) => {
    c.alu('sub', R.B, 1)
    c.store(4, R.FP, SLOT.walkCount, { reg: R.B })
  })
  here(search)
  forget(e, R.A, bytes)
  e.put((c) => c.store(8, R.FP, SLOT.walkAt, { reg: R.A }))
}

/** Starts at R[from], at most so many rounds. */
export function start({ scope: { e } }: Search, from: number | { readonly reg: number }, rounds: number): void {
  e.put((c) => {
    c.store(8, R.FP, SLOT.walkAt, from)
    c.store(4, R.FP, SLOT.walkCount, rounds)
  })
}

/** R[length] bytes of the list's header must be there: goes on if so. The length is kept as the end of the list. */
function headerThere(search: Search, length: number): void {
  const { scope, ref, broken } = search
  const { e, access, path } = scope
  e.put((c) => c.store(8, R.FP, SLOT.walkEnd, { reg: length }))
  if (ref.base === 'transport' && path.bounded) e.jump('jsgt', length, { reg: R.AVAIL }, broken)
  e.put((c) => c.mov(R.A, { reg: length }))
  access.reachIndexed(e, ref, -1, 1, broken)
}

function tcpOptions(search: Search): void {
  const { scope, ref, broken } = search
  const { e, access } = scope
  const { reg, disp } = access.reach(e, ref, 12, 1, search.ends.absent)
  e.put((c) => {
    c.load(1, R.C, reg, disp)
    c.alu('rsh', R.C, 4)
    c.alu('lsh', R.C, 2)
  })
  e.jump('jlt', R.C, 20, broken)
  headerThere(search, R.C)
  start(search, 20, 40)
  options(search, 1)
}

function dccpOptions(search: Search): void {
  const { scope, ref, broken, ends } = search
  const { e, access, path } = scope
  const { reg, disp } = access.reach(e, ref, 4, 5, ends.absent)
  // R.C = where the options start, from the type of the packet and whether its sequence number is long.
  e.put((c) => {
    c.load(1, R.A, reg, disp)
    c.alu('lsh', R.A, 2)
    c.load(1, R.B, reg, disp + 4)
    c.mov(R.RET, { reg: R.B })
    c.alu('and', R.B, 1)
    c.alu('lsh', R.B, 2)
    c.alu('rsh', R.RET, 1)
    c.alu('and', R.RET, 0xf)
    c.mov(R.C, 12)
  })
  const sized = e.label('sized')
  for (const bytes of [0, 4, 8]) {
    const next = e.label('next')
    const typed = e.label('typed')
    for (const [type, has] of DCCP_TYPE_BYTES.entries()) if (has === bytes) e.jump('jeq', R.RET, type, typed)
    e.goto(next)
    e.bind(typed)
    e.put((c) => c.mov(R.C, bytes))
    e.goto(sized)
    e.bind(next)
  }
  e.bind(sized)
  e.put((c) => {
    c.alu('add', R.C, { reg: R.B })
    c.alu('add', R.C, 12)
  })
  e.jump('jlt', R.A, { reg: R.C }, broken)
  start(search, { reg: R.C }, MAX_OPTIONS)
  e.put((c) => c.mov(R.C, { reg: R.A }))
  headerThere(search, R.C)
  options(search, path.view.lists.badLength === 'end' ? 31 : 1)
}

function ipv4Options(search: Search): void {
  const { scope, ref, ends } = search
  const { e, access, path } = scope
  const { reg, disp } = access.reach(e, ref, 0, 20, ends.absent)
  e.put((c) => {
    c.load(1, R.C, reg, disp)
    c.alu('and', R.C, 0xf)
    c.alu('lsh', R.C, 2)
  })
  e.jump('jle', R.C, 20, ends.absent)
  headerThere(search, R.C)
  start(search, 20, 40)
  if (path.view.lists.ipv4 === 'checked') checkedIpv4(search)
  else options(search, 1)
}

/** Options from SLOT.walkAt to SLOT.walkEnd: of one byte up to type `single`, of type, length and value above. */
function options(search: Search, single: number): void {
  const { scope, find, ends } = search
  const { e, path } = scope
  const { lists } = path.view
  const [again, one, matched, step] = [e.label('again'), e.label('one'), e.label('matched'), e.label('step')]
  e.bind(again)
  insideList(search, lists.lastByte ? 0 : 1, ends.absent)
  round(search, ends.absent, find.list === 'dccp' ? 2 : 1)
  const type = at(search, 0, 1, ends.absent)
  e.put((c) => c.load(1, R.RET, type.reg, type.disp))
  e.jump('jeq', R.RET, typeOf(find), matched)
  if (lists.end) e.jump('jeq', R.RET, 0, ends.absent)
  e.jump('jle', R.RET, single, one)
  const length = at(search, 1, 1, ends.absent)
  e.put((c) => c.load(1, R.RET, length.reg, length.disp))
  if (lists.badLength === 'end') e.jump('jlt', R.RET, 2, ends.absent)
  else e.jump('jeq', R.RET, 0, one)
  e.put((c) => c.store(1, R.FP, SLOT.walkStep, { reg: R.RET }))
  e.goto(step)
  e.bind(one)
  e.put((c) => c.store(1, R.FP, SLOT.walkStep, 1))
  e.bind(step)
  onward(search, SLOT.walkStep)
  e.goto(again)

  e.bind(matched)
  if (typeOf(find) > single) fitting(search)
  else if (find.bytes > 1) e.goto(ends.absent)
  here(search)
}

/** Moves the place by a byte of the stack. */
export function onward({ scope: { e } }: Search, slot: number): void {
  e.put((c) => {
    c.load(1, R.RET, R.FP, slot)
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.alu('add', R.A, { reg: R.RET })
    c.store(8, R.FP, SLOT.walkAt, { reg: R.A })
  })
}

/** The place, and `bytes` bytes behind it, lie before SLOT.walkEnd. */
export function insideList({ scope: { e } }: Search, bytes: number, outside: Label): void {
  e.put((c) => {
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.load(8, R.C, R.FP, SLOT.walkEnd)
    if (bytes > 0) c.alu('add', R.A, bytes)
  })
  e.jump('jge', R.A, { reg: R.C }, outside)
}

/** The option that the search is at has the type: does it lie in the list, and hold what is asked for? */
function fitting(search: Search): void {
  const { scope, find, ends } = search
  const { e, path } = scope
  const { lists } = path.view
  const strict = lists.badLength === 'end'
  if (!strict && !lists.whole && find.bytes <= 1) return
  const [long, told] = [e.label('long'), e.label('told')]
  e.put((c) => {
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.load(8, R.C, R.FP, SLOT.walkEnd)
    c.alu('add', R.A, 1)
    c.mov(R.RET, 1)
  })
  e.jump('jge', R.A, { reg: R.C }, strict ? ends.absent : told)
  const length = at(search, 1, 1, ends.absent)
  e.put((c) => c.load(1, R.RET, length.reg, length.disp))
  if (strict) e.jump('jlt', R.RET, 2, ends.absent)
  else {
    e.jump('jne', R.RET, 0, long)
    e.put((c) => c.mov(R.RET, 1))
    e.bind(long)
  }
  e.bind(told)
  if (find.bytes > 0) e.jump('jlt', R.RET, find.bytes, ends.absent)
  if (!lists.whole) return
  e.put((c) => {
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.load(8, R.C, R.FP, SLOT.walkEnd)
    c.alu('add', R.A, { reg: R.RET })
  })
  e.jump('jgt', R.A, { reg: R.C }, ends.absent)
}

/** Goes to `matched` if R.C, the type and the flags of a chunk, is one of those; R.RET stays. */
function headed({ scope: { e } }: Search, { heads, none }: Heads, matched: Label): void {
  const other = e.label('other')
  for (const { mask, value } of heads) {
    e.put((c) => {
      c.mov(R.A, { reg: R.C })
      c.alu('and', R.A, mask)
    })
    e.jump('jeq', R.A, value, none ? other : matched)
  }
  if (none) e.goto(matched)
  e.bind(other)
}

/** The type of an entry; of chunks alone there are others. */
export const typeOf = ({ type }: Find): number => (typeof type === 'number' ? type : -1)

/** Chunks of SCTP, each at a multiple of 4. */
function chunks(search: Search): void {
  const { scope, find, ends, broken } = search
  const { e, access, path } = scope
  const bounded = search.ref.base === 'transport' && path.bounded
  const [again, matched] = [e.label('again'), e.label('matched')]
  start(search, 12, MAX_CHUNKS)
  e.bind(again)
  round(search, ends.absent, 2)
  if (bounded) {
    e.put((c) => {
      c.mov(R.B, { reg: R.A })
      c.alu('add', R.B, 4)
    })
    e.jump('jsgt', R.B, { reg: R.AVAIL }, broken)
  }
  const { reg, disp } = at(search, 0, 4, broken)
  e.put((c) => {
    c.load(2, R.RET, reg, disp + 2)
    c.be(R.RET, 16)
    if (typeof find.type === 'number') c.load(1, R.C, reg, disp)
    else {
      c.load(2, R.C, reg, disp)
      c.be(R.C, 16)
    }
  })
  e.jump('jeq', R.RET, 0, broken)
  if (typeof find.type === 'number') e.jump('jeq', R.C, find.type, matched)
  else headed(search, find.type, matched)
  e.put((c) => {
    c.alu('add', R.RET, 3)
    c.alu('and', R.RET, 0x1fffc)
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.alu('add', R.A, { reg: R.RET })
  })
  if (bounded) e.jump('jsge', R.A, { reg: R.AVAIL }, ends.absent)
  e.jump('jgt', R.A, 0xffff, ends.absent)
  e.put((c) => c.store(8, R.FP, SLOT.walkAt, { reg: R.A }))
  e.goto(again)

  e.bind(matched)
  if (find.bytes > 0) {
    e.jump('jlt', R.RET, find.bytes, ends.absent)
    here(search)
    e.put((c) => c.alu('add', R.A, { reg: R.RET }))
    if (bounded) e.jump('jsgt', R.A, { reg: R.AVAIL }, ends.absent)
    access.reachIndexed(e, search.ref, -1, 1, ends.absent)
  }
  here(search)
}
