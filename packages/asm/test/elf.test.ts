import { readFileSync } from 'node:fs'
import { source } from '@netsieve/diag'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  assemble,
  type BpfObject,
  type FunctionProto,
  kernelFunctions,
  linkToKernel,
  readElf,
  writeElf,
} from '../src/index.ts'

/** Compiled by clang from test/asm/c, see record-clang.sh there. */
const clang = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../../test/asm/objects/${name}.o`, import.meta.url)))
const read = (bytes: Uint8Array) => {
  const { value, diagnostics } = readElf(bytes)
  expect(diagnostics).toEqual([])
  return value!
}
/** Without the lines of source, which a rewritten object has at other places, and the types of functions. */
const bare = (object: BpfObject) =>
  JSON.stringify(object, (key, value) => (key === 'origin' || key === 'proto' ? undefined : value), 1)
const functionsOf = ({ programs }: BpfObject) => programs.map(({ functions }) => functions)

const OURS = `
  .license "GPL"
  .map counts percpu_array key 4 value 8 entries 4
  .map events ringbuf entries 4096
  .section .rodata
  ports: .short 80, 443
  .text
  twice:
    r0 = r1
    r0 += r1
    exit
  .section xdp
  .globl filter
  filter:
    r1 = 1
    call twice
    r1 = counts ll
    r1 = ports ll
    r0 = *(u16 *)(r1 + 2)
    exit`

describe('objects from clang', () => {
  const object = read(clang('xdp'))

  test('programs, their types, and the functions linked behind them', () => {
    expect(object.programs.map(({ name, section, type, functions }) => [name, section, type, functions])).toEqual([
      ['filter', 'xdp', 'xdp', [{ name: 'filter', slot: 0, proto: { global: true, params: [{ kind: 'ctx' }], returns: 'scalar' } }, { name: 'port', slot: 27, proto: expect.anything() }]],
      ['drop_all', 'xdp', 'xdp', [expect.objectContaining({ name: 'drop_all', slot: 0 })]],
    ]) // biome-ignore format: rows
    expect(object.programs[0]!.insns[2]).toMatchObject({ imm: 24 })
    expect(object.license).toBe('GPL')
  })

  test('maps by BTF, and variables as maps', () => {
    const FIRST = new Uint8Array(4)
    expect(object.maps).toEqual([
      { name: 'counts', type: 'array', keySize: 4, valueSize: 8, maxEntries: 256 },
      { name: '.rodata', type: 'array', keySize: 4, valueSize: 2, maxEntries: 1, flags: 0x80, entries: [[FIRST, Uint8Array.of(80, 0)]], frozen: true },
      { name: '.bss', type: 'array', keySize: 4, valueSize: 8, maxEntries: 1, flags: 0, entries: [[FIRST, new Uint8Array(8)]] },
    ]) // biome-ignore format: rows
    expect(object.data.map(({ name, map, bytes, symbols }) => [name, map, [...bytes], symbols])).toEqual([
      ['.rodata', 1, [80, 0], [{ name: 'blocked_port', offset: 0 }]],
      ['.bss', 2, [0, 0, 0, 0, 0, 0, 0, 0], [{ name: 'seen', offset: 0 }]],
    ])
    expect(read(clang('tc')).maps).toEqual([
      { name: 'flows', type: 'hash', keySize: 4, valueSize: 16, maxEntries: 1024, flags: 1 },
    ])
    expect(read(clang('socket')).maps).toEqual([
      { name: 'ports', type: 'array', keySize: 4, valueSize: 4, maxEntries: 16 },
    ])
  })

  test('lines of source come as origins', () => {
    expect(object.programs[0]!.insns[13]!.origin).toEqual({ text: '__sync_fetch_and_add(count, 1);' })
  })

  test('CO-RE relocations are warned of', () => {
    const { value, diagnostics } = readElf(clang('core'))
    expect(diagnostics.map(({ severity, code }) => [severity, code])).toEqual([['warning', 'elf/core']])
    expect(value!.programs[0]!.name).toBe('pid_of')
  })

  test('a function pointer becomes a distance', () => {
    const { insns } = read(clang('tc')).programs[0]!
    expect(insns.find(({ spec }) => spec.imm64 === 'func')).toMatchObject({ dst: 2, imm: 14 })
  })

  test('keep nothing of a buffer that may be filled with something else', () => {
    const bytes = Buffer.from(clang('xdp'))
    const { data, programs } = read(bytes)
    bytes.fill(0xee)
    expect(data.length).toBeGreaterThan(0)
    expect(data).toEqual(object.data)
    expect(programs).toEqual(object.programs)
  })
})

describe('what we write', () => {
  test.each(['xdp', 'tc', 'socket'])('%s.o reads back the same', (name) => {
    const object = read(clang(name))
    expect(bare(read(writeElf(object)))).toBe(bare(object))
  })

  test('types of functions stay, so that global ones are verified as before', () => {
    const object = read(clang('xdp'))
    expect(functionsOf(read(writeElf(object)))).toEqual(functionsOf(object))
    const { programs, ...rest } = assemble(source('ours.s', OURS)).value!
    const mem = { kind: 'mem', size: 12, nullable: true } as const
    const protos: FunctionProto[] = [
      {
        global: true,
        params: [{ kind: 'ctx' }, { kind: 'scalar' }, mem, { ...mem, nullable: false }],
        returns: 'scalar',
      },
      { global: false, params: [{ kind: 'scalar' }], returns: 'void' },
      { global: true, params: [], returns: 'other' },
    ]
    for (const type of ['xdp', 'sched_cls'] as const)
      for (const proto of protos) {
        const [main, callee] = programs[0]!.functions
        const functions = [
          { ...main!, proto: protos[0]! },
          { ...callee!, proto },
        ]
        const section = type === 'xdp' ? 'xdp' : 'tc'
        const typed: BpfObject = { ...rest, programs: [{ ...programs[0]!, type, section, functions }] }
        expect(functionsOf(read(writeElf(typed)))).toEqual([functions])
      }
  })

  test('text to object to the same object', () => {
    const { value } = assemble(source('ours.s', OURS))
    const again = read(writeElf(value!))
    expect(bare(again)).toBe(bare(value!))
    expect(again.programs[0]!.insns[4]!.origin?.text).toBe('r0 = *(u16 *)(r1 + 2)')
  })

  test('maps of maps', () => {
    const inner = { name: 'inner', type: 'array', keySize: 4, valueSize: 8, maxEntries: 2 } as const
    const { value } = assemble(source('t', '.section xdp\nr0 = 2\nexit'))
    const outer = { name: 'outer', type: 'hash_of_maps', keySize: 4, valueSize: 4, maxEntries: 3, inner } as const
    const again = read(writeElf({ ...value!, maps: [outer] }))
    expect(again.maps).toEqual([{ ...outer, inner: { ...inner, name: 'outer.inner' } }])
  })
})

describe('hostile objects end in a diagnostic', () => {
  const object = clang('xdp')

  test('cut at any byte', () => {
    for (let size = 0; size < object.length; size += 3) {
      const { value, diagnostics } = readElf(object.subarray(0, size))
      expect(value).toBeUndefined()
      expect(diagnostics.length).toBeGreaterThan(0)
    }
  })

  test('any bytes changed', () => {
    const change = fc.tuple(fc.nat(object.length - 1), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = object.slice()
        for (const [at, value] of changes) bytes[at] = value
        const { value, diagnostics } = readElf(bytes)
        expect(value !== undefined || diagnostics.length > 0).toBe(true)
      }),
      { numRuns: 1500 },
    )
  })

  test.each([
    ['not ELF', [[0, 0]], 'this is no ELF file'],
    ['another machine', [[18, 62]], 'for machine 62'],
    ['32 bits', [[4, 1]], 'only 64-bit'],
  ] as const)('%s', (_, changes, message) => {
    const bytes = object.slice()
    for (const [at, value] of changes) bytes[at] = value
    expect(readElf(bytes).diagnostics[0]!.message).toContain(message)
  })

  test('many sections that are all the same code', () => {
    const { value } = assemble(source('t', `.section xdp\n${'r0 = 2\n'.repeat(60_000)}exit`))
    const bytes = writeElf(value!)
    const view = new DataView(bytes.buffer)
    const headers = Number(view.getBigUint64(40, true))
    const many = new Uint8Array(headers + 0xff00 * 64)
    many.set(bytes.subarray(0, headers))
    for (let i = 0; i < 0xff00; i++) many.set(bytes.subarray(headers + 64, headers + 128), headers + i * 64)
    many.set(bytes.subarray(headers), headers)
    new DataView(many.buffer).setUint16(60, 0xff00, true)
    expect(readElf(many).diagnostics[0]!.message).toContain('sections of code')
  })
})

describe('functions of the kernel', () => {
  const text = `
    .section tc
    .globl f
    f:
      r2 = 0
      r3 = r10
      r3 += -16
      call kfunc bpf_dynptr_from_skb
      r1 = r10
      r1 += -16
      call bpf_dynptr_size#-2
      r0 = 0
      exit`
  const object = assemble(source('kernel.s', text), {}).value!

  test('are called by name, in text and through an object', () => {
    const back = read(writeElf(object))
    expect(back.programs[0]!.insns.map(({ spec, imm }) => [spec.name, imm])).toEqual(
      object.programs[0]!.insns.map(({ spec, imm }) => [spec.name, imm]),
    )
    expect(back.programs[0]!.insns.filter(({ spec }) => spec.call === 'kfunc').map(({ imm }) => imm)).toEqual([-1, -2])
  })

  test('get the numbers of a kernel, or an error that names what it has not', () => {
    const { insns } = object.programs[0]!
    const btf = sectionOf(writeElf(object), '.BTF')
    const functions = kernelFunctions(btf).value!
    const linked = linkToKernel(insns, functions).value!
    expect(linked.filter(({ spec }) => spec.call === 'kfunc').map(({ imm }) => imm)).toEqual([
      functions.get('bpf_dynptr_from_skb'),
      functions.get('bpf_dynptr_size'),
    ])
    expect(functions.get('bpf_dynptr_size')).toBeGreaterThan(0)
    expect(linkToKernel(insns, new Map([['bpf_dynptr_from_skb', 5]])).diagnostics).toMatchObject([
      { code: 'asm/kernel', message: 'the kernel has no function bpf_dynptr_size' },
    ])
    expect(kernelFunctions(new Uint8Array(40)).diagnostics).toMatchObject([{ code: 'elf/broken' }])
  })
})

/** The bytes of a section of an object. */
function sectionOf(file: Uint8Array, wanted: string): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset)
  const header = (i: number) => Number(view.getBigUint64(40, true)) + i * 64
  const part = (i: number) => {
    const at = Number(view.getBigUint64(header(i) + 24, true))
    return file.subarray(at, at + Number(view.getBigUint64(header(i) + 32, true)))
  }
  const names = part(view.getUint16(62, true))
  const nameOf = (i: number) => new TextDecoder().decode(names.subarray(view.getUint32(header(i), true))).split('\0')[0]
  return part(Array.from({ length: view.getUint16(60, true) }, (_, i) => i).find((i) => nameOf(i) === wanted)!)
}
