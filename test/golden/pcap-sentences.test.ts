// Sentences of the pcap-filter grammar: we take what libpcap takes, and refuse what it refuses (pcap-sentences.golden.json, recorded by
// pcap-sentences.record.py, which makes them from the grammar).

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pcapFilter } from '@netsieve/rules'
import { describe, expect, test } from 'vitest'

const golden: { tool: string; taken: string[]; refused: Record<string, string> } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'pcap-sentences.golden.json'), 'utf8'),
)

/** Why the two may differ: see pcap.md. */
const KNOWN = /shift by more than 31 bits|division by zero|modulus by zero/

function says(text: string): string | undefined {
  const { value, diagnostics } = pcapFilter.parse({ name: 'expression', text })
  if (!value) return diagnostics[0]!.message
  const lowered = pcapFilter.lower(value, {})
  return lowered.value ? undefined : lowered.diagnostics[0]!.message
}

describe(`sentences and ${golden.tool}`, () => {
  const { taken, refused } = golden
  test('there are many of both', () => {
    expect(taken.length).toBeGreaterThan(300)
    expect(Object.keys(refused).length).toBeGreaterThan(300)
  })

  test('what libpcap takes is taken', () => {
    const wrong = taken.flatMap((text) => {
      const message = says(text)
      return message === undefined ? [] : [`${text}: ${message}`]
    })
    expect(wrong).toEqual([])
  })

  test('what libpcap refuses is refused, but for operands that it mistakes', () => {
    const wrong = Object.entries(refused).filter(([text, why]) => says(text) === undefined && !KNOWN.test(why))
    expect(wrong).toEqual([])
  })
})
