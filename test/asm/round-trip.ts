// Round trips of random programs from all four sides: values, bytes, text of each dialect, builder.

import { assemble, Code, DIALECTS, decode, disassemble, encode, fromJson, type Insn, type Label, slotTable, targetSlot, toJson } from '@netsieve/asm' // biome-ignore format: a list
import { renderAll, source } from '@netsieve/diag'
import { random, randomProgram } from './random.ts'

/** What went wrong with the first program that did not come back the same; nothing if all did. */
export function roundTrips(seed: number, programs: number, length: number): string | undefined {
  const next = random(seed)
  for (let i = 0; i < programs; i++) {
    const program = randomProgram(next, length)
    const wrong = roundTrip(program)
    if (wrong) return `seed ${seed}, program ${i}: ${wrong}`
  }
  return undefined
}

function roundTrip(program: readonly Insn[]): string | undefined {
  const bytes = encode(program)
  const decoded = decode(bytes)
  if (decoded.bad.length > 0) return `bytes: ${decoded.bad[0]!.reason}`
  if (!same(decoded.program, program)) return 'bytes: other instructions'
  if (!same(fromJson(JSON.parse(JSON.stringify(toJson(program)))), program)) return 'JSON: other instructions'
  if (!same(rebuilt(program), program)) return 'builder: other instructions'
  for (const dialect of DIALECTS) {
    for (const labels of [true, false]) {
      const text = disassemble(program, { dialect, labels })
      const { value, diagnostics } = assemble(source('text', text), { dialect, origins: false })
      if (!value) return `${dialect}: ${renderAll(diagnostics)}`
      if (!equal(encode(value.programs[0]!.insns), bytes)) return `${dialect}: other bytes from\n${text}`
    }
  }
  return undefined
}

/** The same program by labels of the builder. */
function rebuilt(program: readonly Insn[]): Insn[] {
  const code = new Code()
  const slots = slotTable(program)
  const labels = new Map<number, Label>(Array.from(slots, (slot) => [slot, code.label()]))
  program.forEach((one, i) => {
    code.bind(labels.get(slots[i]!)!)
    const to = targetSlot(one, slots[i]!)
    code.add(one, to === undefined ? undefined : labels.get(to))
  })
  code.bind(labels.get(slots[program.length]!)!)
  return code.layout()
}

const key = ({ spec, dst, src, off, imm, imm64 }: Insn) =>
  `${spec.name} ${dst} ${src} ${off} ${imm} ${imm64?.toString()}`
const same = (a: readonly Insn[], b: readonly Insn[]) =>
  a.length === b.length && a.every((one, i) => key(one) === key(b[i]!))
const equal = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, i) => byte === b[i])
