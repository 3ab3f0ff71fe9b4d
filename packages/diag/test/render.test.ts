import { describe, expect, it } from 'vitest'
import { at, Diagnostics, position, render, renderAll, source, spanText } from '../src/index.ts'

const src = source('rules.txt', 'first line\r\n-A INPUT\t--dport 70000\nlast')

describe('position', () => {
  it.each([
    [0, 1, 1],
    [9, 1, 10],
    [12, 2, 1],
    [src.text.length, 3, 5],
  ])('offset %i is line %i, column %i', (offset, line, column) => {
    expect(position(src, offset)).toEqual({ line, column })
  })
})

describe('render', () => {
  it('puts the caret under the text, tabs and line ends notwithstanding', () => {
    const start = src.text.indexOf('70000')
    const diags = new Diagnostics()
    diags.error('rules/port-range', '70000 is above 65535', at(src, start, start + 5), {
      expected: ['a port 0..65535'],
    })
    expect(render(diags.list[0]!)).toBe(
      [
        'rules.txt:2:18: error: 70000 is above 65535 [rules/port-range]',
        '    -A INPUT --dport 70000',
        `    ${' '.repeat(17)}^^^^^`,
        '  expected a port 0..65535',
      ].join('\n'),
    )
  })

  it('shows a place at the very end of the text', () => {
    const span = at(src, src.text.length)
    expect(spanText(span)).toBe('')
    expect(renderAll([{ severity: 'error', code: 'x/end', message: 'more expected', span }])).toBe(
      'rules.txt:3:5: error: more expected [x/end]\n    last\n        ^\n',
    )
  })

  it('cuts a long line around the place', () => {
    const long = source('long', `${'a'.repeat(5000)}!${'b'.repeat(5000)}`)
    const lines = render({ severity: 'error', code: 'x/y', message: 'm', span: at(long, 5000) }).split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(200)
    expect(lines[1]![lines[2]!.indexOf('^')]).toBe('!')
  })
})

describe('Diagnostics', () => {
  it('stops growing at its limit, and says what it left out', () => {
    const diags = new Diagnostics(3)
    for (let i = 0; i < 10; i++) diags.error('x/y', String(i))
    expect(diags.list.map(({ message }) => message)).toEqual(['0', '1', '2', 'left out here: 7 more errors'])
    expect(diags.outcome(1)).not.toHaveProperty('value')
  })

  it('has room for an error behind many warnings', () => {
    const diags = new Diagnostics(2)
    for (let i = 0; i < 3; i++) diags.warning('x/y', `w${i}`)
    expect(diags.hasErrors).toBe(false)
    for (let i = 0; i < 4; i++) diags.error('x/y', `e${i}`)
    expect(diags.list.map(({ message }) => message)).toEqual(['w0', 'w1', 'e0', 'e1', 'left out here: 2 more errors and 1 more warning']) // biome-ignore format: short texts
    expect(diags.hasErrors).toBe(true)
    expect(diags.list.at(-1)).toMatchObject({ severity: 'note', code: 'diag/more' })
  })
})

it('does not say twice in a row what is wrong at a place', () => {
  const diags = new Diagnostics()
  const say = (message: string, start: number) => diags.error('rules/number', message, at(src, start, start + 5))
  for (const [message, start] of [['a', 0], ['a', 0], ['b', 0], ['a', 0], ['a', 6]] as const) say(message, start)
  expect(diags.list.map(({ message, span }) => [message, span!.start])).toEqual([['a', 0], ['b', 0], ['a', 0], ['a', 6]])
}) // biome-ignore format: short lists
