#!/usr/bin/env node
// Starts the command line: from the bundle's scripts with their compiled code beside them where that is as new as the build
// (scripts/bundle.mjs), from the build's modules otherwise. CommonJS, because Node starts that sooner.
const { readFileSync, statSync } = require('node:fs')
const path = require('node:path')
const { Script } = require('node:vm')

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`netsieve needs Node 20.19 or newer; this is ${process.version}`)
  process.exit(2)
}

const DIST = path.join(__dirname, '../dist')
const BUNDLE = path.join(DIST, 'bundle')
const timeOf = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs

/**
 * `compile` runs much code for a moment: what V8 optimizes of it is ready when all is done, and takes the other core until then. So functions are to run
 * three times as long before that. Undefined for other verbs, whose loops go on, and for another V8 than Node 20's, whose numbers these are.
 */
function patience() {
  if (process.argv[2] !== 'compile' || !process.versions.v8.startsWith('11.3.')) return undefined
  const { setFlagsFromString } = require('node:v8')
  return (patient) => setFlagsFromString(`--interrupt-budget=${patient ? 200_000 : 67_584}`)
}

/** A folder of scripts that load each other when they are needed, by `require('./NAME.js')`. */
class Bundle {
  /** By name; and of each what it exports. */
  scripts = new Map()
  exports = new Map()

  constructor(folder, setPatience) {
    this.folder = folder
    this.setPatience = setPatience
  }

  load(name) {
    const known = this.exports.get(name)
    if (known) return known
    const exports = {}
    this.exports.set(name, exports)
    const filename = path.join(this.folder, name)
    // Compiled code is only good for a V8 of the flags that it was made with.
    this.setPatience?.(false)
    const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: this.compiled(filename) })
    this.setPatience?.(true)
    this.scripts.set(name, script)
    const own = (id) => (id.startsWith('./') ? this.load(id.slice(2)) : require(id))
    script.runInThisContext()(exports, own, filename)
    return exports
  }

  /** V8 looks whether compiled code is of its version, and compiles anew if not. None for scripts that are seldom loaded. */
  compiled(filename) {
    try {
      return readFileSync(`${filename}.cache`)
    } catch {
      return undefined
    }
  }
}

/** What the command line exports. */
async function load() {
  // A published package has no build information, and a bundle that belongs to it.
  const fresh = timeOf(path.join(BUNDLE, 'main.js.cache')) >= (timeOf(path.join(DIST, '.tsbuildinfo')) ?? 0)
  return fresh ? new Bundle(BUNDLE, patience()).load('main.js') : import('../dist/cli/main.js')
}

async function start() {
  const { main } = await load()
  // Everything is written by now. Ending here saves Node the clearing of its memory.
  process.exit(await main(process.argv.slice(2)))
}

// Other threads take what they need (see src/cli/team); the bundle's maker, how to load one.
if (require.main === module) void start()
else module.exports = { load, Bundle }
