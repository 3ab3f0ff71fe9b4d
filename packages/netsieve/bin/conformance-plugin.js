#!/usr/bin/env node
const { plugin } = await import('../dist/cli/plugin.js')
process.exitCode = plugin(process.argv.slice(2))
