#!/usr/bin/env node
void import('../dist/cli/plugin.js').then(({ plugin }) => {
  process.exitCode = plugin(process.argv.slice(2))
})
