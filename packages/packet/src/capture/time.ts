// Time stamps of pcapng: 64 bits of an interface's own units, as seconds and nanoseconds.

import type { CaptureInterface } from './record.ts'

type Clock = Pick<CaptureInterface, 'unitsPerSecond' | 'offsetSeconds'>

/** A time stamp as seconds and nanoseconds; finer units are cut off. No BigInt objects for up to nanoseconds or 2^-30 s. */
export function timeOf(high: number, low: number, clock: Clock): { readonly sec: number; readonly nsec: number } {
  const per = Number(clock.unitsPerSecond)
  if (per > 2 ** 30) return slowTimeOf(high, low, clock)
  // Long division in digits of 16 bits: no intermediate value reaches 2^53.
  const r1 = high % per
  const x = r1 * 0x10000 + (low >>> 16)
  const y = (x % per) * 0x10000 + (low & 0xffff)
  const sec = Math.floor(high / per) * 2 ** 32 + Math.floor(x / per) * 0x10000 + Math.floor(y / per)
  // Exact for powers of 10; for powers of 2 the product may pass 2^53, so it goes in two steps.
  const rest = y % per
  return { sec: sec + clock.offsetSeconds, nsec: 1e9 % per === 0 ? rest * (1e9 / per) : scaled(rest, per) }
}

/** ⌊rest × 10⁹ / per⌋ for rest < per ≤ 2^30. */
function scaled(rest: number, per: number): number {
  const high = rest * 31_250 // 10⁹ = 31250 × 32000
  return Math.floor(high / per) * 32_000 + Math.floor(((high % per) * 32_000) / per)
}

function slowTimeOf(high: number, low: number, clock: Clock): { readonly sec: number; readonly nsec: number } {
  const units = (BigInt(high) << 32n) | BigInt(low)
  const per = clock.unitsPerSecond
  return { sec: Number(units / per) + clock.offsetSeconds, nsec: Number(((units % per) * 1_000_000_000n) / per) }
}
