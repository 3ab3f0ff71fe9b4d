// libpcap as an oracle for pcap expressions: its word on each packet beside ours, three ways: the meaning (evaluate), the eBPF in the JIT, and
// our classic program in libpcap's own interpreter. Asked by kpcapfilter.py of the folder that NETSIEVE_ORACLE names.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkCbpf, decisionOf } from '@netsieve/asm'
import { generate, generateCbpf } from '@netsieve/codegen'
import { evaluate, type Filter } from '@netsieve/ir'
import { type CaptureRecord, CaptureWriter, networkOf, readCapture } from '@netsieve/packet'
import { type PcapLink, pcapFilter } from '@netsieve/rules'
import { load } from '@netsieve/vm'

const FOLDER = process.env.NETSIEVE_ORACLE

/** Why libpcap cannot be asked here; undefined if it can. */
export const MISSING: string | undefined = !FOLDER
  ? 'NETSIEVE_ORACLE is not set'
  : existsSync(join(FOLDER, 'kpcapfilter.py'))
    ? undefined
    : `there is no kpcapfilter.py in ${FOLDER}`

export type Packet = Pick<CaptureRecord, 'data' | 'originalLength'>

/** A link type: its number in files and in libpcap, and an IP packet's link header. */
interface Link {
  readonly file: number
  readonly dlt: number
  readonly header: (ethertype: number) => readonly number[] | undefined
}

const IP = 0x0800
const IP6 = 0x86dd
const bytes16 = (value: number) => [value >> 8, value & 255]
const only = (wanted: number) => (type: number) => (type === wanted ? [] : undefined)
const family = (type: number) => (type === IP ? 2 : type === IP6 ? 10 : type & 0xff)
const PPP: Readonly<Record<number, number>> = { [IP]: 0x21, [IP6]: 0x57, 34887: 0x281 }

export const LINKS: Readonly<Record<PcapLink, Link>> = {
  EN10MB: { file: 1, dlt: 1, header: () => undefined },
  RAW: { file: 101, dlt: 12, header: () => [] },
  IPV4: { file: 228, dlt: 228, header: only(IP) },
  IPV6: { file: 229, dlt: 229, header: only(IP6) },
  NULL: { file: 0, dlt: 0, header: (type) => [family(type), 0, 0, 0] },
  LOOP: { file: 108, dlt: 108, header: (type) => [0, 0, 0, family(type)] },
  LINUX_SLL: {
    file: 113,
    dlt: 113,
    header: (type) => [0, type & 7, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, ...bytes16(type <= 1500 ? 4 : type)],
  },
  LINUX_SLL2: {
    file: 276,
    dlt: 276,
    header: (type) => [...bytes16(type <= 1500 ? 4 : type), 0, 0, 0, 0, 0, type & 3, 0, 1, type & 7, 6, 2, 0, 0, 0, 0, 1, 0, 0], // biome-ignore format: one header
  },
  PPP: { file: 9, dlt: 9, header: (type) => [0xff, 3, ...bytes16(PPP[type] ?? type)] },
}

/** All packets of some captures that a link type can have: its own, and Ethernet's with another header. */
export function packetsOf(link: PcapLink, paths: readonly string[]): readonly Packet[] {
  const { file, header } = LINKS[link]
  return paths.flatMap((path) =>
    readCapture(path, readFileSync(path)).records.flatMap((record): readonly Packet[] => {
      if (record.linkType === file) return [record]
      const network = record.linkType === 1 ? networkOf(1, record.data) : undefined
      const type = record.data.length < 14 ? undefined : record.data[12]! * 256 + record.data[13]!
      const head = network && type !== undefined ? header(type) : undefined
      if (!head) return []
      const data = Uint8Array.from([...head, ...record.data.subarray(14)])
      return [{ data, originalLength: Math.max(record.originalLength - record.data.length, 0) + data.length }]
    }),
  )
}

interface Reply {
  readonly ok: boolean
  readonly insns?: number
  readonly error_text?: string
  readonly matches?: string
  readonly prog?: readonly (readonly [number, number, number, number])[]
}

function ask(requests: readonly object[]): readonly Reply[] {
  const { stdout, stderr } = spawnSync('python3', [join(FOLDER!, 'kpcapfilter.py'), 'serve'], {
    input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
    maxBuffer: 1 << 30,
    encoding: 'utf8',
  })
  const replies = stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Reply) // biome-ignore format: one chain
  if (replies.length !== requests.length)
    throw new Error(`kpcapfilter.py: ${replies.length} of ${requests.length}: ${stderr}`)
  return replies
}

