// Who may import whom: the house plan as a table, held against the declared dependencies and the imports in the sources.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Each package, and the packages it may import: nothing else, never upward, never sideways. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  diag: [],
  packet: ['diag'],
  ir: ['diag', 'packet'],
  rules: ['diag', 'packet', 'ir'],
  asm: ['diag'],
  codegen: ['diag', 'packet', 'ir', 'asm'],
  verifier: ['diag', 'asm'],
  vm: ['diag', 'asm'],
  equiv: ['diag', 'packet', 'ir', 'asm', 'vm'],
  netsieve: ['diag', 'packet', 'ir', 'rules', 'asm', 'codegen', 'verifier', 'vm', 'equiv'],
}

/** Packages from outside that each may import at run time. */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  asm: ['long'],
  verifier: ['long'],
  vm: ['long'],
  equiv: ['fast-check'],
  netsieve: ['commander', 'long'],
}

const nameOf = (dependency: string) => dependency.replace(/^@netsieve\//, '')
const json = (path: string) => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as Record<string, unknown>

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** What a source file imports from: the quoted words after `from`, of `import '…'` and `import('…')`. */
function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [
    ...text.matchAll(
      /^\s*(?:import|export)\b[^'"]*?\bfrom\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm,
    ),
  ].map((found) => found[1] ?? found[2] ?? found[3]!)
}

it('has a row for every package', () => {
  expect(readdirSync(join(ROOT, 'packages')).sort()).toEqual(Object.keys(LAYERS).sort())
})

describe.each(Object.entries(LAYERS))('packages/%s', (name, allowed) => {
  it('declares what it may import, and nothing else', () => {
    const declared = Object.keys((json(`packages/${name}/package.json`).dependencies ?? {}) as object)
    const own = declared.filter((dependency) => dependency.startsWith('@netsieve/')).map(nameOf)
    expect(own.filter((dependency) => !allowed.includes(dependency))).toEqual([])
    const references = (json(`packages/${name}/tsconfig.json`).references ?? []) as readonly { path: string }[]
    expect(references.map(({ path }) => path.replace('../', '')).sort()).toEqual(own.sort())
  })

  it('imports only that, by package name, and no Node module outside the command line', () => {
    const wrong: string[] = []
    for (const file of sources(`packages/${name}/src`)) {
      const cli = name === 'netsieve' && file.includes('/src/cli/')
      for (const from of imports(file)) {
        const inside =
          from.startsWith('.') && join(dirname(file), from).startsWith(join(ROOT, 'packages', name, 'src/'))
        const layer = from.startsWith('@netsieve/') && allowed.includes(nameOf(from))
        const outside = OUTSIDE[name]?.includes(from) ?? false
        const node = cli && from.startsWith('node:')
        if (!inside && !layer && !outside && !node) wrong.push(`${file.slice(ROOT.length)}: ${from}`)
      }
    }
    expect(wrong).toEqual([])
  })
})
