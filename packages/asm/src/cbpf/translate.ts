// Classic BPF to eBPF for a socket filter: A in r0, X in r7, the context in r6, M[] on the stack. Documentation/networking/filter.rst.
// Loads stay legacy packet loads (LD_ABS, LD_IND), which return 0 from the program outside the packet, as classic BPF does.

import { Diagnostics, type Outcome } from '@netsieve/diag'
import { CONTEXTS } from '../abi/contexts.ts'
import { Code, type Label } from '../builder.ts'
import type { Insn, Origin } from '../insn.ts'
import type { AluOp, JumpOp } from '../isa.ts'
import { CBPF_WORDS, type CbpfInsn, type CbpfSpec, cbpfSpec, checkCbpf } from './table.ts'
import { AD_OFF, EXTENSIONS, printCbpf } from './text.ts'

const A = 0
const X = 7
const CTX = 6
const SAVED = 8
const SKB = CONTEXTS.__sk_buff.fields

/** Where M[k] is, in bytes from r10. */
const word = (k: number): number => -4 * (CBPF_WORDS - k)

/** The eBPF program; no value if the kernel would not take the classic one. Each instruction's origin is the classic one's text. */
export function translateCbpf(program: readonly CbpfInsn[]): Outcome<readonly Insn[]> {
  const checked = checkCbpf(program)
  if (!checked.value) return { diagnostics: checked.diagnostics }
  const diagnostics = new Diagnostics()
  const texts = printCbpf(program, 'd').split('\n')
  const code = new Code()
  const labels = program.map((_, i) => code.label(`c${i}_`))
  code.origin = { text: 'prologue' }
  code.mov(CTX, { reg: 1 })
  code.mov(A, 0)
  code.mov(X, 0)
  program.forEach((insn, i) => {
    code.bind(labels[i]!)
    code.origin = { text: texts[i]! } satisfies Origin
    const wrong = step(code, insn, cbpfSpec(insn.code)!, i, labels)
    if (wrong) diagnostics.error('cbpf/translate', `instruction ${i}: ${wrong}`)
  })
  return diagnostics.outcome(diagnostics.hasErrors ? undefined : code.layout())
}

/** Emits the code of one instruction. @returns what is not possible, if anything. */
function step(
  code: Code,
  { jt, jf, k }: CbpfInsn,
  spec: CbpfSpec,
  i: number,
  labels: readonly Label[],
): string | undefined {
  switch (spec.op) {
    case 'ld':
    case 'ldx':
      return load(code, k, spec)
    case 'st':
    case 'stx':
      code.store(4, 10, word(k), { reg: spec.op === 'st' ? A : X })
      return undefined
    case 'alu':
      alu(code, k, spec)
      return undefined
    case 'ja':
      code.goto(labels[i + 1 + k]!)
      return undefined
    case 'jump':
      jump(code, k, spec, { yes: labels[i + 1 + jt]!, no: labels[i + 1 + jf]!, jt, jf })
      return undefined
    case 'ret':
      if (spec.mode === 'k') code.mov(A, k, 32)
      code.exit()
      return undefined
    case 'tax':
      code.mov(X, { reg: A }, 32)
      return undefined
    case 'txa':
      code.mov(A, { reg: X }, 32)
      return undefined
  }
}

const LETTER = { 0: '', 1: 'b', 2: 'h', 4: 'w' } as const

function load(code: Code, k: number, { op, mode, size }: CbpfSpec): string | undefined {
  const into = op === 'ld' ? A : X
  switch (mode) {
    case 'imm':
      code.mov(into, k, 32)
      return undefined
    case 'mem':
      code.load(4, into, 10, word(k))
      return undefined
    case 'len':
      code.load(4, into, CTX, SKB.len.offset)
      return undefined
    case 'abs':
      if (k >= AD_OFF && k < AD_OFF + 64) return extension(code, k - AD_OFF)
      code.emit(`ldabs${LETTER[size]}`, { imm: k | 0 })
      return undefined
    case 'ind':
      code.emit(`ldind${LETTER[size]}`, { src: X, imm: k | 0 })
      return undefined
    default: // msh: X = 4 * (low nibble of a packet byte); A stays.
      code.mov(SAVED, { reg: A })
      code.emit('ldabsb', { imm: k | 0 })
      code.alu('and', A, 15, 32)
      code.alu('lsh', A, 2, 32)
      code.mov(X, { reg: A })
      code.mov(A, { reg: SAVED })
      return undefined
  }
}

/** Loads of what the kernel knows about a packet; those that a socket filter's context has. */
function extension(code: Code, offset: number): string | undefined {
  const name = (Object.entries(EXTENSIONS) as [keyof typeof EXTENSIONS, number][]).find(
    ([, each]) => each === offset,
  )?.[0]
  const field = { proto: SKB.protocol, type: SKB.pkt_type, ifidx: SKB.ifindex, mark: SKB.mark, queue: SKB.queue_mapping, rxhash: SKB.hash, vlan_tci: SKB.vlan_tci, vlan_avail: SKB.vlan_present, vlan_tpid: SKB.vlan_proto }[name as string] // biome-ignore format: a table
  if (field) {
    code.load(4, A, CTX, field.offset)
    // The context has them in network order, classic BPF in the machine's.
    if (name === 'proto' || name === 'vlan_tpid') code.be(A, 16)
    return undefined
  }
  if (name !== 'cpu' && name !== 'rand') return `the extension ${name ?? offset} has no counterpart in eBPF`
  code.call(name === 'cpu' ? 8 : 7)
  return undefined
}

function alu(code: Code, k: number, { mnemonic, mode }: CbpfSpec): void {
  const op = mnemonic as AluOp
  if (mode === 'x' && (op === 'div' || op === 'mod')) {
    // Division by zero ends a classic program with 0; in eBPF it has a value.
    const fine = code.label('divide')
    code.jump('jne', X, 0, fine, 32)
    code.mov(A, 0)
    code.exit()
    code.bind(fine)
  }
  code.alu(op, A, mode === 'x' ? { reg: X } : k, 32)
}

function jump(
  code: Code,
  k: number,
  { mnemonic, mode }: CbpfSpec,
  to: { yes: Label; no: Label; jt: number; jf: number },
): void {
  if (to.jt !== to.jf) code.jump(mnemonic as JumpOp, A, mode === 'x' ? { reg: X } : k, to.yes, 32)
  if (to.jf !== 0) code.goto(to.no)
}
