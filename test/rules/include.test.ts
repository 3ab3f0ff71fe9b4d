// Files that include others, against what nft made of them (nft/record-include.py).

import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { position, source } from '@netsieve/diag'
import { print } from '@netsieve/ir'
import { type Files, SYNTAXES } from '@netsieve/rules'
import { describe, expect, it } from 'vitest'

interface Row {
  readonly name: string
  readonly files: Readonly<Record<string, string>>
  readonly options?: readonly string[]
  readonly ruleset?: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
}

const { rows } = JSON.parse(readFileSync(new URL('nft/include.golden.json', import.meta.url), 'utf8')) as {
  readonly rows: readonly Row[]
}

/** What nft joins over the border of two files, refused here: each file holds whole statements and blocks. */
const WHOLE: Readonly<Record<string, string>> = {
  'a block over two files': 'main.nft:3',
  'a rule over two files': './b.nft:1',
  'no line end, then a comment': './b.nft:1',
  'no line end, then the next file': './s/1:1',
}

/** Places that differ: a file that does not end is told of where it ends, not where the other file goes on; a circle where it closes. */
const PLACES: Readonly<Record<string, string>> = {
  'each other': './main.nft:1',
  'no line end, then another rule': './b.nft:1',
  "no line end, then the block's end": './b.nft:1',
  'no line end, then a table': './b.nft:1',
  'no line end, a chain': './b.nft:1',
  'no line end behind an include': './b.nft:1',
}

/** The files of a row as a disk would have them; the program works in /work. */
function disk(files: Row['files']): Files {
  const texts = new Map<string, string>()
  const folders = new Map([['/etc', new Set<string>()]])
  for (const [name, text] of Object.entries(files)) {
    let path = posix.resolve('/work', name)
    if (name.endsWith('/')) folders.set(path, new Set())
    else texts.set(path, text)
    for (; path !== '/'; path = posix.dirname(path)) {
      const folder = posix.dirname(path)
      folders.set(folder, (folders.get(folder) ?? new Set()).add(posix.basename(path)))
    }
  }
  const real = (path: string): string => {
    const whole = posix.resolve('/work', path)
    const text = texts.get(whole)
    return text?.startsWith('->') ? posix.resolve(posix.dirname(whole), text.slice(2)) : whole
  }
  return {
    look: (path) => (texts.has(real(path)) ? 'file' : folders.has(real(path)) ? 'folder' : undefined),
    list: (path) => [...(folders.get(real(path)) ?? [])],
    read: (path) => {
      const text = texts.get(real(path))
      return text === undefined ? 'cannot be read' : source(path, text.replaceAll('%DIR%', '/work'))
    },
  }
}

function read({ files, options = [] }: Row) {
  const main = source('main.nft', files['main.nft']!.replaceAll('%DIR%', '/work'))
  return SYNTAXES.nft.read(main, { files: disk(files), includePath: options.filter((word) => word !== '-I') })
}

/** Rules without their texts: those of the files have variables. */
const meaning = (filter: Parameters<typeof print>[0]): string => print(filter).replace(/ {4}; .*$/gm, '')

describe('include as nft has it', () => {
  it.each(rows)('$name', (row) => {
    const { value, diagnostics } = read(row)
    const error = diagnostics.find(({ severity }) => severity === 'error')
    const at = error?.span && `${error.span.source.name}:${position(error.span.source, error.span.start).line}`
    if (row.ruleset === undefined || WHOLE[row.name]) {
      expect(value).toBeUndefined()
      expect(at).toBe(WHOLE[row.name] ?? PLACES[row.name] ?? `${row.file}:${row.line}`)
      return
    }
    expect(error).toBeUndefined()
    const same = SYNTAXES.nft.read(source('listed', row.ruleset), {})
    expect(meaning(value!)).toBe(meaning(same.value!))
  })
})
