import { expect, test } from 'vitest'
import { blocks, drawCfg, layout, ops, R0, R1, R2 } from '../src/index.ts'

const { add64, call_local, exit, jgt, jne, lddw, mov64 } = ops
const program = layout([
  mov64(R0, 0),
  'loop:',
  lddw(R2, 1),
  add64(R0, R2),
  jgt(R1, R0, 'loop'),
  call_local('f'),
  exit(),
  'f:',
  jne(R1, 0, 'f'),
  exit(),
])

test('blocks end at jumps and begin at targets; slots are counted', () => {
  expect(blocks(program)).toEqual([
    { slot: 0, from: 0, to: 1, edges: [{ slot: 1, kind: 'next' }] },
    { slot: 1, from: 1, to: 4, edges: [{ slot: 1, kind: 'taken' }, { slot: 5, kind: 'next' }] },
    { slot: 5, from: 4, to: 6, edges: [{ slot: 7, kind: 'call' }] },
    { slot: 7, from: 6, to: 7, edges: [{ slot: 7, kind: 'taken' }, { slot: 8, kind: 'next' }] },
    { slot: 8, from: 7, to: 8, edges: [] },
  ]) // biome-ignore format: rows
})

test('Graphviz', () => {
  expect(drawCfg(program)).toBe(`digraph program {
  node [shape=box, fontname=monospace]
  b0 [label="0: (b7) r0 = 0\\l"]
  b1 [label="1: (18) r2 = 0x1\\l3: (0f) r0 += r2\\l4: (2d) if r1 > r0 goto pc-4\\l"]
  b5 [label="5: (85) call pc+1\\l6: (95) exit\\l"]
  b7 [label="7: (55) if r1 != 0x0 goto pc-1\\l"]
  b8 [label="8: (95) exit\\l"]
  b0 -> b1
  b1 -> b1 [label="taken"]
  b1 -> b5
  b5 -> b7 [style=dashed, label="call"]
  b7 -> b7 [label="taken"]
  b7 -> b8
}
`)
})

test('Mermaid; text of rules cannot leave its label', () => {
  const origin = { text: 'tcp "dport" <80>\n]' }
  const text = drawCfg([{ ...ops.exit().insn, origin }], { format: 'mermaid', origins: true })
  expect(text).toBe('flowchart TD\n  b0["; tcp #34;dport#34; #60;80#62; ]<br/>0: (95) exit"]\n')
})
