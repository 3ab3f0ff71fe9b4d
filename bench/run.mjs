// Runs a TypeScript file of this folder: bundled with the packages' sources into one module, then imported.
//   node bench/run.mjs bench/filter.ts [arguments]
import { mkdtempSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'

const [, , file, ...args] = process.argv
if (!file) {
  console.error('usage: node bench/run.mjs FILE.ts [arguments]')
  process.exit(2)
}
// Beside the dependencies, so that the bundle finds those it does not hold.
const outDir = mkdtempSync(fileURLToPath(new URL('../node_modules/.bench-', import.meta.url)))
process.on('exit', () => rmSync(outDir, { recursive: true, force: true }))
await build({
  configFile: false,
  logLevel: 'error',
  resolve: { conditions: ['@netsieve/source'] },
  ssr: { noExternal: [/^@netsieve\//, 'long'], resolve: { conditions: ['@netsieve/source'] } },
  build: { ssr: resolve(file), outDir, target: 'node20', minify: false, emptyOutDir: false },
})
process.argv = [process.argv[0], file, ...args]
// For what measures in fresh processes: the bundle, which can be run by itself.
process.env.NETSIEVE_BENCH = join(outDir, basename(file).replace(/\.ts$/, '.js'))
await import(pathToFileURL(process.env.NETSIEVE_BENCH).href)
