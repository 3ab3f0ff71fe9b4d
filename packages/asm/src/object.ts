// A BPF object: what assembly text and ELF files are read to, and what is written as ELF. Programs are linked: each has its
// subprograms behind it, and refers to maps by their index in `maps`.

import { MAP_FLAGS, type MapDef } from './abi/maps.ts'
import type { ProgTypeName } from './abi/prog-types.ts'
import type { Insn } from './insn.ts'

/** What a caller may pass: a number, the program's context, memory of a known size (bytes), or something else. */
export type ParamDef =
  | { readonly kind: 'scalar' }
  | { readonly kind: 'ctx' }
  | { readonly kind: 'mem'; readonly size: number; readonly nullable: boolean }
  | { readonly kind: 'other'; readonly what: string }

/** A function's type, as its BTF has it. A verifier looks at a global function by itself, for all arguments of these types. */
export interface FunctionProto {
  readonly global: boolean
  readonly params: readonly ParamDef[]
  readonly returns: 'scalar' | 'void' | 'other'
}

/** The start of a function in a program; with its type where there is BTF. */
export interface FunctionDef {
  readonly name: string
  readonly slot: number
  readonly proto?: FunctionProto
}

/** One program, ready to load. */
export interface Program {
  readonly name: string
  /** The section it came from; libbpf takes the program type from its name. */
  readonly section: string
  readonly type?: ProgTypeName
  readonly insns: readonly Insn[]
  /** In order; the first is the program itself, at slot 0. */
  readonly functions: readonly FunctionDef[]
}

/** A section of variables. It is loaded as an array map of one element, `maps[map]`. */
export interface DataSection {
  readonly name: string
  readonly bytes: Uint8Array
  readonly map: number
  readonly symbols: readonly { readonly name: string; readonly offset: number }[]
}

export interface BpfObject {
  readonly programs: readonly Program[]
  readonly maps: readonly MapDef[]
  readonly data: readonly DataSection[]
  readonly license?: string
}

/** Section names (or what stands before their `/`) and the program types that libbpf reads from them. */
const SECTION_TYPES: Readonly<Record<string, ProgTypeName>> = {
  socket: 'socket_filter',
  filter: 'socket_filter',
  tc: 'sched_cls',
  tcx: 'sched_cls',
  classifier: 'sched_cls',
  xdp: 'xdp',
  'xdp.frags': 'xdp',
  cgroup_skb: 'cgroup_skb',
  'cgroup/skb': 'cgroup_skb',
  netfilter: 'netfilter',
}

/** The program type that a section's name asks for; nothing for a name that is not known here. */
export function typeOfSection(section: string): ProgTypeName | undefined {
  const name = section.replace(/^\?/, '')
  return SECTION_TYPES[name] ?? SECTION_TYPES[name.slice(0, Math.max(0, name.indexOf('/')))]
}

export const isDataSection = (name: string): boolean => /^\.(rodata|data|bss)(\.|$)/.test(name)

const FIRST_KEY = new Uint8Array(4)

/** The map that a data section is loaded as; one that is only read is frozen, as libbpf does it. */
export function dataMap(name: string, bytes: Uint8Array): MapDef {
  const onlyRead = name.startsWith('.rodata')
  return {
    name,
    type: 'array',
    keySize: 4,
    valueSize: Math.max(1, bytes.length),
    maxEntries: 1,
    flags: onlyRead ? MAP_FLAGS.rdonly_prog : 0,
    ...(bytes.length > 0 && { entries: [[FIRST_KEY, bytes] as const] }),
    ...(onlyRead && { frozen: true }),
  }
}
