// Rules about what is known of packets beside their bytes against the verdicts of nft, iptables-nft and iptables-legacy (metadata/record.py).
// Every frame came in by the device in0, with no mark; the state of its connection is what rules about that alone told.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { check, evaluate, type Filter } from '@netsieve/ir'
import { CT_STATES, type Metadata, PACKET_TYPES, parseName, readCapture } from '@netsieve/packet'
import { SYNTAXES } from '@netsieve/rules'
import { verify } from '@netsieve/verifier'
import { Sieve } from 'netsieve'
import { describe, expect, test } from 'vitest'

interface Row {
  readonly name: string
  readonly syntax: 'nft' | 'iptables'
  readonly tool: 'nft' | 'iptables-nft' | 'iptables-legacy'
  readonly hook: string
  readonly rules: string
  /** One character a frame: a, d, or - for not told. */
  readonly base: string
  readonly talk: string
}

const { rows }: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'metadata/golden.json'), 'utf8'),
)

const CAPTURES = { base: 'captures/base.pcap', talk: '../../samples/talk.pcap' } as const
type CaptureName = keyof typeof CAPTURES

const frames = Object.fromEntries(
  Object.entries(CAPTURES).map(([name, file]) => [name, readCapture(file, readFileSync(join(import.meta.dirname, file))).records.map((r) => r.data)]),
) as Record<CaptureName, Uint8Array[]>

/** The address of the device at ingress, where frames for others are seen too. */
const OWN = [2, 0, 0, 0, 0, 1]

/** The state of a frame's connection; undefined if it was another in another run, as the connections of frames before it had it. */
function stateOf(capture: CaptureName, index: number, hook: string): bigint | undefined {
  const at = hook === 'input' ? '-input' : ''
  const told = (['new', 'invalid', 'untracked', 'established'] as const).filter(
    (state) => rows.find(({ name }) => name === `ct-${state}${at}`)![capture][index] === 'd',
  )
  return told.length === 1 ? BigInt(CT_STATES[told[0]!]) : undefined
}

/** What is known of a frame in the recorder's network. */
function metadata(capture: CaptureName, index: number, hook: string): Metadata {
  const frame = frames[capture][index]!
  const state = hook === 'ingress' ? undefined : stateOf(capture, index, hook)
  const tracked = state === BigInt(CT_STATES.new)
  const other = hook === 'ingress' && !(frame[0]! & 1) && OWN.some((byte, i) => frame[i] !== byte)
  return {
    'meta.iifname': parseName('in0')!,
    'meta.iiftype': 1n,
    'meta.iifgroup': 0n,
    // Link-local addresses are reached by the device that the frame came in by.
    ...(hook === 'forward' && { 'meta.oifname': parseName(toLinkLocal(frame) ? 'in0' : 'out0')! }),
    ...(other && { 'meta.pkttype': BigInt(PACKET_TYPES.other) }),
    ...(state !== undefined && { 'ct.state': state }),
    // Without a connection there is nothing else to tell of it.
    ...(tracked && { 'ct.direction': 0n, 'ct.mark': 0n, 'ct.status': 0n }),
  }
}

const toLinkLocal = (frame: Uint8Array) => frame[12] === 0x86 && frame[38] === 0xfe && (frame[39]! & 0xc0) === 0x80

function filterOf({ syntax, tool, rules, hook, name }: Row): Filter {
  const profile = ({ nft: 'nft-6.18', 'iptables-nft': 'xt-nft', 'iptables-legacy': 'xt-legacy' } as const)[tool]
  const { value, diagnostics } = SYNTAXES[syntax].read(source(name, rules), { profile, hook })
  const checked = value && check(value)
  if (!checked?.value) throw new Error(renderAll([...diagnostics, ...(checked?.diagnostics ?? [])]))
  return checked.value
}

/** Frames of a capture on which `decide` and the kernel differ. */
function wrong(row: Row, capture: CaptureName, decide: (frame: Uint8Array, meta: Metadata) => string): string[] {
  expect(frames[capture].length).toBe(row[capture].length)
  return frames[capture].flatMap((frame, i) => {
    const meta = metadata(capture, i, row.hook)
    if (row[capture][i] === '-' || (/\bct|state/.test(row.rules) && meta['ct.state'] === undefined)) return []
    const decision = decide(frame, meta)
    return decision === (row[capture][i] === 'a' ? 'pass' : 'drop') ? [] : [`frame ${i}: ${decision}, told ${row[capture][i]}`]
  })
}

/** What tells the states, and states that a frame alone does not have. */
const judged = rows.filter(({ name }) => !name.startsWith('ct-') || /^ct-(?:mark|status)/.test(name))

test('many rules of each tool are recorded', () => {
  for (const tool of ['nft', 'iptables-nft', 'iptables-legacy']) expect(judged.filter((row) => row.tool === tool).length).toBeGreaterThan(20)
})

describe.each(judged)('$name under $tool at $hook', (row) => {
  const filter = filterOf(row)

  test.each(Object.keys(CAPTURES) as CaptureName[])('meaning on %s', (capture) => {
    expect(wrong(row, capture, (frame, meta) => evaluate(filter, frame, { meta }).decision)).toEqual([])
  })

  test('program', () => {
    const generated = generate(filter, { type: 'xdp' })
    expect(verify(generated.insns, generated)).toMatchObject({ status: 'accepted' })
    const sieve = new Sieve({ source: source('', ''), syntax: row.syntax, filter, ...generated }, 'jit')
    expect(wrong(row, 'base', (frame, meta) => sieve.judge(frame, {}, meta).verdict)).toEqual([])
  })
})
