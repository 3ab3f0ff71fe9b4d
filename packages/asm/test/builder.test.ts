import { Code, type Insn } from '@netsieve/asm'
import { describe, expect, it } from 'vitest'

const text = (insns: readonly Insn[]) => insns.map(({ spec, off, imm }) => `${spec.name} ${off} ${imm}`)

describe('layout', () => {
  it.each([
    ['as far as 16 bits go', 32767, ['jeq_imm 32767 7']],
    ['one further', 32768, ['jeq_imm 1 7', 'ja 1 0', 'ja32 0 32768']],
  ])('a conditional jump forward %s', (_, slots, expected) => {
    const code = new Code()
    const end = code.label()
    code.jump('jeq', 1, 7, end)
    for (let i = 0; i < slots; i++) code.mov(0, i)
    code.bind(end)
    code.exit()
    const program = code.layout()
    expect(text(program.slice(0, -slots - 1))).toEqual(expected)
    expect(program.at(-1)!.spec.name).toBe('exit')
  })

  it.each([
    ['as far as 16 bits go', 32767, ['jset_imm -32768 7', 'exit 0 0']],
    // From behind the three slots: the 32,768 before them and themselves.
    ['one further', 32768, ['jset_imm 1 7', 'ja 1 0', 'ja32 0 -32771', 'exit 0 0']],
  ])('a conditional jump back %s', (_, slots, expected) => {
    const code = new Code()
    const start = code.label()
    code.bind(start)
    for (let i = 0; i < slots; i++) code.mov(0, i)
    code.jump('jset', 1, 7, start)
    code.exit()
    expect(text(code.layout().slice(slots))).toEqual(expected)
  })

  it('a shorter reach leaves room', () => {
    const [near, far] = [10, 11].map((slots) => {
      const code = new Code()
      const end = code.label()
      code.jump('jeq', 1, 7, end)
      for (let i = 0; i < slots; i++) code.mov(0, i)
      code.bind(end)
      code.exit()
      return text(code.layout(10))[0]
    })
    expect([near, far]).toEqual(['jeq_imm 10 7', 'jeq_imm 1 7'])
  })

  it('a jump that grows pushes another out of reach', () => {
    // The inner jump fits by one slot until the outer one takes three.
    const code = new Code()
    const [inner, outer] = [code.label(), code.label()]
    code.jump('jeq', 1, 1, inner)
    code.jump('jeq', 1, 2, outer)
    for (let i = 0; i < 32766; i++) code.mov(0, i)
    code.bind(inner)
    for (let i = 0; i < 2; i++) code.mov(0, i)
    code.bind(outer)
    code.exit()
    expect(text(code.layout().slice(0, 6))).toEqual([
      'jeq_imm 1 1',
      'ja 1 0',
      'ja32 0 32769',
      'jeq_imm 1 2',
      'ja 1 0',
      'ja32 0 32768',
    ])
  })

  it('a far ja becomes ja32, and keeps its origin as the three of a far jump do', () => {
    const origin = { text: 'a rule' }
    const code = new Code()
    const end = code.label()
    code.origin = origin
    code.jump('jgt', 1, { reg: 2 }, end, 32)
    code.goto(end)
    for (let i = 0; i < 40000; i++) code.mov(0, i)
    code.bind(end)
    code.exit()
    const head = code.layout().slice(0, 4)
    expect(text(head)).toEqual(['jgt32_reg 1 0', 'ja 1 0', 'ja32 0 40001', 'ja32 0 40000'])
    expect(head.map((insn) => insn.origin)).toEqual([origin, origin, origin, origin])
  })

  it('throws for labels without a place, or with two', () => {
    const code = new Code()
    const label = code.label('here')
    code.goto(label)
    expect(() => code.layout()).toThrow(/label here0 is not bound/)
    code.bind(label)
    code.bind(label)
    expect(() => code.layout()).toThrow(/label here0 is bound twice/)
  })
})
