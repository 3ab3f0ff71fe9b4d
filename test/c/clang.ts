// Debian's clang for the BPF target, where it is installed: C text to an object. Where it is not, the tests that want it are skipped and say so.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const FOUND = ['clang-14', 'clang'].find((name) =>
  spawnSync(name, ['--print-targets'], { encoding: 'utf8' }).stdout?.includes('bpfel'),
)
const HEADERS = spawnSync(
  FOUND ?? 'false',
  ['-target', 'bpf', '-fsyntax-only', '-include', 'bpf/bpf_helpers.h', '-x', 'c', '/dev/null'],
  { encoding: 'utf8' },
)

/** What clang calls itself. */
export const CLANG_VERSION: string = FOUND
  ? spawnSync(FOUND, ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0]!
  : ''

/** Why nothing can be compiled here; undefined if it can. */
export const NO_CLANG: string | undefined = !FOUND
  ? 'no clang with the BPF target'
  : /file not found/.test(HEADERS.stderr) && HEADERS.stderr.includes("'bpf/")
    ? "libbpf's headers are not installed"
    : undefined

const WARNINGS = ['-Wall', '-Wextra', '-Werror']

/** The object of a C file, warnings being errors. @throws Error with what clang says */
export function compileC(text: string, options: { readonly debug?: boolean } = {}): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'netsieve-c-'))
  try {
    writeFileSync(join(folder, 'filter.c'), text)
    const debug = options.debug ? ['-g'] : []
    const flags = [
      '-O2',
      ...debug,
      '-target',
      'bpf',
      ...WARNINGS,
      '-I/usr/include/x86_64-linux-gnu',
      '-I/usr/include/aarch64-linux-gnu',
    ]
    const { status, stderr } = spawnSync(FOUND!, [...flags, '-c', 'filter.c', '-o', 'filter.o'], {
      cwd: folder,
      encoding: 'utf8',
    })
    if (status !== 0 || stderr !== '') throw new Error(`clang: ${stderr}`)
    return readFileSync(join(folder, 'filter.o'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
