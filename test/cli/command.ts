// The command line as users run it: the build, in a process of its own.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const BIN = join(ROOT, 'packages/netsieve/bin/netsieve.js')
/** A capture of many kinds of packets: 1,504. */
export const TALK = 'samples/talk.pcap'

if (!existsSync(join(ROOT, 'packages/netsieve/dist/cli/main.js'))) throw new Error('not built: node scripts/setup.mjs')

/** Runs it in the repository's folder. */
export function netsieve(args: readonly string[], input: string | Uint8Array = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    cwd: ROOT,
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  return { status, stdout, stderr }
}

/** A folder for the tests of a file, gone after them, and a way to put files there. */
export function temporary() {
  const folder = mkdtempSync(join(tmpdir(), 'netsieve-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string, content: string | Uint8Array): string => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }
  return { folder, file }
}
