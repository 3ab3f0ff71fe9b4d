// Rulesets in the way that Docker, Kubernetes, firewalld, ufw, fail2ban, OpenWrt and others write them, whole: each is read at all of its hooks without
// a fault, compiled, accepted, and decides as its meaning says on frames that talk.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { check, evaluate, newState, simplify } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import { SYNTAXES } from '@netsieve/rules'
import { verify } from '@netsieve/verifier'
import { Sieve } from 'netsieve'
import { describe, expect, test } from 'vitest'

const FOLDER = join(import.meta.dirname, 'real')
const TALK = join(import.meta.dirname, '../../samples/talk.pcap')
const frames = readCapture('talk', readFileSync(TALK)).records.map(({ data }) => data)
const META = { 'ct.state': 8n, 'fib.daddr.type': 2n, 'fib.reverse': 1n } as const

const rulesets = readdirSync(FOLDER).map((name) => ({ name, text: readFileSync(join(FOLDER, name), 'utf8') }))

test('there are rulesets of both kinds', () => {
  expect(rulesets.filter(({ name }) => name.endsWith('.nft')).length).toBeGreaterThanOrEqual(8)
  expect(rulesets.filter(({ name }) => name.endsWith('.save')).length).toBeGreaterThanOrEqual(6)
})

describe.each(rulesets)('$name', ({ name, text }) => {
  const hooks = (['input', 'forward'] as const).filter((hook) =>
    name.endsWith('.save') ? text.includes(`:${hook.toUpperCase()} `) : text.includes(`hook ${hook} `),
  )

  test.each(hooks)('%s', (hook) => {
    const { value, diagnostics } = SYNTAXES[name.endsWith('.nft') ? 'nft' : 'iptables'].read(source(name, text), {
      hook,
    })
    const errors = diagnostics.filter(({ severity }) => severity === 'error')
    expect(renderAll(errors)).toBe('')
    const checked = check(value!)
    expect(renderAll(checked.diagnostics)).toBe('')
    const filter = simplify(checked.value!)
    const generated = generate(filter, { type: 'xdp' })
    expect(verify(generated.insns, generated)).toMatchObject({ status: 'accepted' })
    const sieve = new Sieve({ source: source(name, text), syntax: 'nft', filter, ...generated }, 'jit')
    const state = newState(checked.value!)
    const timestampNs = 1_700_000_000_000_000_000n
    for (const frame of frames) {
      const { decision } = evaluate(checked.value!, frame, { meta: META, state, timestampNs })
      expect(sieve.judge(frame, { timestampNs }, META).verdict).toBe(decision)
    }
  })
})
