// Makes packages/netsieve/dist/bundle from the build: the command line in few scripts, and beside each what V8 compiles of it while packets
// are filtered. Loading some 200 modules and compiling them costs several times what filtering a small capture does, so `core` holds what
// `netsieve -r in.pcap -w out.pcap EXPRESSION` needs, the other scripts what is loaded when it is first asked for.
// The build runs without the bundle too; bin/netsieve.js takes it where it is as new as the build. `--cache` is this script's own second half.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

const SELF = fileURLToPath(import.meta.url)
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const NETSIEVE = join(ROOT, 'packages/netsieve')
const BUILT = join(NETSIEVE, 'dist/.tsbuildinfo')
const BUNDLE = join(NETSIEVE, 'dist/bundle')

/** Whether the bundle is as new as the build. */
export function isBundled() {
  const bundle = statSync(join(BUNDLE, 'main.js.cache'), { throwIfNoEntry: false })
  return bundle !== undefined && bundle.mtimeMs >= statSync(BUILT).mtimeMs
}

/** Modules that are loaded when one of these functions or objects of theirs is first used. */
const LATE = {
  'rules/dist/iptables/index.js': ['iptables'],
  'rules/dist/nft/index.js': ['nft'],
  'rules/dist/flower/index.js': ['flower'],
  'rules/dist/u32/index.js': ['u32'],
  'rules/dist/ethtool/index.js': ['ethtool'],
  'rules/dist/ir/index.js': ['ir'],
  'ir/dist/evaluate.js': ['evaluate'],
  'ir/dist/passes/index.js': ['simplify', 'passesOf', 'PASSES'],
  'codegen/dist/generate.js': ['generate'],
  'codegen/dist/c/index.js': ['generateC'],
  'equiv/dist/passes.js': ['checkPasses'],
  'verifier/dist/verify.js': ['verify', 'verifyBytes'],
  'vm/dist/helpers/table.js': ['helperFunctions', 'IMPLEMENTED'],
  'packet/dist/summary/index.js': ['summarize'],
  'netsieve/dist/cli/team/team.js': ['Team'],
}
/** A library that compiles WebAssembly of its own when it is loaded, for what few programs have: immediates of 64 bits. */
const LONG = realpathSync(join(ROOT, 'packages/asm/node_modules/long/index.js'))
/** Node's modules that most runs do not need, and that bring a dozen others. */
const LATE_OF_NODE = { 'node:child_process': ['spawn'] }

