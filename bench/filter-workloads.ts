// What bench/filter.ts measures: generated captures, and three filters as XDP programs: (a) a short expression, (b) a long
// one, both translated from libpcap's classic BPF, (ck) 1,000 rules tried one after the other.

import { Code, type Insn, type Label } from '@netsieve/asm'

const list = (count: number, term: (i: number) => string | number): string =>
  `(${Array.from({ length: count }, (_, i) => term(i)).join(' or ')})`

export const EXPRESSIONS = {
  a: 'ip and tcp dst port 80',
  // 54 terms: ports of TCP and of UDP, and networks.
  b: [
    `tcp dst port ${list(18, (i) => 1000 + i * 37)}`,
    `udp src port ${list(18, (i) => 53 + i * 11)}`,
    `src net ${list(18, (i) => `10.${i}.0.0/16`)}`,
  ]
    .map((terms) => `(${terms})`)
    .join(' or '),
} as const

/** mulberry32 */
export function generator(seed: number): (below: number) => number {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const PORTS = [80, 443, 53, 22, 8080, 1000, 1037, 8003, 123, 25]

/** Records of a pcap file: `mixed` has 60 to 1514 bytes and several protocols, `small` 64 bytes each. */
export function capture(kind: 'mixed' | 'small', count: number): Uint8Array {
  const random = generator(kind === 'mixed' ? 11 : 12)
  const parts: Uint8Array[] = []
  let total = 0
  for (let i = 0; i < count; i++) {
    const sizes = [60, 60, 66, 74, 90, 130, 200, 60, 66, 78, 1514, 300]
    const length = kind === 'small' ? 64 : sizes[random(sizes.length)]! + (random(4) === 0 ? random(40) : 0)
    const record = new Uint8Array(16 + Math.min(length, 1514))
    fill(record, random)
    parts.push(record)
    total += record.length
  }
  const out = new Uint8Array(total)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function fill(record: Uint8Array, random: (below: number) => number): void {
  const view = new DataView(record.buffer)
  const length = record.length - 16
  view.setUint32(0, 1_700_000_000, true)
  view.setUint32(8, length, true)
  view.setUint32(12, length, true)
  for (let i = 16; i < 28; i++) record[i] = random(256)
  const kind = random(100)
  const port = (): number => (random(3) ? random(65536) : PORTS[random(PORTS.length)]!)
  let at = 30
  if (kind < 3) {
    view.setUint16(28, 0x0806)
    return
  }
  if (kind < 5) {
    view.setUint16(28, 0x8100)
    view.setUint16(32, 0x0800)
    at = 34
  } else view.setUint16(28, kind < 12 ? 0x86dd : 0x0800)
  const proto = random(10) < 7 ? 6 : random(4) ? 17 : 1
  if (kind >= 5 && kind < 12) {
    record[at] = 0x60
    record[at + 6] = proto
    for (let i = at + 8; i < at + 40; i++) record[i] = random(256)
    at += 40
  } else {
    const words = random(20) === 0 ? 6 : 5
    record[at] = 0x40 | words
    view.setUint16(at + 2, length - 14)
    if (random(50) === 0) view.setUint16(at + 6, 0x2000 | random(100))
    record[at + 8] = 64
    record[at + 9] = proto
    for (let i = at + 12; i < at + 20; i++) record[i] = random(256)
    record[at + 12] = random(2) ? 10 : 192
    record[at + 13] = random(24)
    record[at + 16] = 172
    record[at + 17] = random(16)
    at += words * 4
  }
  view.setUint16(at, port())
  view.setUint16(at + 2, port())
}

type Classic = readonly [code: number, jt: number, jf: number, k: number]

/** Classic BPF as an XDP program: A is r8, X r9, the packet r6 to r7; XDP_PASS where it matches, XDP_DROP where not. */
export function translate(classic: readonly Classic[]): Insn[] {
  const code = new Code()
  const labels = classic.map(() => code.label())
  const pass = code.label('pass')
  const drop = code.label('drop')
  code.load(4, 6, 1, 0)
  code.load(4, 7, 1, 4)
  code.mov(8, 0)
  code.mov(9, 0)
  classic.forEach(([op, jt, jf, k], i) => {
    code.bind(labels[i]!)
    if ((op & 7) === 5 && op !== 0x05) branch(code, op, k, labels[i + 1 + jt]!, labels[i + 1 + jf]!, jt === 0, jf === 0)
    else one(code, op, k, labels[i + 1 + k], { pass, drop })
  })
  code.bind(pass)
  code.mov(0, 2)
  code.exit()
  code.bind(drop)
  code.mov(0, 1)
  code.exit()
  return code.layout()
}

const TESTS = { 16: ['jeq', 'jne'], 32: ['jgt', 'jle'], 48: ['jge', 'jlt'], 64: ['jset', undefined] } as const

function branch(code: Code, op: number, k: number, yes: Label, no: Label, yesIsNext: boolean, noIsNext: boolean): void {
  const [test, inverse] = TESTS[(op & 0xf0) as keyof typeof TESTS]
  if (yesIsNext && inverse) return code.jump(inverse, 8, k | 0, no, 32)
  code.jump(test, 8, k | 0, yes, 32)
  if (!noIsNext) code.goto(no)
}

function one(code: Code, op: number, k: number, to: Label | undefined, ends: { pass: Label; drop: Label }): void {
  const size = ({ 0: 4, 8: 2, 16: 1 } as const)[op & 0x18]!
  const load = (base: number, dst: number): void => {
    code.mov(1, { reg: base })
    code.alu('add', 1, k + size)
    code.jump('jgt', 1, { reg: 7 }, ends.drop)
    code.load(size, dst, base, k)
    if (size > 1) code.be(dst, size === 4 ? 32 : 16)
  }
  if ((op & 0xe7) === 0x20) load(6, 8)
  else if ((op & 0xe7) === 0x40) {
    code.mov(2, { reg: 6 })
    code.alu('add', 2, { reg: 9 })
    load(2, 8)
  } else if (op === 0xb1) {
    // X = 4 · (header length)
    load(6, 9)
    code.alu('and', 9, 0xf)
    code.alu('lsh', 9, 2)
  } else if (op === 0x05) code.goto(to!)
  else if (op === 0x06) code.goto(k === 0 ? ends.drop : ends.pass)
  else if (op === 0x54) code.alu('and', 8, k | 0, 32)
  else if (op === 0x74) code.alu('rsh', 8, k, 32)
  else if (op === 0x07) code.mov(9, { reg: 8 })
  else if (op === 0x87) code.mov(8, { reg: 9 })
  else throw new Error(`classic opcode ${op} is not needed by these filters`)
}

/** An access list: IPv4 without options; source and destination prefixes, protocol, range of destination ports. */
export function accessList(rules: number): Insn[] {
  const random = generator(13)
  const code = new Code()
  const pass = code.label('pass')
  const drop = code.label('drop')
  code.load(4, 6, 1, 0)
  code.load(4, 7, 1, 4)
  code.mov(2, { reg: 6 })
  code.alu('add', 2, 38)
  code.jump('jgt', 2, { reg: 7 }, drop)
  code.load(2, 3, 6, 12)
  code.jump('jne', 3, 0x0008, drop)
  code.load(1, 3, 6, 14)
  code.jump('jne', 3, 0x45, drop)
  for (let i = 0; i < rules; i++) {
    const next = code.label()
    code.load(1, 3, 6, 23)
    code.jump('jne', 3, random(2) ? 6 : 17, next)
    code.load(4, 3, 6, 26)
    code.alu('and', 3, 0xffff, 32)
    code.jump('jne', 3, (random(2) ? 10 : 192) | (random(24) << 8), next)
    code.load(2, 3, 6, 30)
    code.jump('jne', 3, 172 | (random(16) << 8), next)
    code.load(2, 3, 6, 36)
    code.be(3, 16)
    const low = random(60000)
    code.jump('jlt', 3, low, next)
    code.jump('jle', 3, low + random(4000), pass)
    code.bind(next)
  }
  code.goto(drop)
  code.bind(pass)
  code.mov(0, 2)
  code.exit()
  code.bind(drop)
  code.mov(0, 1)
  code.exit()
  return code.layout()
}
