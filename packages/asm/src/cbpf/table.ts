// Classic BPF: the instructions of pcap filters and socket filters, their encoding, and what the kernel demands of a program.
// An accumulator A, an index X, sixteen 32-bit words M[]. bpf(4) of BSD; Documentation/networking/filter.rst.
//
//   struct sock_filter { u16 code; u8 jt; u8 jf; u32 k }      code   7..5 mode or op | 4 3 size or source | 2..0 class

import { Diagnostics, type Outcome } from '@netsieve/diag'

export interface CbpfInsn {
  readonly code: number
  /** Instructions to skip if the test holds, and if not: 0..255. */
  readonly jt: number
  readonly jf: number
  /** Unsigned, 32 bits. */
  readonly k: number
}

/** Words of scratch memory M[]. */
export const CBPF_WORDS = 16
/** BPF_MAXINSNS. */
export const CBPF_LONGEST = 4096

export type CbpfOp = 'ld' | 'ldx' | 'st' | 'stx' | 'alu' | 'ja' | 'jump' | 'ret' | 'tax' | 'txa'
/** Where the value comes from: `mode` in the classic manual's words. */
export type CbpfMode = 'imm' | 'abs' | 'ind' | 'mem' | 'len' | 'msh' | 'k' | 'x' | 'a' | 'none'

export interface CbpfSpec {
  readonly code: number
  readonly op: CbpfOp
  /** As tcpdump -d and bpf_asm write it. */
  readonly mnemonic: string
  readonly mode: CbpfMode
  /** Bytes loaded from the packet. */
  readonly size: 0 | 1 | 2 | 4
}

const row = (code: number, op: CbpfOp, mnemonic: string, mode: CbpfMode, size: 0 | 1 | 2 | 4 = 0): CbpfSpec => ({ code, op, mnemonic, mode, size }) // biome-ignore format: a row

const ALU = { add: 0x00, sub: 0x10, mul: 0x20, div: 0x30, or: 0x40, and: 0x50, lsh: 0x60, rsh: 0x70, mod: 0x90, xor: 0xa0 } as const // biome-ignore format: a row
const JUMPS = { jeq: 0x10, jgt: 0x20, jge: 0x30, jset: 0x40 } as const

/** Every instruction there is. */
export const CBPF: readonly CbpfSpec[] = [
  row(0x00, 'ld', 'ld', 'imm'),
  row(0x20, 'ld', 'ld', 'abs', 4),
  row(0x28, 'ld', 'ldh', 'abs', 2),
  row(0x30, 'ld', 'ldb', 'abs', 1),
  row(0x40, 'ld', 'ld', 'ind', 4),
  row(0x48, 'ld', 'ldh', 'ind', 2),
  row(0x50, 'ld', 'ldb', 'ind', 1),
  row(0x60, 'ld', 'ld', 'mem'),
  row(0x80, 'ld', 'ld', 'len'),
  row(0x01, 'ldx', 'ldx', 'imm'),
  row(0x61, 'ldx', 'ldx', 'mem'),
  row(0x81, 'ldx', 'ldx', 'len'),
  row(0xb1, 'ldx', 'ldxb', 'msh', 1),
  row(0x02, 'st', 'st', 'mem'),
  row(0x03, 'stx', 'stx', 'mem'),
  ...Object.entries(ALU).flatMap(([name, code]) => [
    row(code | 0x04, 'alu', name, 'k'),
    row(code | 0x0c, 'alu', name, 'x'),
  ]),
  row(0x84, 'alu', 'neg', 'none'),
  row(0x05, 'ja', 'ja', 'none'),
  ...Object.entries(JUMPS).flatMap(([name, code]) => [
    row(code | 0x05, 'jump', name, 'k'),
    row(code | 0x0d, 'jump', name, 'x'),
  ]),
  row(0x06, 'ret', 'ret', 'k'),
  row(0x16, 'ret', 'ret', 'a'),
  row(0x07, 'tax', 'tax', 'none'),
  row(0x87, 'txa', 'txa', 'none'),
]

const BY_CODE: ReadonlyMap<number, CbpfSpec> = new Map(CBPF.map((spec) => [spec.code, spec]))

/** The form with a code; nothing for a code that is none. */
export const cbpfSpec = (code: number): CbpfSpec | undefined => BY_CODE.get(code)

