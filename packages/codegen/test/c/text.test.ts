import { source } from '@netsieve/diag'
import { describe, expect, it } from 'vitest'
import { hex, identifier, inComment, lineOf, written } from '../../src/c/text.ts'

describe('text in a comment', () => {
  it.each([
    ['tcp dport 80 drop', 'tcp dport 80 drop'],
    ['a */ b', 'a * / b'],
    ['a /* b', 'a / * b'],
    ['**/', '** /'],
    ['/*/', '/ * /'],
    ['a ??/ b ???', 'a ? ?/ b ? ? ?'],
    ['two\nlines\r\n\tof it', 'two lines of it'],
    ['ends in \\', 'ends in \\ '],
    ['\u0000 \u202e \u2028', '<U+0000> <U+202e>'],
    ['Ä → ü', 'Ä → ü'],
  ])('%j', (text, wanted) => {
    expect(inComment(text)).toBe(wanted)
  })

  it('names the place of a span', () => {
    const rules = source('a.nft', 'one\ntwo\nthree')
    expect(lineOf({ source: rules, start: 4, end: 7 })).toBe('a.nft:2: ')
    expect(lineOf(undefined)).toBe('')
  })
})

it.each([
  ['ip/filter/input', 'ip_filter_input'],
  ['1st', '_1st'],
  ['', '_'],
  ['ü', '_'],
])('%j is the identifier %s', (text, wanted) => {
  expect(identifier(text)).toBe(wanted)
})

describe('numbers', () => {
  it.each([
    [80n, undefined, '80'],
    [0x7fffffffn, undefined, '2147483647'],
    [0x80000000n, undefined, '0x80000000U'],
    [1n << 40n, undefined, '0x10000000000ULL'],
    [0x0a000001n, 'ipv4', 'IP4(10, 0, 0, 1)'],
    [0x020000000001n, 'mac', 'MAC(0x2, 0x0, 0x0, 0x0, 0x0, 0x1)'],
    [6n, 'ipproto', 'IPPROTO_TCP'],
    [200n, 'ipproto', '200'],
    [0x86ddn, 'ethertype', 'ETH_P_IPV6'],
    [0x1234n, 'ethertype', '0x1234'],
    [0x12n, 'flags', '0x12'],
    [(0x20010db8n << 96n) | 1n, 'ipv6', 'IP6(0x20010db8, 0x0, 0x0, 0x1)'],
  ] as const)('%s as %s', (value, kind, text) => {
    expect(written(value, kind).text).toBe(text)
  })

  it('hexadecimal has the suffix of its width', () => {
    expect([0xffn, 0xffffffffn, 0x100000000n].map(hex)).toEqual(['0xff', '0xffffffffU', '0x100000000ULL'])
  })
})
