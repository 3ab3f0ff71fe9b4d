#!/usr/bin/env node
// Starts the command line: from one script with its compiled code beside it where that is as new as the build (scripts/bundle.mjs),
// from the build's modules otherwise. CommonJS, because Node starts that sooner.
const { readFileSync, statSync } = require('node:fs')
const path = require('node:path')
const { Script } = require('node:vm')

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`netsieve needs Node 20.19 or newer; this is ${process.version}`)
  process.exit(2)
}

const DIST = path.join(__dirname, '../dist')
const BUNDLE = path.join(DIST, 'bundle/netsieve.js')
const timeOf = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs

function bundled() {
  const cachedData = readFileSync(`${BUNDLE}.cache`)
  // V8 looks whether the compiled code is of its version, and compiles anew if not.
  const script = new Script(readFileSync(BUNDLE, 'latin1'), { filename: BUNDLE, cachedData })
  const exports = {}
  script.runInThisContext()(exports, require, BUNDLE)
  return exports
}

/** What the command line exports. */
async function load() {
  // A published package has no build information, and a bundle that belongs to it.
  const fresh = timeOf(`${BUNDLE}.cache`) >= (timeOf(path.join(DIST, '.tsbuildinfo')) ?? 0)
  return fresh ? bundled() : import('../dist/cli/main.js')
}

async function start() {
  const { main } = await load()
  // Everything is written by now. Ending here saves Node the clearing of its memory.
  process.exit(await main(process.argv.slice(2)))
}

// Other threads take what they need (see src/cli/team).
if (require.main === module) void start()
else module.exports = load
