// What a loader does for programs that call kernel functions: gives the calls the numbers that the functions have in a kernel's BTF
// (/sys/kernel/btf/vmlinux; Documentation/bpf/kfuncs.rst).

import { Diagnostics, type Outcome } from '@netsieve/diag'
import { kfuncName } from '../abi/kfuncs.ts'
import type { Insn } from '../insn.ts'
import { readBtf } from './btf.ts'
import { Broken, View } from './bytes.ts'
import { BTF } from './format.ts'

/** Numbers of functions by their names. */
export type KernelFunctions = ReadonlyMap<string, number>

/** The functions of a kernel, from its BTF. Code: `elf/broken` for bytes that are no BTF. */
export function kernelFunctions(btf: Uint8Array): Outcome<KernelFunctions> {
  const diagnostics = new Diagnostics()
  try {
    const found = [...readBtf(new View(btf, 'the BTF')).types.entries()].filter(([, { kind }]) => kind === BTF.func)
    return diagnostics.outcome(new Map(found.map(([id, { name }]) => [name, id])))
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    diagnostics.error('elf/broken', error.message)
    return { diagnostics: diagnostics.list }
  }
}

/** The program as that kernel takes it. Code: `asm/kernel` for a function that the kernel has not. */
export function linkToKernel(insns: readonly Insn[], functions: KernelFunctions): Outcome<readonly Insn[]> {
  const diagnostics = new Diagnostics()
  const linked = insns.map((one) => {
    const name = one.spec.call === 'kfunc' ? kfuncName(one.imm) : undefined
    if (name === undefined) return one
    const imm = functions.get(name)
    if (imm === undefined) diagnostics.error('asm/kernel', `the kernel has no function ${name}`)
    return imm === undefined ? one : { ...one, imm }
  })
  return diagnostics.outcome(linked)
}
