// Files and streams of the command line. Everything that can go wrong with them ends in a Trouble with one clear message.

import {
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  write,
  writeSync,
} from 'node:fs'
import { type Diagnostic, renderAll, type Source, source } from '@netsieve/diag'
import { type CapturePart, CaptureReader, isGzip } from '@netsieve/packet'
import { unpacked } from './unpack.ts'

/** Ends the command: what to say on stderr, and the exit code. */
export class Trouble extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode = 2) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The whole of a file or of stdin (`-`). @throws Trouble if it cannot be read. */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path === '-' ? 0 : path)
  } catch (error) {
    throw new Trouble(`${nameOf(path)}: error: ${reason(error)} [io/read]`)
  }
}

/** A file of text. @throws Trouble if it cannot be read or holds bytes that are no text. */
export function readText(path: string): Source {
  const name = nameOf(path)
  const bytes = readBytes(path)
  const zero = bytes.indexOf(0)
  if (zero >= 0) throw new Trouble(`${name}: error: this is no text: byte ${zero} is 0 [io/text]`)
  return source(name, new TextDecoder().decode(bytes))
}

/** The file that is made or replaced by writing to a path, behind links; none where the path is written to as it is. */
function replaced(path: string): string | undefined {
  // What a process has open already may be at any place of its file. In /dev/shm are files as anywhere.
  if (path === '-' || /^\/(?:dev(?!\/shm\/)|proc)\//.test(path)) return undefined
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (!there) return path
  const plain = statSync(path, { throwIfNoEntry: false })?.isFile()
  return plain ? realpathSync(path) : undefined
}

/** Bytes to write that take longer than it takes to have another thread write them. */
const WORTH_WAITING = 128 * 1024

/**
 * A file that grows beside its place and is put there when it is whole, so that no half file is ever seen. What is no plain file (a pipe, a
 * device) is written to as it is: renaming would put a file in its place. Through a link the file behind it is replaced, which may be the
 * one that is read. `-` is stdout.
 */
export class OutputFile {
  readonly path: string
  /** The unfinished file; none for what is written to directly. */
  private readonly part: string | undefined
  /** What the unfinished file becomes. */
  private readonly target: string | undefined
  private readonly fd: number
  private open = true
  /** Bytes written so far, or being written. */
  private length = 0
  private writing: Promise<void> | undefined

  /** @throws Trouble if it cannot be written */
  constructor(path: string) {
    if (path === '') throw new Trouble('error: a file to write has no name [io/write]')
    this.path = path
    try {
      this.target = replaced(path)
      this.part = this.target && `${this.target}.${process.pid}.part`
      const mode = this.part && statSync(path, { throwIfNoEntry: false })?.mode
      this.fd = path === '-' ? 1 : openSync(this.part ?? path, 'w', mode)
    } catch (error) {
      throw new Trouble(`${path}: error: ${notWritten(error)} [io/write]`)
    }
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    writeAll(this.fd, bytes, this.path === '-' ? '<stdout>' : this.path, this.part === undefined ? null : this.length)
    this.length += bytes.length
  }

  /**
   * Writes much while other work goes on, if this is a plain file and the write before is done: otherwise there is more to do there than here.
   * The bytes must stay as they are until the next call is done; before `commit`, `settled` must be.
   * @throws Trouble of this write, or of the one before
   */
  async writeBehind(bytes: Uint8Array): Promise<void> {
    if (this.part === undefined || bytes.length < WORTH_WAITING || this.writing) {
      this.write(bytes)
      return this.settled()
    }
    const writing = writeInPool(this.fd, bytes, this.path, this.length).then(() => {
      this.writing = undefined
    })
    // Who waits for it is told of an error then.
    writing.catch(() => {})
    this.writing = writing
    this.length += bytes.length
  }

  /** Everything is written that was given. @throws Trouble if it is not */
  async settled(): Promise<void> {
    await this.writing
    this.writing = undefined
  }

  /** For those who write at places of their own: the file, and where it ends now. None for what can only be written in order. */
  get places(): { readonly fd: number; readonly end: number } | undefined {
    return this.part === undefined ? undefined : { fd: this.fd, end: this.length }
  }

  /** Others have written up to a place. */
  goOnAt(length: number): void {
    this.length = length
  }

  /** The file is whole. */
  commit(): void {
    this.close()
    if (this.part === undefined || this.target === undefined) return
    try {
      renameSync(this.part, this.target)
    } catch (error) {
      rmSync(this.part, { force: true })
      throw new Trouble(`${this.path}: error: ${notWritten(error)} [io/write]`)
    }
  }

  /** Throws away what was not committed. */
  abort(): void {
    if (!this.open) return
    this.close()
    if (this.part !== undefined) rmSync(this.part, { force: true })
  }

  private close(): void {
    this.open = false
    if (this.fd === 1) return
    // The number must not become another file's while a thread writes to it.
    if (this.writing) void this.writing.catch(() => {}).finally(() => closeSync(this.fd))
    else closeSync(this.fd)
  }
}

/** How many characters of a text that comes in pieces are written at once. */
const WRITTEN_AT_ONCE = 1 << 20

/** Writes a file, or stdout, at once; a text that comes in pieces gets the end of its line. @throws Trouble */
export function writeOutput(path: string | undefined, content: string | Uint8Array | Iterable<string>): void {
  const file = new OutputFile(path ?? '-')
  const encoder = new TextEncoder()
  try {
    if (content instanceof Uint8Array) file.write(content)
    else if (typeof content === 'string') file.write(encoder.encode(content))
    else {
      let pending = ''
      for (const piece of content) {
        pending += piece
        if (pending.length < WRITTEN_AT_ONCE) continue
        file.write(encoder.encode(pending))
        pending = ''
      }
      file.write(encoder.encode(`${pending}\n`))
    }
    file.commit()
  } finally {
    file.abort()
  }
}

/** Writes to stdout as a stream would, but now; a reader that went away (EPIPE) ends the process quietly. */
export function out(text: string): void {
  writeAll(1, new TextEncoder().encode(text))
}

export function err(text: string): void {
  writeAll(2, new TextEncoder().encode(text))
}

/** Writes bytes at a place of a file in a thread of Node's pool. @throws Trouble */
function writeInPool(fd: number, bytes: Uint8Array, name: string, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const from = (done: number): void =>
      write(fd, bytes, done, bytes.length - done, position + done, (error, count) => {
        if (error) reject(new Trouble(`${name}: error: ${reason(error)} [io/write]`))
        else if (done + count === bytes.length) resolve()
        else from(done + count)
      })
    from(0)
  })
}

