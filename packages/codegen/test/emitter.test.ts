import { type Code, formatInsn, type Insn } from '@netsieve/asm'
import { describe, expect, it } from 'vitest'
import { Emitter, NOTHING, R } from '../src/emitter.ts'

const text = (insns: readonly Insn[]) => insns.map((insn, slot) => formatInsn(insn, { slot }).slice(5))
const set = (value: number) => (code: Code) => code.mov(0, value)

/** What an emitter makes of some calls. */
function emitted(write: (e: Emitter) => void): string[] {
  const e = new Emitter()
  write(e)
  return text(e.finish())
}

describe('jumps', () => {
  it('over a goto are inverted', () => {
    const code = emitted((e) => {
      const [yes, no] = [e.label('yes'), e.label('no')]
      e.jump('jeq', 1, 5, yes)
      e.goto(no)
      e.bind(yes)
      e.put(set(1))
      e.exit()
      e.bind(no)
      e.put(set(0))
      e.exit()
    })
    expect(code).toEqual(['if r1 != 0x5 goto pc+2', 'r0 = 1', 'exit', 'r0 = 0', 'exit'])
  })

  it.each(['jeq', 'jne', 'jgt', 'jge', 'jlt', 'jle', 'jsgt', 'jsge', 'jslt', 'jsle'] as const)(
    '%s inverted twice is itself',
    (op) => {
      const once = (op1: typeof op) => {
        const e = new Emitter()
        const [yes, no] = [e.label('yes'), e.label('no')]
        e.jump(op1, 1, 5, yes)
        e.goto(no)
        e.bind(yes)
        e.exit()
        e.bind(no)
        e.exit()
        return e.finish()[0]!.spec.name.replace('_imm', '') as typeof op
      }
      expect(once(op)).not.toBe(op)
      expect(once(once(op))).toBe(op)
    },
  )

  it('jset has no opposite: it keeps its goto', () => {
    const code = emitted((e) => {
      const [yes, no] = [e.label('yes'), e.label('no')]
      e.jump('jset', 1, 5, yes)
      e.goto(no)
      e.bind(yes)
      e.put(set(1))
      e.bind(no)
      e.exit()
    })
    expect(code).toEqual(['if r1 & 0x5 goto pc+1', 'goto pc+1', 'r0 = 1', 'exit'])
  })

  it('to what follows are dropped', () => {
    const code = emitted((e) => {
      const [here, there] = [e.label('here'), e.label('there')]
      e.put(set(1))
      e.goto(here)
      e.bind(there)
      e.bind(here)
      e.exit()
    })
    expect(code).toHaveLength(2)
  })

  it('both ways to elsewhere keep both', () => {
    const code = emitted((e) => {
      const [yes, no, more] = [e.label('yes'), e.label('no'), e.label('more')]
      e.jump('jgt', 1, 5, more)
      e.jump('jeq', 1, 5, yes)
      e.goto(no)
      for (const label of [more, yes, no]) {
        e.bind(label)
        e.put(set(1))
        e.exit()
      }
    })
    expect(code.slice(0, 3)).toEqual(['if r1 > 0x5 goto pc+2', 'if r1 == 0x5 goto pc+3', 'goto pc+4'])
  })
})

it('unreachable code is not emitted, nor what only it leads to', () => {
  const code = emitted((e) => {
    const never = e.label('never')
    e.put(set(1))
    e.exit()
    e.put(set(2))
    e.jump('jeq', 1, 5, never)
    e.goto(never)
    e.bind(never)
    expect(e.reachable).toBe(false)
    e.put(set(3))
    e.exit()
  })
  expect(code).toHaveLength(2)
})

describe('what is known', () => {
  it('at a label is what every way there knows', () => {
    const e = new Emitter()
    const label = e.label('meet')
    e.put(set(0))
    const [both, one] = [{}, {}]
    e.know({ link: 34, net: 20, transport: 8, avail: 8, located: true, kept: new Set([both]) })
    e.jump('jeq', 1, 1, label)
    e.know({ link: 20, net: 40, avail: 20 })
    e.jump('jeq', 1, 2, label)
    e.know({ link: 60, transport: 4, located: false, kept: new Set([both, one]) })
    e.bind(label)
    expect(e.flow).toEqual({
      link: 20,
      net: 20,
      transport: 4,
      avail: 8,
      located: false,
      searched: new Set(),
      kept: new Set([both]),
    })
  })

  it('behind a jump of no return is what the ways to the label know', () => {
    const e = new Emitter()
    const label = e.label('far')
    e.put(set(0))
    e.know({ link: 34 })
    e.jump('jeq', 1, 1, label)
    e.know({ link: 54 })
    e.exit()
    e.bind(label)
    expect(e.flow).toEqual({ ...NOTHING, link: 34 })
  })

  it('is not lost where the label is not come to', () => {
    const e = new Emitter()
    e.put(set(0))
    e.know({ link: 34 })
    e.bind(e.label('unused'))
    expect(e.flow.link).toBe(34)
  })
})

it('instructions have the origin of the time they were asked for', () => {
  const e = new Emitter()
  const [yes, no] = [e.label('yes'), e.label('no')]
  e.origin = { text: 'one' }
  e.jump('jeq', R.A, 5, yes)
  e.goto(no)
  e.origin = { text: 'two' }
  e.bind(yes)
  e.put(set(1))
  e.bind(no)
  e.exit()
  expect(e.finish().map(({ origin }) => origin?.text)).toEqual(['one', 'two', 'two'])
})

it('what is put off comes at the end, and may put off more', () => {
  const code = emitted((e) => {
    const [later, last] = [e.label('later'), e.label('last')]
    e.defer(() => {
      e.bind(later)
      e.put(set(2))
      e.goto(last)
      e.defer(() => {
        e.bind(last)
        e.put(set(3))
        e.exit()
      })
    })
    e.jump('jeq', 1, 1, later)
    e.put(set(1))
    e.exit()
  })
  expect(code).toEqual(['if r1 == 0x1 goto pc+2', 'r0 = 1', 'exit', 'r0 = 2', 'r0 = 3', 'exit'])
})
