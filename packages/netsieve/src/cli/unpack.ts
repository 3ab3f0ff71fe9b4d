// Unpacks gzip a piece at a time, in memory that does not grow with the file: Node's zlib gives pieces to those who wait for events only,
// so it runs in a thread of its own, and this one waits for what is told through shared memory.

import { say, Trouble } from './io.ts'

const PIECE = 1 << 20
/** What word 0 of the control words says; word 1 is a length in bytes. */
const STATE = { empty: 0, full: 1, end: 2, cut: 3, failed: 4 } as const

/** The thread: bytes that were read already, then the rest of the file (or of file descriptor 0), through gunzip into `data`. */
const THREAD = `
const { workerData: { control, data, path, start } } = require('node:worker_threads')
const { createReadStream } = require('node:fs')
const words = new Int32Array(control)
const bytes = new Uint8Array(data)
const tell = (state, piece) => {
  while (Atomics.load(words, 0) === ${STATE.full}) Atomics.wait(words, 0, ${STATE.full})
  bytes.set(piece.subarray(0, bytes.length))
  words[1] = piece.length
  Atomics.store(words, 0, state)
  Atomics.notify(words, 0)
}
const failed = (error) => {
  if (error.code === 'Z_BUF_ERROR') tell(${STATE.cut}, new Uint8Array(0))
  else tell(${STATE.failed}, Buffer.from(error.message))
}
process.on('uncaughtException', failed)
const gunzip = require('node:zlib').createGunzip({ chunkSize: ${PIECE} })
gunzip.on('data', (piece) => tell(${STATE.full}, piece))
gunzip.on('end', () => tell(${STATE.end}, new Uint8Array(0)))
gunzip.on('error', failed)
const rest = createReadStream(path ?? '', path === undefined ? { fd: 0, autoClose: false } : { start: start.length })
rest.on('error', failed)
gunzip.write(start)
rest.pipe(gunzip)
`

/**
 * The unpacked bytes of a file, or of stdin if it has no path, whose first bytes were read already. Data that end too early are told.
 * @throws Trouble for what is no gzip
 */
export function* unpacked(start: Uint8Array, path: string | undefined, name: string): Generator<Uint8Array> {
  const { Worker } = process.getBuiltinModule('node:worker_threads')
  const words = new Int32Array(new SharedArrayBuffer(8))
  const data = new Uint8Array(new SharedArrayBuffer(PIECE))
  const workerData = { control: words.buffer, data: data.buffer, path, start }
  const worker = new Worker(THREAD, { eval: true, workerData, stdin: false })
  worker.unref()
  try {
    for (;;) {
      Atomics.wait(words, 0, STATE.empty)
      const piece = data.slice(0, words[1])
      switch (Atomics.load(words, 0)) {
        case STATE.full:
          Atomics.store(words, 0, STATE.empty)
          Atomics.notify(words, 0)
          yield piece
          break
        case STATE.end:
          return
        case STATE.cut:
          say([
            {
              severity: 'warning',
              code: 'io/gzip',
              message: `${name}: the packed data is cut: what comes before is read`,
            },
          ])
          return
        case STATE.failed: {
          const text = Array.from(piece, (byte) => String.fromCharCode(byte)).join('')
          throw new Trouble(`${name}: error: cannot be unpacked: ${text} [io/gzip]`)
        }
      }
    }
  } finally {
    void worker.terminate()
  }
}
