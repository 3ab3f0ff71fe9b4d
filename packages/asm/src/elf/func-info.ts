// What a kernel wants to be told of a program's functions beside the code, by whoever loads it with bpf(2) and not from an object: their types as BTF, and
// the type of each (struct bpf_func_info, uapi linux/bpf.h). Without, it takes all for static ones, and verifies them anew at each call.

import { PROG_TYPES, type ProgTypeName } from '../abi/prog-types.ts'
import type { FunctionDef } from '../object.ts'
import { BtfBuilder, UNKNOWN_PROTO } from './btf-builder.ts'

export interface FunctionInfo {
  /** For BPF_BTF_LOAD. */
  readonly btf: Uint8Array
  /** For `func_info`, in the order of the code: where a function starts, in instructions of 8 bytes, and its type. */
  readonly functions: readonly { readonly name: string; readonly insnOff: number; readonly typeId: number }[]
}

/** @param functions all of the program, the program itself first */
export function functionInfo(functions: readonly FunctionDef[], type: ProgTypeName): FunctionInfo {
  const btf = new BtfBuilder()
  const { context } = PROG_TYPES[type]
  const rows = functions.map(({ name, slot, proto = UNKNOWN_PROTO }) => ({
    name,
    insnOff: slot,
    typeId: btf.func('', name, slot, proto, context),
  }))
  return { btf: btf.types(), functions: rows }
}
