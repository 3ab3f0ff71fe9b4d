// Our verdicts beside those recorded from Linux: of the corpus by hand, and of generated programs.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { verify, verifyBytes } from '@netsieve/verifier'
import { expect, test } from 'vitest'
import { corpus } from './corpus.ts'
import { generate, MAPS } from './generate.ts'
import { errorLines } from './kernel.ts'
import { allMessages } from './messages.ts'
import { templateOf } from './template.ts'

interface Golden<T> {
  readonly linux: string
  readonly verdicts: T
}

function golden<T>(name: string): Golden<T> {
  return JSON.parse(readFileSync(new URL(`./${name}.golden.json`, import.meta.url), 'utf8')) as Golden<T>
}

test('the corpus: the same verdict and the same error lines for 99 % of the cases, never a false accept', () => {
  const { verdicts } = golden<Record<string, string>>('corpus')
  const cases = corpus()
  expect(cases.length).toBeGreaterThan(4300)
  expect(cases.map(({ name }) => name).sort()).toEqual(Object.keys(verdicts).sort())
  const different: string[] = []
  for (const { name, type, bytes, options } of cases) {
    const { status, log } = verifyBytes(bytes, { type, ...options, logLevel: 1 })
    const ours = status === 'rejected' ? errorLines(log).join('\n') : status
    if (ours === 'accepted') expect.soft(verdicts[name], name).toBe('accepted')
    if (ours !== verdicts[name]) different.push(`${name}\n  Linux: ${verdicts[name]}\n  ours: ${ours}`)
  }
  expect(different.length / cases.length, different.join('\n')).toBeLessThan(0.01)
})

/** What no recorded verdict can have: Linux refuses some things without a word, and file descriptors have no fixed numbers. */
const NOT_RECORDED: ReadonlySet<string> = new Set([
  'bad program size',
  'a frozen array of several elements is read',
  'only socket_filter and cgroup_skb programs are for loaders without capabilities',
  'fd [^]*? is not pointing to valid bpf_map',
])

test('every message that the verifier can print is one that Linux printed for a program of the corpus', () => {
  const { verdicts } = golden<Record<string, string>>('corpus')
  const texts = Object.values(verdicts)
  const messages = allMessages()
  expect(messages.length).toBeGreaterThan(150)
  const missing = messages.filter(({ pattern }) => !texts.some((text) => pattern.test(text)))
  expect(missing.map(({ pattern }) => pattern.source).filter((source) => !NOT_RECORDED.has(source))).toEqual([])
})

test('each of the 60 messages that Linux says most often for generated programs is one it said for a program of the corpus', () => {
  const { messages } = JSON.parse(readFileSync(new URL('./frequent.golden.json', import.meta.url), 'utf8')) as {
    messages: Readonly<Record<string, number>>
  }
  const texts = Object.values(golden<Record<string, string>>('corpus').verdicts)
  const said = new Set(texts.flatMap((text) => text.split('\n')).map(templateOf))
  expect(Object.keys(messages)).toHaveLength(60)
  const missing = Object.keys(messages).filter((message) => !said.has(message))
  // File descriptors have no fixed numbers.
  expect(missing.filter((message) => message !== 'fd N is not pointing to valid bpf_map')).toEqual([])
})

/** Of the 20,000 recorded seeds, every SHARE-th: the whole list takes minutes. NETSIEVE_ALL_SEEDS=1 checks all. */
const SHARE = process.env.NETSIEVE_ALL_SEEDS ? 1 : 16

test('generated programs: no false accepts, at most 1 % false rejects, 90 % the same messages', () => {
  const words = golden<string>('generated').verdicts.split(' ')
  expect(words).toHaveLength(20_000)
  expect(words.filter((word) => word === '-').length).toBeLessThan(100)
  const count = { falseAccepts: 0, falseRejects: 0, rejected: 0, sameMessage: 0, accepted: 0, sameInsns: 0 }
  for (let seed = 0; seed < words.length; seed += SHARE) {
    const { program, type, functions } = generate(seed)
    const word = words[seed]!
    if (word === '-') continue
    const { status, log, stats } = verify(program, {
      type,
      maps: MAPS,
      logLevel: word.startsWith('!') ? 1 : 0,
      ...(functions && { functions }),
    })
    expect(status, `seed ${seed}`).not.toBe('unsupported')
    if (word.startsWith('!')) {
      count.rejected++
      if (status === 'accepted') count.falseAccepts++
      else if (word.slice(1) === digest(errorLines(log).join('\n'))) count.sameMessage++
    } else {
      count.accepted++
      if (status === 'rejected') count.falseRejects++
      else if (stats.processedInsns === Number(word)) count.sameInsns++
    }
  }
  expect(count.rejected).toBeGreaterThan(100)
  expect(count.falseAccepts).toBe(0)
  expect(count.falseRejects / count.accepted).toBeLessThan(0.01)
  expect(count.sameMessage / count.rejected).toBeGreaterThan(0.9)
  expect(count.sameInsns / count.accepted).toBeGreaterThan(0.6)
})

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
