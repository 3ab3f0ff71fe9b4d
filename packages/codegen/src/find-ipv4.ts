// The search in IPv4's options as nft makes it: all of them must pass the kernel's own checks (ir's ipv4-options.ts), so the walk goes to the end.

import type { Label } from '@netsieve/asm'
import { R } from './emitter.ts'
import { at, here, insideList, onward, round, type Search, typeOf } from './find.ts'
import { SLOT } from './path.ts'

const [NOP, RR, TIMESTAMP, LSRR, CIPSO, SSRR, RA] = [1, 7, 68, 131, 134, 137, 148] as const
/** Bits of SLOT.walkSeen: options that may stand there once. */
const ONCE = { route: 1, record: 2, time: 4 } as const
/** Numbers that are not 0: of those the verifier would keep track. */
const NOTHING_SEEN = 8
const NOT_FOUND = 1

/** From SLOT.walkAt to SLOT.walkEnd. R.A = the place of the option, if the list holds. */
export function checkedIpv4(search: Search): void {
  const { scope, ends } = search
  const { e } = scope
  const wrong = ends.absent
  const [again, ended, one, sized] = [e.label('again'), e.label('ended'), e.label('one'), e.label('sized')]
  e.put((c) => {
    c.store(1, R.FP, SLOT.walkSeen, NOTHING_SEEN)
    c.store(1, R.FP, SLOT.walkFound, NOT_FOUND)
  })
  e.bind(again)
  insideList(search, 0, ended)
  round(search, ended, 1)
  const type = at(search, 0, 1, wrong)
  e.put((c) => c.load(1, R.RET, type.reg, type.disp))
  e.jump('jeq', R.RET, 0, ended)
  e.jump('jeq', R.RET, NOP, one)
  e.put((c) => c.store(1, R.FP, SLOT.walkType, { reg: R.RET }))
  const length = at(search, 1, 1, wrong)
  e.put((c) => c.load(1, R.RET, length.reg, length.disp))
  e.jump('jlt', R.RET, 2, wrong)
  e.put((c) => {
    c.store(1, R.FP, SLOT.walkStep, { reg: R.RET })
    c.load(8, R.A, R.FP, SLOT.walkAt)
    c.load(8, R.B, R.FP, SLOT.walkEnd)
    c.alu('add', R.A, { reg: R.RET })
  })
  e.jump('jgt', R.A, { reg: R.B }, wrong)
  e.put((c) => c.load(1, R.A, R.FP, SLOT.walkType))
  checks(search, sized)
  e.bind(one)
  e.put((c) => c.store(1, R.FP, SLOT.walkStep, 1))
  e.bind(sized)
  onward(search, SLOT.walkStep)
  e.goto(again)
  e.bind(ended)
  e.put((c) => c.load(1, R.A, R.FP, SLOT.walkFound))
  e.jump('jeq', R.A, NOT_FOUND, ends.absent)
}

/** The rules of one option: R.A = its type, R.RET = its length. Goes on to `sized` where they hold. */
function checks(search: Search, sized: Label): void {
  const { scope, find, ends } = search
  const { e } = scope
  const wrong = ends.absent
  const labels = { route: e.label('route'), record: e.label('record'), time: e.label('time'), alert: e.label('alert') }
  e.jump('jeq', R.A, CIPSO, wrong)
  e.jump('jeq', R.A, LSRR, labels.route)
  e.jump('jeq', R.A, SSRR, labels.route)
  e.jump('jeq', R.A, RR, labels.record)
  e.jump('jeq', R.A, TIMESTAMP, labels.time)
  e.jump('jeq', R.A, RA, labels.alert)
  e.goto(sized)

  /** The option stands there for the first time and has so many bytes; R.C = its pointer, R.A = the byte behind, R.RET = its length. */
  const enter = (once: number, least: number): void => {
    e.jump('jlt', R.RET, least, wrong)
    if (once > 0) {
      e.put((c) => c.load(1, R.B, R.FP, SLOT.walkSeen))
      e.jump('jset', R.B, once, wrong)
      e.put((c) => {
        c.alu('or', R.B, once)
        c.store(1, R.FP, SLOT.walkSeen, { reg: R.B })
      })
    }
    const bytes = Math.min(least, 4)
    const { reg, disp } = at(search, 0, bytes, wrong)
    e.put((c) => {
      c.load(1, R.C, reg, disp + 2)
      if (bytes > 3) c.load(1, R.B, reg, disp + 3)
      c.load(1, R.RET, R.FP, SLOT.walkStep)
    })
  }
  const place = (...types: readonly number[]): void => {
    const other = e.label('other')
    if (types.includes(typeOf(find))) {
      e.put((c) => c.load(1, R.A, R.FP, SLOT.walkType))
      e.jump('jne', R.A, typeOf(find), other)
      here(search)
      e.put((c) => c.store(1, R.FP, SLOT.walkFound, { reg: R.A }))
      e.bind(other)
    }
    e.goto(sized)
  }

  e.bind(labels.route)
  enter(ONCE.route, 7)
  e.jump('jne', R.C, 4, wrong)
  e.put((c) => {
    c.alu('sub', R.RET, 3)
    c.alu('and', R.RET, 3)
  })
  e.jump('jne', R.RET, 0, wrong)
  place(LSRR, SSRR)

  e.bind(labels.record)
  enter(ONCE.record, 3)
  e.jump('jlt', R.C, 4, wrong)
  const recorded = e.label('recorded')
  e.jump('jgt', R.C, { reg: R.RET }, recorded)
  e.put((c) => c.alu('add', R.C, 3))
  e.jump('jgt', R.C, { reg: R.RET }, wrong)
  e.bind(recorded)
  place(RR)

  e.bind(labels.time)
  enter(ONCE.time, 4)
  e.jump('jlt', R.C, 5, wrong)
  const [room, wide, stamped] = [e.label('room'), e.label('wide'), e.label('stamped')]
  e.put((c) => {
    c.mov(R.A, { reg: R.B })
    c.alu('and', R.A, 0xf)
    c.alu('rsh', R.B, 4)
  })
  e.jump('jle', R.C, { reg: R.RET }, room)
  // Full: the overflow counter must have room for one more, but for prespecified addresses.
  e.jump('jeq', R.A, 3, stamped)
  e.jump('jeq', R.B, 15, wrong)
  e.goto(stamped)
  e.bind(room)
  for (const kind of [1, 3]) e.jump('jeq', R.A, kind, wide)
  e.put((c) => c.alu('add', R.C, 3))
  e.jump('jgt', R.C, { reg: R.RET }, wrong)
  e.goto(stamped)
  e.bind(wide)
  e.put((c) => c.alu('add', R.C, 7))
  e.jump('jgt', R.C, { reg: R.RET }, wrong)
  e.bind(stamped)
  place(TIMESTAMP)

  e.bind(labels.alert)
  enter(0, 4)
  e.jump('jne', R.C, 0, sized)
  e.jump('jne', R.B, 0, sized)
  place(RA)
}