function writeAll(fd: number, bytes: Uint8Array, name = '<stdout>', position: number | null = null): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at, position === null ? null : position + at)
    } catch (error) {
      const { code } = error as { code?: string }
      // Nobody reads what goes wrong on stderr either.
      if (fd === 2 && code !== 'EAGAIN') return
      if (code === 'EPIPE') process.exit(0)
      if (code !== 'EAGAIN') throw new Trouble(`${name}: error: ${reason(error)} [io/write]`)
      nap()
    }
  }
}

/** Waits 2 ms for a pipe that is full or empty and does not block. */
function nap(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
}

/** What a file is called in messages. */
export const nameOf = (path: string): string => (path === '-' ? '<stdin>' : path)

/** Says diagnostics on stderr. `file`: what those are about that have no place. */
export function say(diagnostics: readonly Diagnostic[], file?: string): void {
  err(renderAll(diagnostics, file))
}

const CHUNK = 1 << 20

/** A capture that was opened: its file descriptor, and the bytes that were read of it. */
export interface Opened {
  readonly fd: number
  readonly start: Uint8Array
}

/** The parts of a capture, read in chunks; `.gz` is unpacked on the way. @throws Trouble if it is none, or cannot be read. */
export function* captureParts(path: string, opened?: Opened): Generator<CapturePart, CaptureReader> {
  const name = nameOf(path)
  const reader = new CaptureReader(name)
  let first = true
  for (const chunk of chunks(path, name, opened)) {
    if (first && isGzip(chunk)) {
      for (const piece of unpacked(chunk, path === '-' ? undefined : path, name)) {
        reader.push(piece)
        yield* drain(reader)
      }
      break
    }
    first = false
    reader.push(chunk)
    yield* drain(reader)
  }
  reader.end()
  yield* drain(reader)
  return reader
}

function* drain(reader: CaptureReader): Generator<CapturePart> {
  for (let part = reader.nextPart(); part; part = reader.nextPart()) yield part
}

function* chunks(path: string, name: string, opened?: Opened): Generator<Uint8Array> {
  const { fd, start } = opened ?? { fd: openCapture(path), start: undefined }
  try {
    if (start && start.length > 0) yield start
    for (;;) {
      const chunk = new Uint8Array(CHUNK)
      let got = readSome(fd, chunk, name)
      if (got === 0) return
      // A pipe may give few bytes first; it takes three to know gzip.
      while (got < 3) {
        const more = readSome(fd, chunk.subarray(got), name)
        if (more === 0) break
        got += more
      }
      yield chunk.subarray(0, got)
    }
  } finally {
    if (fd !== 0) closeSync(fd)
  }
}

/** @throws Trouble */
export function openCapture(path: string): number {
  try {
    return path === '-' ? 0 : openSync(path, 'r')
  } catch (error) {
    throw new Trouble(`${path}: error: ${reason(error)} [io/read]`)
  }
}

/** Reads what there is, waiting for the first byte; 0 at the end. @throws Trouble */
export function readSome(fd: number, into: Uint8Array, name: string, position: number | null = null): number {
  for (;;) {
    try {
      return readSync(fd, into, 0, into.length, position)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'EOF') return 0
      if (code !== 'EAGAIN') throw new Trouble(`${name}: error: ${reason(error)} [io/read]`)
      nap()
    }
  }
}

/** All bytes of some, one after another. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a directory',
  EACCES: 'no permission',
  EPERM: 'no permission',
  ENOTDIR: 'there is no such directory',
  ENOSPC: 'no space left',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'links lead round in a circle',
  EROFS: 'nothing can be written there',
  EFBIG: 'the file becomes too large',
}

export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return REASONS[(error as { code?: string }).code ?? ''] ?? error.message
}

/** A file is made where there is none. */
const notWritten = (error: unknown): string =>
  (error as { code?: string }).code === 'ENOENT' ? 'there is no such folder' : reason(error)

/** A whole number of an option. @throws Trouble */
export function numberOf(text: string, flag: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 2_000_000_000)
    throw new Trouble(`error: ${flag} ${text}: a whole number from 0 to 2000000000 is expected [cli/number]`)
  return value
}
