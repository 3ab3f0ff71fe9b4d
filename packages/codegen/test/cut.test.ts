// A rule that cannot match still drops packets whose header is cut where it asks for that header (xt's hotdrop).

import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { evaluate, parse } from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'

const CUT = buildPacket('eth / ipv4(protocol=6) / 0x0400005000000000').value!.data

describe.each(['xt-ip', 'xt-compat'])('view %s', (view) => {
  it.each([
    ['never, by a constant', 'tcp.dport == 81, false'],
    ['never, by the protocol', 'tcp.dport == 81, meta.protocol == 0x86dd'],
    ['never, in one list', 'tcp.dport == 81 and tcp.dport in {}'],
    ['not these', 'tcp.dport == 81'],
  ])('%s', (_, matches) => {
    const text = `filter iptables profile xt-legacy
hook prerouting view ${view} family ipv4 chain c policy accept
chain c {
  #0: ${matches}, → accept
  #1: ipv4.src == 192.0.2.1, → drop
}
`
    const { value, diagnostics } = parse(source('c.ir', text))
    if (!value) throw new Error(renderAll(diagnostics))
    const { insns, maps } = generate(value, { type: 'xdp' })
    const { r0, exit } = load(insns, { type: 'xdp', maps }).run(CUT)
    expect(evaluate(value, CUT)).toEqual({ decision: 'drop', by: 'cut', rule: 0 })
    expect([decisionOf('xdp', r0), insns[exit!]!.origin!.rule]).toEqual(['drop', 0])
  })
})

it('a header that is cut by the end of a jumbogram drops too', () => {
  const text = `filter iptables profile xt-legacy
hook prerouting view xt-ip family ipv6 chain c policy accept
chain c {
  #0: tcp.dport == 81, → accept
}
`
  // A payload length of 0 before hop-by-hop options: the frame's own length counts (RFC 2675).
  const packet = buildPacket('eth / ipv6(plen=0) / hopopt(nexthdr=6) / 0x0400005000000000').value!.data
  const value = parse(source('c.ir', text)).value!
  expect(evaluate(value, packet)).toEqual({ decision: 'drop', by: 'cut', rule: 0 })
  for (const type of ['xdp', 'socket_filter'] as const) {
    const { insns, maps } = generate(value, { type })
    const { r0, exit } = load(insns, { type, maps }).run(packet)
    expect([decisionOf(type, r0), insns[exit!]!.origin!.rule]).toEqual(['drop', 0])
  }
})
