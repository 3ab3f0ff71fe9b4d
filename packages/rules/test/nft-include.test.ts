import { type Diagnostic, position, renderAll, source } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'
import { type Files, guessSyntax, nft, SYNTAXES } from '../src/index.ts'
import { expand } from '../src/nft/wildcards.ts'

/** Files without folders: enough where no wildcard asks. */
const flat = (texts: Readonly<Record<string, string>>): Files => ({
  look: (path) => (path in texts ? 'file' : undefined),
  list: () => Object.keys(texts).map((path) => path.slice(2)),
  read: (path, most) => (texts[path]!.length > most ? 'is too long' : source(path, texts[path]!)),
})

const parse = (main: string, texts: Readonly<Record<string, string>> = {}) =>
  nft.parse(source('main.nft', main), { files: flat(texts) })

const places = (diagnostics: readonly Diagnostic[]) =>
  diagnostics.map(({ code, span }) => `${code} ${span!.source.name}:${position(span!.source, span!.start).line}`)

const CHAIN = 'table ip t {\n chain c {\n  type filter hook input priority 0\n'

test('without files it is refused, wherever it stands', () => {
  const { diagnostics } = nft.parse(source('m', `include "./a"\n${CHAIN}  include "./b"\n }\n include "./c"\n}\n`))
  expect(places(diagnostics)).toEqual(['nft/unsupported m:1', 'nft/unsupported m:5', 'nft/unsupported m:7'])
  expect(
    renderAll(diagnostics.slice(1, 2)),
  ).toBe(`m:5:3: error: unsupported: \`include\`, where there are no files [nft/unsupported]
      include "./b"
      ^^^^^^^^^^^^^
  hint: put the text of that file in its place
`)
})

test('a text that only includes is taken for nft; other syntaxes include nothing', () => {
  expect(guessSyntax('include "./a.nft"\n')).toBe('nft')
  const told = SYNTAXES.iptables.read(source('m', 'iptables -A INPUT -j DROP'), { includePath: ['x'] }).diagnostics
  expect(told.map(({ code }) => code)).toEqual(['rules/option'])
  expect(SYNTAXES.iptables.read(source('m', 'iptables -A INPUT -j DROP'), { files: flat({}) }).value).toBeDefined()
})

test('rules, chains and values have their places in the files that they are in', () => {
  const { value } = parse('include "./defs"\ntable ip t {\n include "./chain"\n}\n', {
    './defs': '# ports\ndefine web = { 80, 443 }\n',
    './chain': '\nchain c {\n type filter hook input priority 0\n include "./rules"\n  udp dport 53 drop\n}\n',
    './rules': 'tcp dport $web accept # web\n\n  tcp dport 22 \\\n drop\n',
  })
  const { rules, span, hook } = value!.tables[0]!.chains.get('c')!
  const place = ({ source: file, start }: { source: { name: string }; start: number }) => `${file.name}@${start}`
  expect(place(span)).toBe('./chain@7')
  expect(place(hook!.span)).toBe('./chain@12')
  expect(rules.map((rule) => [rule.text, place(rule.span)])).toEqual([
    ['tcp dport $web accept', './rules@0'],
    ['tcp dport 22 \\\n drop', './rules@31'],
    ['udp dport 53 drop', './chain@67'],
  ])
  const [web] = rules[0]!.steps
  expect(web).toMatchObject({ kind: 'match', right: { kind: 'set', span: { source: { name: './defs' }, start: 21 } } })
})

test('an error is told with the way to its file', () => {
  const { diagnostics } = parse('\ninclude "./a"\n', { './a': 'include "./b"\n', './b': '\n  define x 4\n' })
  expect(renderAll(diagnostics)).toBe(`./b:2:12: error: \`4\` cannot stand here [nft/syntax]
      define x 4
               ^
  expected '='
./a:1:1: note: included here
    include "./b"
    ^^^^^^^^^^^^^
main.nft:2:1: note: included here
    include "./a"
    ^^^^^^^^^^^^^
`)
})

test('what a file could not be found for is said', () => {
  const { diagnostics } = parse('include "./a"\ninclude "b"\n')
  expect(diagnostics.map(({ message, hint }) => `${message}; ${hint}`)).toEqual([
    'there is no file ./a; it is looked for from where netsieve runs, not beside this file',
    'there is no file b; it is looked for in /etc; -I names more folders',
  ])
})

test('a folder is told of', () => {
  const files: Files = { ...flat({}), look: () => 'folder' }
  const { diagnostics } = nft.parse(source('m', `include "./rules/"\n${CHAIN} }\n}\n`), { files })
  expect(renderAll(diagnostics)).toBe(`m:1:1: warning: ./rules/ is a folder: nothing is included [nft/include]
    include "./rules/"
    ^^^^^^^^^^^^^^^^^^
  hint: \`include "./rules/*"\` includes the files in it
`)
})

describe('it ends', () => {
  test('where files include each other, however often', () => {
    const both = 'include "./a"\ninclude "./b"\n'.repeat(1000)
    const { diagnostics } = parse(both, { './a': both, './b': both })
    expect(diagnostics.map(({ message }) => message)).toEqual(['./a includes itself'])
  })

  test('where files have many names', () => {
    let read = 0
    const files: Files = {
      look: () => 'file',
      list: () => [],
      read: (path) => {
        read++
        return source(path, `include "${path}x"\n`.repeat(2))
      },
    }
    const { diagnostics } = nft.parse(source('m', 'include "./x"\n'), { files })
    expect(diagnostics.map(({ message }) => message)).toEqual(['files are included more than 16 deep'])
    expect(read).toBe(15)
  })

  test('where they fan out', () => {
    const texts = Object.fromEntries([...Array(5).keys()].map((i) => [`./${i}`, `include "./${i + 1}"\n`.repeat(20)]))
    const { diagnostics } = parse('include "./0"\n', { ...texts, './5': '\n' })
    expect(diagnostics.map(({ message }) => message)).toEqual(['more than 10000 files are included'])
  })

  test('where they are long', () => {
    const long = `#${'x'.repeat(1 << 20)}\n`
    const { diagnostics } = parse('include "./a"\n'.repeat(70), { './a': long })
    expect(diagnostics[0]!.message).toBe('./a is too long')
    expect(position(diagnostics[0]!.span!.source, diagnostics[0]!.span!.start).line).toBe(64)
  })

  test('where wildcards look at many names', () => {
    const files: Files = { look: () => 'folder', list: () => Array.from({ length: 1000 }, (_, i) => `${i}`), read: () => '' } // biome-ignore format: one value
    const { diagnostics } = nft.parse(source('m', 'include "./*/*/*/*/*"\ninclude "./*"\n'), { files })
    expect(places(diagnostics)).toEqual(['nft/include m:1'])
  })

  test('where a pattern is made to be slow', () => {
    const name = 'a'.repeat(255)
    const files: Files = { look: () => 'file', list: () => [name], read: () => '' }
    expect(expand(files, `./${'*a'.repeat(120)}*b`, { names: 10 })).toEqual([])
    expect(expand(files, `./${'*a'.repeat(120)}*`, { names: 10 })).toEqual([`./${name}`])
    const { diagnostics } = nft.parse(source('m', `include "${'['.repeat(5000)}"\n`), { files })
    expect(diagnostics[0]!.message).toBe('a path has at most 4096 characters')
  })
})
