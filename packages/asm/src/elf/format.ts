// Numbers of the ELF, BTF and relocation formats, as far as BPF objects use them. elf(5); Documentation/bpf/btf.rst, llvm_reloc.rst.

export const ELF = { ident: 0x464c457f, class64: 2, little: 1, version: 1, relocatable: 1, machineBpf: 247, headerSize: 64, sectionSize: 64, symbolSize: 24, hidden: 2 } as const // biome-ignore format: one family

export const SECTION = { progbits: 1, symtab: 2, strtab: 3, rela: 4, nobits: 8, rel: 9 } as const
export const FLAG = { write: 1, alloc: 2, exec: 4, merge: 0x10, strings: 0x20 } as const
export const SYMBOL = { notype: 0, object: 1, func: 2, section: 3 } as const
export const BIND = { local: 0, global: 1 } as const

/** llvm_reloc.rst: the 64-bit immediate of LD_IMM64; a 64- and a 32-bit number in data; in .BTF.ext; a call. */
export const RELOC = { imm64: 1, abs64: 2, abs32: 3, nodyld32: 4, call: 10 } as const

export const BTF_MAGIC = 0xeb9f
export const BTF = { int: 1, ptr: 2, array: 3, struct: 4, union: 5, enum: 6, fwd: 7, typedef: 8, volatile: 9, const: 10, restrict: 11, func: 12, funcProto: 13, var: 14, datasec: 15, float: 16, declTag: 17, typeTag: 18, enum64: 19 } as const // biome-ignore format: one family
