// Prints one hex line for each of a few variants of every instruction form: the questions of the recording scripts.
// Needs a built tree (tsc -b). `node cases.mjs | python3 record-kernel.py > golden/kernel.txt`

import { encode, ISA, insn, Long } from '../../packages/asm/dist/index.js'

const VARIANTS = [
  { dst: 1, src: 2, off: 0, imm: 0, high: 0 },
  { dst: 3, src: 9, off: 1, imm: 5, high: 0 },
  { dst: 0, src: 4, off: -2, imm: -5, high: 7 },
  { dst: 8, src: 5, off: 127, imm: 0x7fffffff, high: -1 },
  { dst: 7, src: 6, off: -32768, imm: -2147483648, high: 0 },
]
const JUMPS = new Set(['jump', 'goto', 'may_goto'])

const lines = new Set()
for (const spec of ISA) {
  for (const { dst, src, off, imm, high } of VARIANTS) {
    const fields = {}
    if (spec.uses.has('dst')) fields.dst = dst
    if (spec.uses.has('src')) fields.src = src
    // Jumps stay within the small program that asks.
    if (spec.uses.has('off')) fields.off = JUMPS.has(spec.kind) ? Math.max(-2, Math.min(off, 1)) : off
    if (spec.uses.has('imm')) fields.imm = spec.name === 'ja32' ? Math.max(-2, Math.min(imm, 1)) : imm
    if (spec.call === 'local') fields.imm = 2
    if (spec.source === 'imm' && /sh$/.test(spec.alu ?? '')) fields.imm = imm & (spec.width - 1)
    if (/div|mod/.test(spec.alu ?? '') && spec.source === 'imm' && imm === 0) fields.imm = 3
    if (spec.slots === 2) fields.imm64 = Long.fromBits(imm, spec.imm64 === 'map_fd' || spec.imm64 === 'func' || spec.imm64 === 'map_index' ? 0 : high) // biome-ignore format: a row
    lines.add(Buffer.from(encode([insn(spec, fields)])).toString('hex'))
  }
}
for (const line of lines) console.log(line)
