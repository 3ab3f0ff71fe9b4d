// The README's commands print what it shows. A line `…` stands for any number of lines.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Indented blocks that start with `$ command`, with the output shown under it (in the same or the next indented block). */
function examples(): { command: string; shown: string[] }[] {
  const out: { command: string; shown: string[] }[] = []
  let current: { command: string; shown: string[] } | undefined
  for (const line of readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n')) {
    const code = line === '' ? '' : /^ {4}(.*)$/.exec(line)?.[1]
    if (code === undefined) current = undefined
    else if (code.startsWith('$ ')) {
      current = { command: code.slice(2), shown: [] }
      out.push(current)
    } else current?.shown.push(code)
  }
  return out
}

const literally = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

describe('README.md', () => {
  it('has examples', () => expect(examples().length).toBeGreaterThanOrEqual(4))

  it.each(examples())('$command', ({ command, shown }) => {
    const words = command === 'npm start' ? ['demo'] : command.split(' ').slice(1)
    // In a folder of its own, so that what the example writes is gone with it.
    const folder = mkdtempSync(join(tmpdir(), 'netsieve-'))
    symlinkSync(join(ROOT, 'samples'), join(folder, 'samples'))
    try {
      const { stdout } = spawnSync(process.execPath, [join(ROOT, 'packages/netsieve/bin/netsieve.js'), ...words], {
        cwd: command === 'npm start' ? ROOT : folder,
        encoding: 'utf8',
      })
      const lines = shown.join('\n').trim().split('\n')
      const pattern = lines
        .map((line) => (line.trim() === '…' ? '(?:.*\\n)*?' : `${literally(line.trimEnd())} *\\n`))
        .join('')
      expect(stdout).toMatch(new RegExp(`^\\s*${pattern}`))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
