// Turns each packages/rules/src/<syntax>/*.ebnf into *.gen.ts beside it: `ebnf` reads the grammar, the matcher runs what is written here;
// and into a page of docs/grammars for people.
// `node scripts/grammars.mjs` writes the files; `--check` only says whether they are up to date (exit 1 if not).
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const rules = fileURLToPath(new URL('../packages/rules/', import.meta.url))
const docs = fileURLToPath(new URL('../docs/grammars/', import.meta.url))
const { Grammars } = createRequire(join(rules, 'package.json'))('ebnf')

/** `ebnf` gives a sequence as strings (`name`, `"literal"`, with `!`/`&` before and `?`/`*`/`+` after) and regular expressions. */
function parts(sequence) {
  const out = []
  for (const item of sequence) {
    if (item instanceof RegExp) {
      const literal = /^\\?[^[\\]$|^\\[^a-z0-9]$/i.test(item.source) ? item.source.replace(/^\\/, '') : undefined
      const before = out.at(-1)
      if (literal === undefined) out.push({ chars: item.source })
      else if (before && before.lit !== undefined && Object.keys(before).length === 1) before.lit += literal
      else out.push({ lit: literal })
      continue
    }
    const [, look, body, repeat] = /^([!&]?)(.*?)([?*+]?)$/s.exec(item)
    const part = /^(["']).*\1$/s.test(body) ? { lit: body.slice(1, -1) } : { rule: body }
    if (repeat === '?' || repeat === '*') part.min = 0
    if (repeat === '*' || repeat === '+') part.max = 'many'
    if (look) part.look = look
    out.push(part)
  }
  return out
}

/** The grammar file's rules as data. */
export function compile(text) {
  const rules = Grammars.Custom.getRules(`${text.trim()}\n`).map(({ name, bnf }) => ({
    name,
    alternatives: bnf.map(parts),
  }))
  // `ebnf` numbers the rules that it makes for brackets on from grammar to grammar; here each grammar's count from 1.
  const names = new Map()
  for (const { name } of rules) if (name.startsWith('%')) names.set(name, `%${names.size + 1}`)
  const renamed = (name) => names.get(name) ?? name
  // `ebnf` would take the later one of two.
  const twice = rules.find(({ name }, i) => rules.findIndex((other) => other.name === name) !== i)
  if (twice) throw new Error(`two rules are named ${twice.name}`)
  const data = rules.map(({ name, alternatives }) => ({
    name: renamed(name),
    alternatives: alternatives.map((sequence) =>
      sequence.map((part) => (part.rule === undefined ? part : { ...part, rule: renamed(part.rule) })),
    ),
  }))
  return data.map((rule) => {
    const begins = rule.alternatives.map((sequence) => beginnings(sequence, data, new Set([rule.name])))
    return begins.some((one) => one !== null) ? { ...rule, begins } : rule
  })
}

const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
/** Alternatives that may begin with more characters are hardly ever passed over. */
const MANY = 64

/** The ASCII characters that a sequence can begin with; null if it may be empty, or begin with many. */
function beginnings(sequence, data, inside) {
  const all = new Set()
  for (const part of sequence) {
    // What is looked ahead at takes nothing.
    if (part.look) continue
    const own = beginningsOf(part, data, inside)
    if (own === null) return null
    for (const char of own) all.add(char)
    if (part.min === 0) continue
    return all.size > MANY ? null : [...all].sort().join('')
  }
  return null
}

function beginningsOf({ lit, chars, rule }, data, inside) {
  if (lit !== undefined) return lit[0] ?? null
  if (chars !== undefined) return ASCII.filter((char) => new RegExp(`^${chars}$`, 'u').test(char)).join('')
  if (inside.has(rule)) return null
  const within = new Set([...inside, rule])
  const parts = data.find(({ name }) => name === rule).alternatives.map((one) => beginnings(one, data, within))
  return parts.includes(null) ? null : parts.join('')
}

export function render(file, text) {
  const data = compile(text).map((rule) => `  ${JSON.stringify(rule)},`)
  return [
    `// Made from ${file} by scripts/grammars.mjs: change the grammar there.`,
    '',
    "import type { GrammarData } from '../grammar/types.ts'",
    '',
    'export const GRAMMAR: GrammarData = [',
    ...data,
    ']',
    '',
  ].join('\n')
}

/** The grammar as a page: its comments are prose, its rules listings. */
export function page(file, text) {
  const pieces = text.split(/\/\*([\s\S]*?)\*\//).map((piece, i) => {
    if (piece.trim() === '') return ''
    return i % 2 === 1 ? piece.trim().replace(/\s*\n\s*/g, '\n') : `\`\`\`ebnf\n${piece.trim()}\n\`\`\``
  })
  const name = file.replace(/\.ebnf$/, '')
  return [
    `# The grammar of ${name}`,
    `Made from \`packages/rules/src/${name}/${file}\` by \`node scripts/grammars.mjs\`: the parser runs the same file.`,
    ...pieces.filter((piece) => piece !== ''),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n')
}

/** Every grammar's generated files, with what they should hold. */
export function grammars() {
  const src = join(rules, 'src')
  return readdirSync(src, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ebnf'))
    .sort()
    .flatMap((path) => {
      const file = join(src, path)
      const name = basename(path)
      const text = readFileSync(file, 'utf8')
      return [
        { output: file.replace(/\.ebnf$/, '.gen.ts'), text: render(name, text) },
        { output: join(docs, name.replace(/\.ebnf$/, '.md')), text: page(name, text) },
      ]
    })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let stale = 0
  for (const { output, text } of grammars()) {
    let now = ''
    try {
      now = readFileSync(output, 'utf8')
    } catch {}
    if (now === text) continue
    stale++
    if (process.argv.includes('--check')) console.error(`${output} is out of date: run node scripts/grammars.mjs`)
    else {
      mkdirSync(join(output, '..'), { recursive: true })
      writeFileSync(output, text)
    }
  }
  if (process.argv.includes('--check') && stale > 0) process.exit(1)
}
