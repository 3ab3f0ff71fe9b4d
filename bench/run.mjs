// Runs a TypeScript file of this folder on the packages' sources: `node bench/run.mjs equiv [arguments]`.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const [name] = process.argv.splice(2, 1)
if (!/^[a-z-]+$/.test(name ?? '')) {
  console.error('usage: node bench/run.mjs NAME [ARGUMENT…]')
  process.exit(2)
}
await runnerImport(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)), {
  configFile: false,
  logLevel: 'error',
  resolve: { conditions: ['@netsieve/source'] },
  ssr: { resolve: { conditions: ['@netsieve/source'] }, noExternal: [/^@netsieve\//] },
})
