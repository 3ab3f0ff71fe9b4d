// Makes a fresh clone runnable: dependencies by pnpm (frozen lockfile), then the incremental build and
// the command line's bundle.
// Runs before `npm start` and `npm test`; does nothing that is already done. All its output goes to stderr.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const PNPM = 'pnpm@12.20.0'
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`netsieve needs Node 20.19 or newer; this is ${process.version}`)
  process.exit(2)
}

function step(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

const stamp = 'node_modules/.modules.yaml'
if (!existsSync(stamp) || statSync(stamp).mtimeMs < statSync('pnpm-lock.yaml').mtimeMs) {
  step('npx', ['--yes', PNPM, 'install', '--frozen-lockfile'])
}
step('node_modules/.bin/tsc', ['-b'])
const { bundle, isBundled } = await import('./bundle.mjs')
if (!isBundled()) await bundle()
