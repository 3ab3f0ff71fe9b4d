// Objects against libbpf and the kernel. What libbpf makes of clang's objects is recorded (record-bpftool.sh); our own objects
// are given to bpftool where there is one, with root and a bpf file system, and skipped plainly where not.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assemble, type BpfObject, formatInsn, readElf, slotTable, writeElf } from '@netsieve/asm'
import { renderAll, source } from '@netsieve/diag'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

const here = (path: string) => new URL(path, import.meta.url)

function object(name: string): BpfObject {
  const { value, diagnostics } = readElf(readFileSync(here(`objects/${name}.o`)))
  if (!value) throw new Error(renderAll(diagnostics))
  return value
}

describe('programs are linked as libbpf links them', () => {
  const recorded = readFileSync(here('golden/objects.txt'), 'utf8').split(/^=== /m).slice(1)

  test.each(recorded.map((block) => [block.slice(0, block.indexOf('\n')), block] as const))('%s', (title, block) => {
    const [file = '', name] = title.split(' ')
    const program = object(file).programs.find((each) => each.name === name)!
    const slots = slotTable(program.insns)
    const lines = program.insns.map((insn, i) => {
      const text = `${slots[i]}: ${formatInsn(insn)}`
      // Where the kernel has an address we have a map; it writes function pointers as bare distances.
      return text
        .replace(/map\[.*/, 'ADDRESS')
        .replace(/subprog\[\+(\d+)\]/, (_, n: string) => `0x${Number(n).toString(16)}`)
    })
    expect(lines).toEqual(block.trimEnd().split('\n').slice(1))
  })
})

/** What the VM returns for 64 zero bytes, variables set as the object has them. */
function inTheVm({ programs, maps, data }: BpfObject): number {
  const machine = load(programs[0]!.insns, { type: programs[0]!.type!, maps })
  for (const { map, bytes } of data) machine.map(map).set(new Uint8Array(4), bytes)
  return machine.run(new Uint8Array(64)).r0
}

const able = process.getuid?.() === 0 && existsSync('/sys/fs/bpf') && ['/usr/sbin/bpftool', '/usr/bin/bpftool'].some(existsSync) && mounted() // biome-ignore format: one question

function mounted(): boolean {
  return readFileSync('/proc/mounts', 'utf8').includes(' /sys/fs/bpf bpf ')
}

describe.skipIf(!able)('our objects are loaded by bpftool and run by the kernel', () => {
  const folder = mkdtempSync(join(tmpdir(), 'netsieve-elf-'))
  const bpftool = (...args: string[]) =>
    execFileSync('bpftool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

  /** Loads, lets `look` look, removes. */
  function loaded<T>(value: BpfObject, look: (pin: string) => T): T {
    const file = join(folder, 'x.o')
    const pin = `/sys/fs/bpf/netsieve_test_${process.pid}`
    writeFileSync(file, writeElf(value))
    try {
      bpftool('prog', 'loadall', file, pin)
      return look(pin)
    } finally {
      rmSync(pin, { recursive: true, force: true })
    }
  }

  test.each(['xdp', 'tc', 'socket'])("clang's %s.o, read and written again", (name) => {
    const value = object(name)
    for (const { name: program } of value.programs) {
      expect(loaded(value, (pin) => bpftool('prog', 'show', 'pinned', `${pin}/${program}`))).toContain(
        `name ${program}`,
      )
    }
  })

  test('a program of ours: the listing quotes the text that asked for each instruction, and the run returns its value', () => {
    const text = `
      .license "GPL"
      .map counts array key 4 value 8 entries 4
      .section .rodata
      verdict: .long 2
      .text
      add_one:
        r0 = r1
        r0 += 1
        exit
      .section xdp
      .globl filter
      filter:
        r1 = 40
        call add_one
        r6 = r0
        r2 = 0
        *(u32 *)(r10 - 4) = r2
        r2 = r10
        r2 += -4
        r1 = counts ll
        call bpf_map_lookup_elem
        r1 = verdict ll
        w0 = *(u32 *)(r1 + 0)
        r0 += r6
        exit`
    const { value } = assemble(source('t.s', text))
    writeFileSync(join(folder, 'in'), new Uint8Array(64))
    const [xlated, run] = loaded(value!, (pin) => [
      bpftool('prog', 'dump', 'xlated', 'pinned', `${pin}/filter`),
      bpftool('prog', 'run', 'pinned', `${pin}/filter`, 'data_in', join(folder, 'in')),
    ])
    expect(xlated).toContain('; call bpf_map_lookup_elem')
    expect(xlated).toContain('int filter(void * ctx):')
    expect(run).toContain(`Return value: ${inTheVm(value!)},`)
    expect(run).toContain('Return value: 43,')
  })

  test('maps of maps, per-CPU maps, ring buffers', () => {
    const text = `
      .license "GPL"
      .map ring ringbuf entries 4096
      .map cpu percpu_hash key 4 value 8 entries 2 flags 1
      .section tc
      r1 = ring ll
      r2 = cpu ll
      r0 = 0
      exit`
    const { value } = assemble(source('t.s', text))
    const inner = { name: 'inner', type: 'array', keySize: 4, valueSize: 8, maxEntries: 2 } as const
    const outer = { name: 'outer', type: 'hash_of_maps', keySize: 4, valueSize: 4, maxEntries: 3, inner } as const
    expect(loaded({ ...value!, maps: [...value!.maps, outer] }, (pin) => bpftool('prog', 'show', 'pinned', `${pin}/tc`))).toContain('map_ids') // biome-ignore format: one act
  })
})
