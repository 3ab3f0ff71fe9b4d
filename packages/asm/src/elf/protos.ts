// The types of functions from BTF, as far as a verifier looks at them: linkage, what callers may pass, what comes back.
// Documentation/bpf/btf.rst; the tags are those of libbpf's bpf_helpers.h (__arg_ctx, __arg_nonnull).

import { CONTEXTS } from '../abi/contexts.ts'
import type { FunctionProto, ParamDef } from '../object.ts'
import { type Btf, type BtfType, plainType, sizeOfType } from './btf.ts'
import { BTF } from './format.ts'

const GLOBAL_LINKAGE = 1
const SCALARS: ReadonlySet<number> = new Set([BTF.int, BTF.enum, BTF.enum64])

/** The functions that BTF describes, by name. @throws Broken */
export function btfFunctions(btf: Btf): Map<string, FunctionProto> {
  const tags = new Map<number, BtfType[]>()
  for (const type of btf.types) {
    if (type.kind !== BTF.declTag) continue
    const list = tags.get(type.sizeOrType)
    if (list) list.push(type)
    else tags.set(type.sizeOrType, [type])
  }
  const found = new Map<string, FunctionProto>()
  btf.types.forEach((type, id) => {
    if (type.kind !== BTF.func) return
    const proto = btf.types[type.sizeOrType]
    if (proto?.kind !== BTF.funcProto) return
    const tagsOf = (index: number) => (tags.get(id) ?? []).filter(({ vlen, component }) => vlen === 0 && component === index) // biome-ignore format: one act
    const params = proto.members.map((param, i) => paramOf(btf, param.type, tagsOf(i).map(({ name }) => name))) // biome-ignore format: one act
    found.set(type.name, { global: type.vlen === GLOBAL_LINKAGE, params, returns: returnOf(btf, proto.sizeOrType) })
  })
  return found
}

function returnOf(btf: Btf, id: number): FunctionProto['returns'] {
  if (id === 0) return 'void'
  const { kind } = plainType(btf, id)
  return kind === 0 ? 'void' : SCALARS.has(kind) ? 'scalar' : 'other'
}

function paramOf(btf: Btf, id: number, tags: readonly string[]): ParamDef {
  const type = plainType(btf, id)
  const unknown = tags.find((tag) => tag.startsWith('arg:') && tag !== 'arg:ctx' && tag !== 'arg:nonnull')
  if (unknown !== undefined) return { kind: 'other', what: `the tag ${unknown}` }
  if (SCALARS.has(type.kind)) return { kind: 'scalar' }
  if (type.kind !== BTF.ptr) return { kind: 'other', what: 'an argument that is neither a number nor a pointer' }
  const target = plainType(btf, type.sizeOrType)
  if (tags.includes('arg:ctx') || Object.hasOwn(CONTEXTS, target.name)) return { kind: 'ctx' }
  const size = target.kind === BTF.fwd ? 0 : sizeOfType(btf, type.sizeOrType)
  if (size === 0) return { kind: 'other', what: `a pointer to ${target.name || 'void'}, whose size is not known` }
  return { kind: 'mem', size, nullable: !tags.includes('arg:nonnull') }
}