/** What became of one expression. */
export interface Finding {
  readonly expr: string
  /** Refused by one alone, with the reason; or on how many packets each of our ways differs; nothing if all is equal. */
  readonly refused?: { readonly by: 'netsieve' | 'libpcap'; readonly why: string }
  readonly differ?: Readonly<Record<'evaluate' | 'jit' | 'classic', readonly number[]>>
  readonly insns?: { readonly ours: number; readonly theirs: number }
  /** libpcap's program reads memory that it has not written (behind a tunnel that need not be there): its verdicts mean nothing. */
  readonly undefinedThere?: true
  /** No classic program, and why. */
  readonly noClassic?: string
}

function lowered(expr: string, link: PcapLink): { readonly filter?: Filter; readonly why: string } {
  const { value, diagnostics } = pcapFilter.parse({ name: 'expression', text: expr })
  if (!value) return { why: diagnostics[0]?.message ?? '' }
  const { value: filter, diagnostics: more } = pcapFilter.lower(value, { link })
  return { ...(filter && { filter }), why: more[0]?.message ?? '' }
}

export interface CompareOptions {
  /** Every n-th packet is evaluated, which is slow, or run one by one in the JIT; default all. */
  readonly evaluateEvery?: number
  readonly runEvery?: number
  readonly optimize?: boolean
}

/** Holds each expression against libpcap on packets of a link type. */
export function compareWithLibpcap(
  link: PcapLink,
  exprs: readonly string[],
  packets: readonly Packet[],
  { evaluateEvery = 1, runEvery = 1, optimize = true }: CompareOptions = {},
): readonly Finding[] {
  const folder = mkdtempSync(join(tmpdir(), 'netsieve-libpcap-'))
  try {
    const { file, dlt } = LINKS[link]
    const pcap = join(folder, 'packets.pcap')
    const writer = new CaptureWriter({ format: 'pcap' })
    writeFileSync(pcap, Buffer.concat([writer.header(file), ...packets.map((packet) => writer.packet({ ...packet, linkType: file }))])) // biome-ignore format: one call
    const ours = exprs.map((expr) => {
      const { filter, why } = lowered(expr, link)
      return { expr, filter, why, classic: filter && generateCbpf(filter) }
    })
    const theirs = ask(
      exprs.map((expr) => ({ op: 'match', expr, dlt, pcap, netmask: '0.0.0.0', optimize, want_prog: true })),
    )
    const programs = ours.flatMap(({ classic }) => (classic?.value ? [classic.value] : []))
    const runs = ask(programs.map((program) => ({ op: 'run', pcap, dlt, prog: program.map(({ code, jt, jf, k }) => [code, jt, jf, k]) }))) // biome-ignore format: one call
    let run = 0
    return ours.map(({ expr, filter, why, classic }, i): Finding => {
      const { ok, matches = '', error_text = '', insns = 0, prog = [] } = theirs[i]!
      const ran = classic?.value ? runs[run++]! : undefined
      if (!filter || !ok) {
        if (!filter && !ok) return { expr }
        return { expr, refused: ok ? { by: 'netsieve', why } : { by: 'libpcap', why: error_text } }
      }
      // Jumps back, of loops over headers, change nothing about what is written where.
      const classicOnes = prog.map(([code, jt, jf, k]) => ({
        code,
        jt,
        jf,
        k: code === 0x05 && k > 0x7fffffff ? 0 : k,
      }))
      if (checkCbpf(classicOnes).diagnostics.some(({ code }) => code === 'cbpf/mem'))
        return { expr, undefinedThere: true }
      const generated = generate(filter, { type: 'sched_cls' })
      const machine = load(generated.insns, {
        type: 'sched_cls',
        maps: generated.maps,
        engine: 'jit',
        patience: 0,
        packetBytes: 1 << 18,
      })
      const want = (at: number) => matches[at] === '1'
      const differing = (says: (packet: Packet, at: number) => boolean, every: number) =>
        packets.flatMap((packet, at) => (at % every === 0 && says(packet, at) !== want(at) ? [at] : []))
      const differ = {
        evaluate: differing(({ data, originalLength: wireLength }) => evaluate(filter, data, { wireLength }).decision === 'pass', evaluateEvery), // biome-ignore format: one call
        jit: differing(({ data, originalLength: wireLength }) => {
          const { r0, fault } = machine.run(data, { wireLength })
          if (fault) throw new Error(`${expr}: ${fault.reason}`)
          return decisionOf('sched_cls', r0) === 'pass'
        }, runEvery),
        classic: ran ? differing((_, at) => ran.matches?.[at] === '1', 1) : [],
      }
      return {
        expr,
        ...(Object.values(differ).some((each) => each.length > 0) && { differ }),
        ...(classic?.value
          ? { insns: { ours: classic.value.length, theirs: insns } }
          : { noClassic: classic?.diagnostics[0]?.message ?? '' }),
      }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
