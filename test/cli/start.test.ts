// Starting is most of the time of a short run: what the bundle's scripts load, and when.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'packages/netsieve/bin/netsieve.js')
const BUNDLE = join(ROOT, 'packages/netsieve/dist/bundle')
const CAPTURE = join(ROOT, 'samples/http.pcap')

/** The scripts that a command line loads, besides the first. */
function loaded(words: readonly string[]): string[] {
  const code = `
    const { Bundle } = require(${JSON.stringify(BIN)})
    const bundle = new Bundle(${JSON.stringify(BUNDLE)})
    bundle.load('main.js').main(process.argv.slice(1)).then((exitCode) => {
      console.error(JSON.stringify([...bundle.scripts.keys()].slice(1)))
      process.exitCode = exitCode
    })`
  const { status, stderr } = spawnSync(process.execPath, ['-e', code, '--', ...words], { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  return JSON.parse(stderr.trim().split('\n').at(-1)!) as string[]
}

test.skipIf(!existsSync(join(BUNDLE, 'main.js')))('a script is loaded when what it holds is asked for', () => {
  // Filtering a capture needs the first one only.
  expect(loaded(['-r', CAPTURE, '-w', '-', 'tcp port 80'])).toEqual([])
  const printing = loaded(['-r', CAPTURE, '-c', '1', 'tcp port 80'])
  expect(printing).toContain('packet-summary.js')
  expect(printing.filter((name) => /^(rules|verifier|codegen)-/.test(name))).toEqual([])
  const rule = 'iptables -A INPUT -p tcp --dport 80 -j ACCEPT'
  const running = loaded(['run', '-r', CAPTURE, rule])
  expect(running).toEqual(expect.arrayContaining(['run.js', 'rules-iptables.js', 'verifier-verify.js']))
  expect(running).not.toContain('rules-nft.js')
})
