// Makes packages/netsieve/dist/bundle from the build: the command line as one script, and beside it what V8 compiles of it while packets are
// filtered. Loading some 200 modules and compiling them costs several times what filtering a small capture does.
// The build runs without the bundle too; bin/netsieve.js takes it where it is as new as the build. `--cache` is this script's own second half.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const NETSIEVE = join(ROOT, 'packages/netsieve')
const BUILT = join(NETSIEVE, 'dist/.tsbuildinfo')
const BUNDLE = join(NETSIEVE, 'dist/bundle/netsieve.js')
const CACHE = `${BUNDLE}.cache`

/** Whether the bundle is as new as the build. */
export function isBundled() {
  const bundle = statSync(CACHE, { throwIfNoEntry: false })
  return bundle !== undefined && bundle.mtimeMs >= statSync(BUILT).mtimeMs
}

/** Loaded when they are used: most runs start no process and unpack nothing, and these modules bring a dozen others. */
const LATE = {
  name: 'late-modules',
  enforce: 'pre',
  resolveId: (id) => (id === 'node:child_process' ? '\0late:child_process' : undefined),
  load: (id) =>
    id === '\0late:child_process'
      ? "export const spawn = (...args) => process.getBuiltinModule('node:child_process').spawn(...args)"
      : undefined,
}

export async function bundle() {
  // The bundle is as new as the build that it is made from, should another build come meanwhile. Times can be set to the millisecond.
  const mtime = new Date(Math.ceil(statSync(BUILT).mtimeMs) + 1)
  const { build } = await import('vite')
  const outDir = mkdtempSync(join(tmpdir(), 'netsieve-bundle-'))
  try {
    await build({
      configFile: false,
      logLevel: 'error',
      root: NETSIEVE,
      plugins: [LATE],
      ssr: { noExternal: true },
      build: {
        ssr: join(NETSIEVE, 'dist/cli/main.js'),
        outDir,
        target: 'node20',
        rolldownOptions: {
          treeshake: { moduleSideEffects: false },
          output: {
            format: 'cjs',
            codeSplitting: false,
            entryFileNames: 'netsieve.js',
            // Names stay, for the stack of a fault.
            minify: { compress: false, mangle: false, codegen: true },
          },
        },
      },
    })
    const code = readFileSync(join(outDir, 'netsieve.js'), 'utf8')
    // A script of one-byte characters is read faster.
    const ascii = code.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
    put(BUNDLE, `(function (exports, require, __filename) {${ascii}\n})`, mtime)
  } finally {
    rmSync(outDir, { recursive: true, force: true })
  }
  // In a process of its own: what it prints is nobody's business, and what it compiles is all that goes into the cache.
  const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--cache'], {
    stdio: ['ignore', 'ignore', 2],
  })
  if (status !== 0) throw new Error('the bundle does not run')
  utimesSync(CACHE, mtime, mtime)
}

/** Whole or not at all: others may be starting it. */
function put(file, content, mtime) {
  const part = `${file}.${process.pid}.part`
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(part, content)
  if (mtime) utimesSync(part, mtime, mtime)
  renameSync(part, file)
}

/** Filters a sample, and keeps what V8 compiled for that. */
async function cache() {
  const script = new Script(readFileSync(BUNDLE, 'latin1'), { filename: BUNDLE })
  const exports = {}
  script.runInThisContext()(exports, createRequire(BUNDLE), BUNDLE)
  const folder = mkdtempSync(join(tmpdir(), 'netsieve-cache-'))
  try {
    const capture = join(ROOT, 'samples/http.pcap')
    for (const words of [
      ['-r', capture, '-w', join(folder, 'out.pcap'), 'ip and tcp dst port 80'],
      [
        '-r',
        capture,
        '-w',
        join(folder, 'out.pcap'),
        '(udp port 53 or 67) or src net 10.0.0.0/8 or (ip6 and host ::1)',
      ],
    ]) {
      if ((await exports.main(words)) !== 0) throw new Error(`the bundle fails: ${words.join(' ')}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  put(CACHE, script.createCachedData())
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await (process.argv.includes('--cache') ? cache() : bundle())
