// How runs ended, counted: packets by the instruction that ended their run and by its return value, and by the reasons of faults.

/** Packets of one end. */
export interface End {
  readonly exit: number
  readonly r0: number
  readonly packets: number
}

/** A tally as plain values: it can be sent from thread to thread. */
export interface TallyRows {
  /** All packets, of whatever end. */
  readonly packets: number
  readonly ends: readonly End[]
  readonly faults: readonly (readonly [reason: string, packets: number])[]
}

export class Tally {
  /** All packets, told of or not. */
  total = 0
  /** By instruction: what it returned first, and how often; the others, by instruction and value, are rare. */
  private values = new Int32Array(64)
  private packets = new Float64Array(64)
  private readonly others = new Map<string, End>()
  private readonly faults = new Map<string, number>()

  /** Ends as a batch gives them: r0 of each, the instruction or -1 after a fault, and the faults. */
  add(
    r0: Int32Array,
    exits: Int32Array,
    faults: readonly { readonly record: number; readonly fault: { readonly reason: string } }[],
  ): void {
    for (let i = 0; i < exits.length; i++) {
      const exit = exits[i]!
      if (exit >= 0) this.count(exit, r0[i]!, 1)
    }
    for (const { fault } of faults) this.faults.set(fault.reason, (this.faults.get(fault.reason) ?? 0) + 1)
  }

  /** What another tally counted. */
  merge({ packets: total, ends, faults }: TallyRows): void {
    this.total += total
    for (const { exit, r0, packets } of ends) this.count(exit, r0, packets)
    for (const [reason, packets] of faults) this.faults.set(reason, (this.faults.get(reason) ?? 0) + packets)
  }

  private count(exit: number, r0: number, packets: number): void {
    if (exit >= this.packets.length) this.grow(exit + 1)
    if (this.packets[exit] === 0) this.values[exit] = r0
    if (this.values[exit] === r0) {
      this.packets[exit]! += packets
      return
    }
    const key = `${exit} ${r0}`
    this.others.set(key, { exit, r0, packets: packets + (this.others.get(key)?.packets ?? 0) })
  }

  private grow(length: number): void {
    const [values, packets] = [this.values, this.packets]
    this.values = new Int32Array(length * 2)
    this.values.set(values)
    this.packets = new Float64Array(length * 2)
    this.packets.set(packets)
  }

  rows(): TallyRows {
    const ends: End[] = []
    this.packets.forEach((packets, exit) => {
      if (packets > 0) ends.push({ exit, r0: this.values[exit]!, packets })
    })
    return { packets: this.total, ends: [...ends, ...this.others.values()], faults: [...this.faults] }
  }
}