/** Where the `ja` at `i` leads: back, if its offset wraps, as in the loops that libpcap makes for `protochain`. */
export const jumpTarget = (i: number, k: number): number => (i + 1 + k) | 0

/** Bytes of a program as `struct sock_filter[]` on a little-endian machine: 8 an instruction. */
export function encodeCbpf(program: readonly CbpfInsn[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * 8))
  program.forEach(({ code, jt, jf, k }, i) => {
    view.setUint16(i * 8, code, true)
    view.setUint8(i * 8 + 2, jt)
    view.setUint8(i * 8 + 3, jf)
    view.setUint32(i * 8 + 4, k, true)
  })
  return new Uint8Array(view.buffer)
}

/** The other way; `bytes.length % 8` bytes at the end are left over and ignored. Unknown codes stay as they are. */
export function decodeCbpf(bytes: Uint8Array): CbpfInsn[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => ({
    code: view.getUint16(i * 8, true),
    jt: view.getUint8(i * 8 + 2),
    jf: view.getUint8(i * 8 + 3),
    k: view.getUint32(i * 8 + 4, true),
  }))
}

/** The program if it is one that the kernel would attach: known codes, jumps that stay inside, M[] written before read, a `ret` last. */
export function checkCbpf(program: readonly CbpfInsn[]): Outcome<readonly CbpfInsn[]> {
  const diagnostics = new Diagnostics()
  if (program.length === 0) diagnostics.error('cbpf/empty', 'no instructions')
  if (program.length > CBPF_LONGEST)
    diagnostics.error('cbpf/long', `${program.length} instructions; at most ${CBPF_LONGEST}`)
  program.forEach((insn, i) => {
    const wrong = fault(insn, i, program.length)
    if (wrong) diagnostics.error('cbpf/insn', `instruction ${i}: ${wrong}`)
  })
  const last = program.at(-1)
  if (last && cbpfSpec(last.code)?.op !== 'ret') diagnostics.error('cbpf/ret', 'the last instruction is no ret')
  if (!diagnostics.hasErrors) for (const i of unwritten(program)) diagnostics.error('cbpf/mem', `instruction ${i}: M[${program[i]!.k}] is read before it is written`) // biome-ignore format: one act
  return diagnostics.outcome(program)
}

function fault({ code, jt, jf, k }: CbpfInsn, i: number, length: number): string | undefined {
  const spec = cbpfSpec(code)
  if (!spec) return `unknown code 0x${code.toString(16)}`
  if (spec.mode === 'mem' && k >= CBPF_WORDS) return `M[${k}] is above M[${CBPF_WORDS - 1}]`
  if (spec.mode === 'k' && k === 0 && (spec.mnemonic === 'div' || spec.mnemonic === 'mod')) return 'division by 0'
  if (spec.mode === 'k' && k > 31 && (spec.mnemonic === 'lsh' || spec.mnemonic === 'rsh'))
    return `a shift by ${k} of 32 bits`
  const targets = spec.op === 'ja' ? [jumpTarget(i, k)] : spec.op === 'jump' ? [i + 1 + jt, i + 1 + jf] : []
  const back = targets.find((target) => target <= i && target >= 0)
  if (back !== undefined) return `a jump back to ${back}, which no kernel takes`
  const outside = targets.find((target) => target >= length || target < 0)
  return outside === undefined ? undefined : `a jump to ${outside}, behind the end`
}

/** Reads of M[] that some path reaches without a write. Jumps go forward only, so one pass knows all paths. */
function unwritten(program: readonly CbpfInsn[]): number[] {
  const written: number[] = program.map(() => -1)
  const found: number[] = []
  let now = 0
  program.forEach(({ code, jt, jf, k }, i) => {
    const spec = cbpfSpec(code)!
    now &= written[i]!
    if (spec.op === 'st' || spec.op === 'stx') now |= 1 << k
    if (spec.mode === 'mem' && (spec.op === 'ld' || spec.op === 'ldx') && !(now & (1 << k))) found.push(i)
    const targets = spec.op === 'ja' ? [i + 1 + k] : spec.op === 'jump' ? [i + 1 + jt, i + 1 + jf] : []
    for (const target of targets) written[target]! &= now
    if (targets.length > 0 || spec.op === 'ret') now = -1
  })
  return found
}
