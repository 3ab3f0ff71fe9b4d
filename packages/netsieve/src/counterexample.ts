// A packet on which a rejected program really goes wrong at the instruction that the verifier names. Not every rejection has one: the verifier
// refuses what it cannot prove.

import type { Insn, MapDef, ProgTypeName } from '@netsieve/asm'
import { buildPacket } from '@netsieve/packet'
import { type Fault, load } from '@netsieve/vm'

export interface Counterexample {
  readonly packet: Uint8Array
  readonly fault: Fault
}

/** Packets of the common shapes, with all fields that programs branch on at usual values. */
const SHAPES = [
  'eth / ipv4(src=10.0.0.1, dst=10.0.0.2) / tcp(sport=40000, dport=80, flags=S)',
  'eth / ipv4(src=10.0.0.1, dst=10.0.0.2) / udp(sport=40000, dport=53) / "query"',
  'eth / ipv4(src=10.0.0.1, dst=10.0.0.2) / icmp(type=8)',
  'eth / ipv6(src=2001:db8::1, dst=2001:db8::2) / tcp(sport=40000, dport=443, flags=S)',
  'eth / ipv6(src=2001:db8::1, dst=2001:db8::2) / udp(sport=40000, dport=53) / "query"',
  'eth / vlan(id=5) / ipv4(src=10.0.0.1, dst=10.0.0.2) / tcp(dport=80)',
  'eth / arp(op=1)',
] as const

/** Tries packets, shortest first, until one faults at an instruction; undefined if none of them does. */
export function counterexample(
  program: readonly Insn[],
  insn: number,
  { type, maps }: { readonly type: ProgTypeName; readonly maps: readonly MapDef[] },
): Counterexample | undefined {
  const machine = load(program, { type, maps, budget: { insns: 100_000 } })
  for (const packet of candidates()) {
    const { fault } = machine.run(packet)
    if (fault?.insn === insn) return { packet, fault }
  }
  return undefined
}

/** Every shape cut after each byte; then bytes at random from a fixed seed. */
function* candidates(): Generator<Uint8Array> {
  const whole = SHAPES.flatMap((text) => buildPacket(text).value?.data ?? [])
  const longest = Math.max(...whole.map(({ length }) => length))
  for (let length = 0; length <= longest; length++) {
    for (const packet of whole) if (packet.length >= length) yield packet.slice(0, length)
  }
  let state = 0x2545f491
  const random = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  for (let i = 0; i < 5000; i++) {
    const shape = whole[random() % whole.length]!
    const packet = shape.slice(0, random() % (shape.length + 1))
    for (let changes = random() % 4; changes >= 0 && packet.length > 0; changes--)
      packet[random() % packet.length] = random()
    yield packet
  }
}
