// Files and streams of the command line. Everything that can go wrong with them ends in a Trouble with one clear message.

import { closeSync, openSync, readFileSync, readSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { type Diagnostic, renderAll, type Source, source } from '@netsieve/diag'
import { type CapturePart, CaptureReader, isGzip } from '@netsieve/packet'

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
    throw new Trouble(`${path === '-' ? '<stdin>' : path}: error: ${reason(error)} [io/read]`)
  }
}

/** A file of text. @throws Trouble if it cannot be read or holds bytes that are no text. */
export function readText(path: string): Source {
  const name = path === '-' ? '<stdin>' : path
  const bytes = readBytes(path)
  const zero = bytes.indexOf(0)
  if (zero >= 0) throw new Trouble(`${name}: error: this is no text: byte ${zero} is 0 [io/text]`)
  return source(name, new TextDecoder().decode(bytes))
}

/** Writes a file whole: beside it first, so that no half file is ever seen. `-` is stdout. @throws Trouble */
export function writeOutput(path: string | undefined, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  if (path === undefined || path === '-') return writeAll(1, bytes)
  const part = `${path}.${process.pid}.part`
  try {
    writeFileSync(part, bytes)
    renameSync(part, path)
  } catch (error) {
    throw new Trouble(`${path}: error: ${reason(error)} [io/write]`)
  }
}

/** Writes to stdout as a stream would, but now; a reader that went away (EPIPE) ends the process quietly. */
export function out(text: string): void {
  writeAll(1, new TextEncoder().encode(text))
}

export function err(text: string): void {
  writeAll(2, new TextEncoder().encode(text))
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'EPIPE') process.exit(0)
      if (code !== 'EAGAIN') throw error
    }
  }
}

/** Says diagnostics on stderr. */
export function say(diagnostics: readonly Diagnostic[]): void {
  err(renderAll(diagnostics))
}

const CHUNK = 1 << 20

/** The parts of a capture, read in chunks; `.gz` is unpacked. @throws Trouble if it is none, or cannot be read. */
export function* captureParts(path: string): Generator<CapturePart, CaptureReader> {
  const name = path === '-' ? '<stdin>' : path
  const reader = new CaptureReader(name)
  let first = true
  for (const chunk of chunks(path, name)) {
    if (first && isGzip(chunk)) {
      reader.push(unpack(path, name))
      yield* drain(reader)
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

function* chunks(path: string, name: string): Generator<Uint8Array> {
  let fd: number
  try {
    fd = path === '-' ? 0 : openSync(path, 'r')
  } catch (error) {
    throw new Trouble(`${name}: error: ${reason(error)} [io/read]`)
  }
  try {
    for (;;) {
      const chunk = new Uint8Array(CHUNK)
      const got = readSome(fd, chunk, name)
      if (got === 0) return
      yield chunk.subarray(0, got)
    }
  } finally {
    if (fd !== 0) closeSync(fd)
  }
}

function readSome(fd: number, chunk: Uint8Array, name: string): number {
  for (;;) {
    try {
      return readSync(fd, chunk)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'EOF') return 0
      if (code !== 'EAGAIN') throw new Trouble(`${name}: error: ${reason(error)} [io/read]`)
    }
  }
}

function unpack(path: string, name: string): Uint8Array {
  try {
    return gunzipSync(readBytes(path))
  } catch (error) {
    throw new Trouble(`${name}: error: cannot be unpacked: ${reason(error)} [io/gzip]`)
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a directory',
  EACCES: 'no permission',
  EPERM: 'no permission',
  ENOTDIR: 'there is no such directory',
}

export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return REASONS[(error as { code?: string }).code ?? ''] ?? error.message
}
