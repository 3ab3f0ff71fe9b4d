// The classic BPF that we make of tcpdump's expressions: the same verdicts as libpcap's own programs on the golden captures, in about as
// many instructions; and the same meaning as the IR on cut packets of any kind. The classic machine here is the test's own.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CbpfInsn, cbpfSpec, checkCbpf } from '@netsieve/asm'
import { generate, generateCbpf } from '@netsieve/codegen'
import { evaluate, type Filter } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import { pcapFilter } from '@netsieve/rules'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const GOLDEN = join(import.meta.dirname, '../../golden')
const golden: { rows: { expr: string; insns?: number; [capture: string]: string | number | undefined }[] } = JSON.parse(
  readFileSync(join(GOLDEN, 'pcap.golden.json'), 'utf8'),
)
const captures = ['base', 'flags', 'trunc'].map((name) => ({
  name,
  records: readCapture(name, readFileSync(join(GOLDEN, `captures/${name}.pcap`))).records,
}))

function lowered(expr: string): Filter | undefined {
  const { value } = pcapFilter.parse({ name: 'expression', text: expr })
  return value && pcapFilter.lower(value, {}).value
}

const SPECS = Array.from({ length: 256 }, (_, code) => cbpfSpec(code))

const ALU: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => Math.imul(a, b),
  div: (a, b) => Math.floor(a / b),
  mod: (a, b) => a % b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  lsh: (a, b) => (b > 31 ? 0 : a << b),
  rsh: (a, b) => (b > 31 ? 0 : a >>> b),
  neg: (a) => -a,
}
const JUMP: Record<string, (a: number, b: number) => boolean> = {
  jeq: (a, b) => a === b,
  jgt: (a, b) => a > b,
  jge: (a, b) => a >= b,
  jset: (a, b) => (a & b) !== 0,
}

/** What a program returns for a packet: loads outside it and divisions by 0 end it with 0. */
function run(program: readonly CbpfInsn[], packet: Uint8Array, wireLength: number): number {
  let [a, x] = [0, 0]
  const m = new Uint32Array(16)
  for (let pc = 0; ; pc++) {
    const { code, jt, jf, k } = program[pc]!
    const { op, mode, size, mnemonic } = SPECS[code]!
    const operand = mode === 'x' ? x : k
    if (op === 'ret') return k
    if (op === 'tax') x = a
    else if (op === 'txa') a = x
    else if (op === 'st') m[k] = a
    else if (op === 'stx') m[k] = x
    else if (op === 'ja') pc = (pc + k) | 0
    else if (op === 'jump') pc += JUMP[mnemonic]!(a, operand) ? jt : jf
    else if (op === 'alu') {
      if (operand === 0 && (mnemonic === 'div' || mnemonic === 'mod')) return 0
      a = ALU[mnemonic]!(a, operand) >>> 0
    } else {
      const start = mode === 'ind' ? x + k : k
      if (size > 0 && start + size > packet.length) return 0
      let value = mode === 'mem' ? m[k]! : mode === 'len' ? wireLength : mode === 'imm' ? k : 0
      for (let i = 0; i < size; i++) value = value * 256 + packet[start + i]!
      if (mode === 'msh') value = (value & 15) * 4
      if (op === 'ldx') x = value
      else a = value
    }
  }
}

/** `0,4-6` */
function ranges(numbers: readonly number[]): string {
  const out: { first: number; last: number }[] = []
  for (const number of numbers) {
    const before = out.at(-1)
    if (before?.last === number - 1) before.last = number
    else out.push({ first: number, last: number })
  }
  return out.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

const accepted = golden.rows.flatMap(({ expr, insns, ...verdicts }) => {
  const filter = insns === undefined ? undefined : lowered(expr)
  return filter ? [{ expr, insns: insns!, filter, verdicts, program: generateCbpf(filter).value! }] : []
})

describe('programs', () => {
  test.each(accepted)('$expr', ({ expr, program, verdicts }) => {
    // Header chains are walked in a loop, as libpcap does: of that the kernel would say no.
    const wrong = checkCbpf(program).diagnostics.map(({ message }) => message.replace(/\d+/g, 'N'))
    expect([...new Set(wrong)]).toEqual(
      expr.includes('protochain') ? [expect.stringContaining('a jump back to N, which no kernel takes')] : [],
    )
    for (const { name, records } of captures) {
      const passed = records.flatMap(({ data, originalLength }, i) => (run(program, data, originalLength) ? [i] : []))
      expect(ranges(passed), name).toBe(verdicts[name])
    }
  })

  test("are together no longer than a tenth above libpcap's", () => {
    const ours = accepted.map(({ program }) => program.length)
    const theirs = accepted.map(({ insns }) => insns)
    const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
    expect(accepted.length).toBeGreaterThan(200)
    expect(sum(ours)).toBeLessThan(sum(theirs) * 1.1)
  })

  test('keep as many bytes as asked, and every packet for an empty expression', () => {
    expect(generateCbpf(lowered('')!, { snaplen: 96 }).value).toEqual([{ code: 6, jt: 0, jf: 0, k: 96 }])
  })

  test('reach over more than 255 instructions', () => {
    const long = Array.from({ length: 300 }, (_, i) => `ether[${i}] = ${i & 255}`)
    for (const word of ['and', 'or']) {
      const filter = lowered(long.join(` ${word} `))!
      const program = generateCbpf(filter).value!
      expect(checkCbpf(program).diagnostics).toEqual([])
      const all = Uint8Array.from(long, (_, i) => i & 255)
      for (const packet of [all, all.map((byte) => byte ^ 1), all.slice(0, 200)]) {
        expect(run(program, packet, 300) !== 0).toBe(evaluate(filter, packet).decision === 'pass')
      }
    }
  })
})

test('eBPF programs keep the places that tunnels put headers at, and stay short', () => {
  const lengths = [
    'geneve and ip',
    'geneve and geneve and tcp port 80',
    'vxlan and vxlan and vxlan and tcp port 80',
  ].map((expr) => generate(lowered(expr)!, { type: 'xdp' }).insns.length)
  expect(Math.max(...lengths)).toBeLessThan(2000)
})

test('mean what the IR means, on packets of any bytes and length', () => {
  const ethertype = fc.constantFrom([8, 0], [0x86, 0xdd], [8, 6], [0x81, 0], [0x88, 0x47], [0, 60])
  const packet = fc
    .tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), ethertype, fc.uint8Array({ maxLength: 80 }), fc.nat(90))
    .map(([start, type, rest, cut]) => Uint8Array.from([...start, ...type, ...rest]).slice(0, cut))
  fc.assert(
    fc.property(packet, fc.nat(accepted.length - 1), (bytes, index) => {
      const { filter, program } = accepted[index]!
      expect(run(program, bytes, bytes.length) !== 0).toBe(evaluate(filter, bytes).decision === 'pass')
    }),
    { numRuns: 2000 },
  )
})
