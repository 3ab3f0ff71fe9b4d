// What the threads that judge a file together tell each other, in shared memory: which chunk is next, where each chunk's first record
// begins and where its output goes, which its predecessor knows.

const NEXT = 0
const ACTIVE = 1
const STOPPED = 2
const WORDS = 3

/** Before anything can be told, threads wait; they look up so often, in ms, whether all is over. */
const LOOK_UP = 50

const ARRIVED = 0
const OPEN = 1

/** Where threads wait until there is something to do. */
export class Gate {
  readonly memory: SharedArrayBuffer
  private readonly words: Int32Array

  constructor(memory = new SharedArrayBuffer(8)) {
    this.memory = memory
    this.words = new Int32Array(memory)
  }

  /** How many are there. */
  get arrived(): number {
    return Atomics.load(this.words, ARRIVED)
  }

  /** Waits until so many are there, and no longer than some time, in ms. */
  waitFor(count: number, ms: number): void {
    for (let had = this.arrived; had < count; had = this.arrived)
      if (Atomics.wait(this.words, ARRIVED, had, ms) === 'timed-out') return
  }

  arrive(): void {
    Atomics.add(this.words, ARRIVED, 1)
    Atomics.notify(this.words, ARRIVED)
    Atomics.wait(this.words, OPEN, 0)
  }

  open(): void {
    Atomics.store(this.words, OPEN, 1)
    Atomics.notify(this.words, OPEN)
  }
}

export interface BoardMemory {
  readonly control: SharedArrayBuffer
  readonly ready: SharedArrayBuffer
  readonly places: SharedArrayBuffer
}

export class Board {
  readonly memory: BoardMemory
  readonly chunks: number
  private readonly control: Int32Array
  /** By chunk: whether its beginning is known. */
  private readonly ready: Int32Array
  /** By chunk: where it begins, and where its output goes. */
  private readonly places: BigInt64Array

  constructor(chunks: number, memory?: BoardMemory) {
    this.chunks = chunks
    this.memory = memory ?? {
      control: new SharedArrayBuffer(WORDS * 4),
      ready: new SharedArrayBuffer((chunks + 1) * 4),
      places: new SharedArrayBuffer((chunks + 1) * 16),
    }
    this.control = new Int32Array(this.memory.control)
    this.ready = new Int32Array(this.memory.ready)
    this.places = new BigInt64Array(this.memory.places)
  }

  /** A chunk for whoever asks; undefined if there is none left. */
  claim(): number | undefined {
    const chunk = Atomics.add(this.control, NEXT, 1)
    return chunk < this.chunks && Atomics.load(this.control, STOPPED) === 0 ? chunk : undefined
  }

  enter(): void {
    Atomics.add(this.control, ACTIVE, 1)
  }

  leave(): void {
    Atomics.sub(this.control, ACTIVE, 1)
    Atomics.notify(this.control, ACTIVE)
  }

  /** Waits until no thread is at work. */
  waitForAll(): void {
    for (let active = Atomics.load(this.control, ACTIVE); active > 0; active = Atomics.load(this.control, ACTIVE))
      Atomics.wait(this.control, ACTIVE, active, LOOK_UP)
  }

  /** Nothing further is to be done; what was published stays. */
  stop(): void {
    Atomics.store(this.control, STOPPED, 1)
  }

  /** Whether the end is known. */
  get isDone(): boolean {
    return Atomics.load(this.ready, this.chunks) !== 0
  }

  /** Tells where a chunk begins in the file, and its output in the output. */
  publish(chunk: number, begin: number, output: number): void {
    this.places[chunk * 2] = BigInt(begin)
    this.places[chunk * 2 + 1] = BigInt(output)
    Atomics.store(this.ready, chunk, 1)
    Atomics.notify(this.ready, chunk)
  }

  /** Where a chunk begins; waits until that is known. Undefined if it will not be. */
  waitFor(chunk: number): Place | undefined {
    for (;;) {
      if (Atomics.load(this.control, STOPPED) !== 0) return undefined
      if (Atomics.load(this.ready, chunk) !== 0) return this.placeOf(chunk)
      Atomics.wait(this.ready, chunk, 0, LOOK_UP)
    }
  }

  /** The furthest place that is known. */
  last(): Place {
    let chunk = this.chunks
    while (chunk > 0 && Atomics.load(this.ready, chunk) === 0) chunk--
    return this.placeOf(chunk)
  }

  private placeOf(chunk: number): Place {
    return { begin: Number(this.places[chunk * 2]), output: Number(this.places[chunk * 2 + 1]) }
  }
}

export interface Place {
  readonly begin: number
  readonly output: number
}
