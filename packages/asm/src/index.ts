// The eBPF machine: instruction table, ABI tables, bytes, text, objects. 64-bit immediates are `Long`s.

export { default as Long } from 'long'
export {
  CONTEXTS,
  type ContextField,
  type ContextFieldKind,
  type ContextLayout,
  type ContextName,
  NF_HOOK_STATE,
} from './abi/contexts.ts'
export {
  type ArgKind,
  HELPERS,
  type Helper,
  type HelperName,
  helperById,
  helperName,
  type RetKind,
} from './abi/helpers.ts'
export { KFUNCS, type Kfunc, type KfuncName, kfuncById, kfuncName } from './abi/kfuncs.ts'
export { LIMITS } from './abi/limits.ts'
export {
  MAP_FLAGS,
  MAP_TYPES,
  type MapDef,
  type MapEntry,
  type MapTypeName,
  programEntry,
  programsIn,
} from './abi/maps.ts'
export {
  type Decision,
  decisionOf,
  KEEP_ALL,
  PROG_TYPES,
  type ProgType,
  type ProgTypeName,
  type Side,
  sectionOf,
} from './abi/prog-types.ts'
export { Code, type Label } from './builder.ts'
export {
  CBPF,
  CBPF_LONGEST,
  CBPF_WORDS,
  type CbpfInsn,
  type CbpfMode,
  type CbpfOp,
  type CbpfSpec,
  cbpfSpec,
  checkCbpf,
  decodeCbpf,
  encodeCbpf,
} from './cbpf/table.ts'
export { type CbpfDialect, parseCbpf, printCbpf } from './cbpf/text.ts'
export { translateCbpf } from './cbpf/translate.ts'
export { type BadSlot, type Decoded, type DecodeOptions, decode, encode } from './codec.ts'
export {
  type ConformanceTest,
  conformancePlugin,
  conformanceProgram,
  hexBytes,
  type PluginReply,
  type PluginRun,
  parseConformance,
} from './conformance.ts'
export { type FunctionInfo, functionInfo } from './elf/func-info.ts'
export { type KernelFunctions, kernelFunctions, linkToKernel } from './elf/kernel.ts'
export { readElf } from './elf/read.ts'
export { UnwritableError, type WriteOptions, writeElf } from './elf/write.ts'
export { disassembleBytes, emitC, emitHex, fromJson, type InsnJson, toJson } from './emit.ts'
export { type Insn, type InsnFields, insn, type Origin, slotTable } from './insn.ts'
export {
  type AluOp,
  type AtomicOp,
  type Bytes,
  type CallTarget,
  CLASS,
  type Cpu,
  type EndOp,
  type FieldUse,
  type Group,
  type Imm64Kind,
  type InsnSpec,
  ISA,
  type JumpOp,
  type Kind,
  requiredCpu,
  requiredGroups,
  specByName,
  specsByOpcode,
} from './isa.ts'
export {
  type BpfObject,
  type DataSection,
  type FunctionDef,
  type FunctionProto,
  type ParamDef,
  type Program,
  typeOfSection,
} from './object.ts'
export {
  layout,
  type Op,
  type OpLine,
  type Ops,
  type OpTarget,
  ops,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
  R7,
  R8,
  R9,
  R10,
  type Reg,
} from './ops.ts'
export { type AssembleOptions, assemble } from './text/assemble.ts'
export { type Block, blocks, type CfgOptions, drawCfg, type Edge } from './text/cfg.ts'
export { listObject, type ObjectListingOptions } from './text/list-object.ts'
export { disassemble, type FormatOptions, formatInsn, type ListingOptions, targetSlot } from './text/print.ts'
export { DIALECTS, type Dialect } from './text/templates.ts'
