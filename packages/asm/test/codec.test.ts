import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { decode, encode, formatInsn } from '../src/index.ts'

const golden = readFileSync(new URL('../../../test/asm/golden/kernel.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t') as [string, string])

test('every instruction prints as the kernel prints it, and encodes to the bytes the kernel was given', () => {
  const asked = golden.filter(([, text]) => text !== '-')
  expect(asked.length).toBeGreaterThan(800)
  for (const [hex, text] of asked) {
    const { program, bad } = decode(Buffer.from(hex, 'hex'))
    expect(bad).toEqual([])
    // Number 0 is no kernel function: the kernel finds no name for it.
    expect(formatInsn(program[0]!)).toBe(text.replace('call #0', 'call kfunc#0'))
    expect(Buffer.from(encode(program)).toString('hex')).toBe(hex)
  }
})

test('the kernel was asked about all forms but those it answers with addresses and names of its own', () => {
  const unasked = golden.filter(([, text]) => text === '-').flatMap(([hex]) => decode(Buffer.from(hex, 'hex')).program)
  expect([...new Set(unasked.map(({ spec }) => spec.name))]).toEqual([
    'lddw_map_fd',
    'lddw_map_value',
    'lddw_btf_id',
    'lddw_func',
    'lddw_map_index',
    'lddw_map_index_value',
    'call_kfunc',
    'callx',
  ])
})
