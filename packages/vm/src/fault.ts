// What stops a run: a value that names the instruction, the address and the reason. The engines never throw for a program's fault.

export type FaultKind =
  | 'out-of-bounds' // an address in or near a region, but not wholly inside
  | 'no-region' // a number that points nowhere
  | 'read-only' // a store to what may only be read
  | 'context' // no such context field, or not for this program type
  | 'budget' // more instructions, work of helpers or output than allowed
  | 'call-depth'
  | 'jump' // out of the program, or off its end
  | 'unknown-helper'
  | 'helper-argument'
  | 'unsupported' // an instruction that this mode has not
  | 'packet' // a packet that the machine cannot take

export interface Fault {
  readonly kind: FaultKind
  /** Index of the instruction in its program, and of its first slot. */
  readonly insn: number
  readonly slot: number
  /** Which program, where a tail call led to another than the first. */
  readonly program?: number
  /** The address as a 64-bit hexadecimal number. */
  readonly address?: string
  /** `packet`, `stack`, `ctx`, a map's name … */
  readonly region?: string
  readonly reason: string
}

/** A fault before the engine has put its place to it. */
export type FaultDraft = Pick<Fault, 'kind' | 'reason' | 'address' | 'region'>

export function overBudget(insns: number): FaultDraft {
  return { kind: 'budget', reason: `more than ${insns} instructions` }
}

export function overWork(bytes: number): FaultDraft {
  return { kind: 'budget', reason: `helpers went through more than ${bytes} bytes` }
}

export function overOutput(bytes: number): FaultDraft {
  return { kind: 'budget', reason: `more than ${bytes} bytes were sent out` }
}

export function tooDeep(frames: number): FaultDraft {
  return { kind: 'call-depth', reason: `calls deeper than ${frames} frames` }
}

export function hex64(hi: number, lo: number): string {
  return `0x${(hi >>> 0).toString(16).padStart(8, '0')}${(lo >>> 0).toString(16).padStart(8, '0')}`
}