const scriptOf = (path) =>
  path
    .replace(/\/dist\//, '-')
    .replaceAll('/', '-')
    .replace(/(-index)?\.js$/, '')
const stand = (name, module) =>
  `export ${name === 'default' ? name : `const ${name} =`} new Proxy(function () {}, { get: (_, key) => ${module}.${name}[key], apply: (_, self, words) => ${module}.${name}(...words) })`

/** Puts a stand-in in the place of each late module. */
const late = {
  name: 'late-modules',
  enforce: 'pre',
  async resolveId(id, importer, options) {
    if (LATE_OF_NODE[id]) return `\0late:${id}`
    if (id.startsWith('./script:')) return { id: `./${id.slice(9)}.js`, external: true }
    if (!importer || options.isEntry || id.startsWith('\0')) return undefined
    const found = await this.resolve(id, importer, { ...options, skipSelf: true })
    if (found?.id === LONG && importer !== found.id) return '\0late:long'
    const path = found?.id.slice(join(ROOT, 'packages/').length)
    return path !== undefined && Object.hasOwn(LATE, path) ? `\0late:${path}` : undefined
  },
  load(id) {
    if (!id.startsWith('\0late:')) return undefined
    const path = id.slice(6)
    const names = path === 'long' ? ['default'] : (LATE_OF_NODE[path] ?? LATE[path])
    const module = LATE_OF_NODE[path] ? `process.getBuiltinModule('${path}')` : `require('./script:${scriptOf(path)}')`
    return names.map((name) => stand(name, module)).join('\n')
  },
}

/** The scripts; modules that `isCore` says go together. */
async function scripts(isCore) {
  const { build } = await import('vite')
  const entries = [...Object.keys(LATE).map((path) => [scriptOf(path), join(ROOT, 'packages', path)]), ['long', LONG]]
  const { output } = await build({
    configFile: false,
    logLevel: 'error',
    root: NETSIEVE,
    plugins: [late],
    ssr: { noExternal: true },
    build: {
      ssr: true,
      write: false,
      target: 'node20',
      rolldownOptions: {
        input: { main: join(NETSIEVE, 'dist/cli/main.js'), ...Object.fromEntries(entries) },
        treeshake: { moduleSideEffects: false },
        output: {
          format: 'cjs',
          exports: 'named',
          entryFileNames: '[name].js',
          chunkFileNames: '[name].js',
          codeSplitting: isCore ? { groups: [{ name: 'core', test: isCore }] } : true,
          // Names stay, for the stack of a fault.
          minify: { compress: false, mangle: false, codegen: true },
        },
      },
    },
  })
  for (const [path, names] of Object.entries(LATE)) {
    const { exports } = output.find(({ fileName }) => fileName === `${scriptOf(path)}.js`)
    const missing = names.filter((name) => !exports.includes(name))
    if (missing.length > 0) throw new Error(`${path} does not export ${missing.join(', ')}`)
  }
  return output
}

/** The modules in some scripts and in all that these import. */
function modulesOf(output, names) {
  const files = new Map(output.map((script) => [script.fileName, script]))
  const found = new Set(names)
  for (const name of found) for (const one of files.get(name)?.imports ?? []) found.add(one)
  return new Set([...found].flatMap((name) => Object.keys(files.get(name)?.modules ?? {})))
}

export async function bundle() {
  // The bundle is as new as the build that it is made from, should another build come meanwhile. Times can be set to the millisecond.
  const mtime = new Date(Math.ceil(statSync(BUILT).mtimeMs) + 1)
  const core = modulesOf(await scripts(), ['main.js', 'tcpdump.js'])
  const output = await scripts((id) => core.has(id))
  const folder = `${BUNDLE}.${process.pid}.part`
  mkdirSync(folder)
  try {
    for (const { fileName, code } of output) {
      // A script of one-byte characters is read faster.
      const ascii = code.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
      writeFileSync(join(folder, fileName), `(function (exports, require, __filename) {${ascii}\n})`)
    }
    // In processes of their own: what they print is nobody's business, and what one compiles is all that goes into its scripts' caches.
    for (const words of Object.keys(WARM)) {
      const { status } = spawnSync(process.execPath, [SELF, '--cache', folder, words], {
        stdio: ['ignore', 'ignore', 2],
      })
      if (status !== 0) throw new Error('the bundle does not run')
    }
    utimesSync(join(folder, 'main.js.cache'), mtime, mtime)
    // Whole or not at all: others may be starting it.
    rmSync(BUNDLE, { recursive: true, force: true })
    renameSync(folder, BUNDLE)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const CAPTURE = join(ROOT, 'samples/http.pcap')
/** Rules enough to be one decision. */
const LIST = `table ip t { chain c { type filter hook input priority 0; ${Array.from({ length: 9 }, (_, i) => `ip saddr 10.${i}.0.0/16 tcp sport 1024-65535 tcp dport ${i}-${2 * i + 9} accept`).join('; ')}; } }`
/** What is run to see what V8 compiles, for the scripts that no earlier run has loaded. */
const WARM = {
  filter: (out) => [
    ['-r', CAPTURE, '-w', out, 'ip and tcp dst port 80'],
    ['-r', CAPTURE, '-w', out, '(udp port 53 or 67) or src net 10.0.0.0/8 or (ip6 and host ::1)'],
  ],
  rules: (out) => [
    ['run', '-r', CAPTURE, '-w', out, 'ip and tcp dst port 80'],
    ['run', '-r', CAPTURE, 'iptables -A INPUT -p tcp --dport 80 -j ACCEPT'],
    ['run', '-r', CAPTURE, 'table inet t { chain c { type filter hook input priority 0; tcp dport 80 accept; } }'],
    ['compile', '--emit', 'bin', '-o', out, LIST],
  ],
}

/** Filters a sample, and keeps what V8 compiled for that. */
async function cache(bundleFolder, warm) {
  const { Bundle } = createRequire(import.meta.url)('../packages/netsieve/bin/netsieve.js')
  // V8 forgets compiled code that was not used for a while, such as that of a script's start.
  setFlagsFromString('--no-flush-bytecode')
  const loading = new Bundle(bundleFolder)
  const { main } = loading.load('main.js')
  const folder = mkdtempSync(join(tmpdir(), 'netsieve-cache-'))
  try {
    for (const words of WARM[warm](join(folder, 'out.pcap')))
      if ((await main(words)) !== 0) throw new Error(`the bundle fails: ${words.join(' ')}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  // The cache is only good for a V8 of the same flags.
  setFlagsFromString('--flush-bytecode')
  for (const [name, script] of loading.scripts) {
    const file = join(bundleFolder, `${name}.cache`)
    if (!existsSync(file)) writeFileSync(file, script.createCachedData())
  }
}

if (process.argv[1] === SELF) {
  const [first, ...words] = process.argv.slice(2)
  await (first === '--cache' ? cache(...words) : bundle())
}
