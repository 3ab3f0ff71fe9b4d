// A heap of numbers.

/** Numbers of which the least is taken first. */
export class Rising {
  private readonly heap: number[] = []

  add(number: number): void {
    const { heap } = this
    let at = heap.length
    for (; at > 0 && heap[(at - 1) >> 1]! > number; at = (at - 1) >> 1) heap[at] = heap[(at - 1) >> 1]!
    heap[at] = number
  }

  take(): number | undefined {
    const { heap } = this
    const least = heap[0]
    const number = heap.pop()
    if (number === undefined || heap.length === 0) return least
    let at = 0
    for (let next = 1; next < heap.length; next = 2 * at + 1) {
      if (next + 1 < heap.length && heap[next + 1]! < heap[next]!) next++
      if (heap[next]! >= number) break
      heap[at] = heap[next]!
      at = next
    }
    heap[at] = number
    return least
  }
}
