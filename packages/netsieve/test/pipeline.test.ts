import { source, spanText } from '@netsieve/diag'
import { buildPacket } from '@netsieve/packet'
import { describe, expect, it } from 'vitest'
import { compile, readRules, rulesById, Sieve, verifyCompiled } from '../src/index.ts'

/** "Drop incoming IPv4 HTTP" in every syntax. */
const HTTP = {
  iptables: 'iptables -A INPUT -p tcp --dport 80 -j DROP',
  nft: 'table ip t {\n chain c {\n  type filter hook input priority 0\n  tcp dport 80 drop\n }\n}\n',
  pcap: 'not (ip and tcp dst port 80)',
  flower: 'tc filter add dev eth0 ingress protocol ip prio 1 flower ip_proto tcp dst_port 80 action drop',
  ethtool: 'ethtool -N eth0 flow-type tcp4 dst-port 80 action -1',
} as const

function frame(text: string): Uint8Array {
  const { value } = buildPacket(text)
  if (!value) throw new Error(text)
  return value.data
}

const WEB = frame('eth / ipv4 / tcp(sport=1024, dport=80)')
const REPLY = frame('eth / ipv4 / tcp(sport=80, dport=1024)')

describe.each(Object.entries(HTTP))('%s', (syntax, text) => {
  it.each(['xdp', 'sched_cls', 'socket_filter'] as const)('as %s: compiled, accepted, run by both engines', (type) => {
    const { value, diagnostics } = compile(source('rules', text), { type })
    expect(diagnostics).toEqual([])
    expect(value).toMatchObject({ syntax, type })
    expect(verifyCompiled(value!).status).toBe('accepted')
    for (const engine of ['interpreter', 'jit'] as const) {
      const sieve = new Sieve(value!, engine)
      expect(sieve.judge(WEB).verdict).toBe('drop')
      expect(sieve.judge(REPLY).verdict).toBe('pass')
    }
  })
})

it.each([
  ['pcap', 'socket_filter'],
  ['iptables', 'sched_cls'],
] as const)('classic: %s becomes a %s', (syntax, type) => {
  // Only what libpcap would see can be said in classic BPF; the others become what was asked for.
  const { value } = compile(source('rules', HTTP[syntax]), { syntax, type: 'sched_cls', classic: true })
  expect(value).toMatchObject({ syntax, type })
  expect(verifyCompiled(value!).status).toBe('accepted')
  const sieve = new Sieve(value!, 'jit')
  expect(sieve.judge(WEB).verdict).toBe('drop')
  expect(sieve.judge(REPLY).verdict).toBe('pass')
})

it('judge says what decided', () => {
  const rules =
    'iptables -A INPUT -p tcp --dport 80 -j DROP\niptables -A INPUT -p udp -j ACCEPT\niptables -P INPUT DROP'
  const { value } = compile(source('rules', rules))
  const sieve = new Sieve(value!)
  const told = (bytes: Uint8Array) => {
    const { verdict, r0, rule, by } = sieve.judge(bytes)
    return { verdict, r0, rule, by }
  }
  expect(told(WEB)).toEqual({ verdict: 'drop', r0: 1, rule: 0, by: rulesById(value!.filter!).get(0)!.text })
  expect(told(frame('eth / ipv4 / udp'))).toMatchObject({ verdict: 'pass', r0: 2, rule: 1 })
  expect(told(REPLY)).toEqual({ verdict: 'drop', r0: 1, rule: null, by: 'policy drop of ip/filter/INPUT' })
  expect(told(frame('eth / arp'))).toEqual({ verdict: 'pass', r0: 2, rule: null, by: 'not seen by any chain' })
})

describe('what is wrong with rules', () => {
  it.each([
    ['a value', 'rules/port', 'iptables -A INPUT -p tcp --dport 70000 -j DROP'],
    ['a chain that is not there', 'iptables/chain', 'iptables -A INPUT -j NOWHERE'],
    [
      'calls without number',
      'ir/size',
      [
        '*filter',
        ':INPUT ACCEPT [0:0]',
        ...Array.from({ length: 12 }, (_, i) => `:C${i} - [0:0]`),
        '-A INPUT -j C0',
        ...Array.from({ length: 44 }, (_, i) => `-A C${i >> 2} -j C${(i >> 2) + 1}`),
        'COMMIT',
        '',
      ].join('\n'),
    ],
  ])('%s: no value, and an error', (_, wrong, text) => {
    for (const outcome of [readRules(source('rules', text)), compile(source('rules', text))]) {
      expect(outcome.value).toBeUndefined()
      expect(outcome.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual([
        wrong,
      ])
    }
  })

  it('rules that the kernel has no room for: the first of them is told', () => {
    const rules = Array.from({ length: 3000 }, (_, i) => `-A INPUT -m string --string foo${i} --algo bm -j DROP\n`)
    const { value, diagnostics } = compile(source('rules', `*filter\n:INPUT ACCEPT [0:0]\n${rules.join('')}COMMIT\n`))
    expect(value).toBeUndefined()
    const { code, message, span } = diagnostics.find(({ severity }) => severity === 'error')!
    expect([code, message]).toEqual(['codegen/size', expect.stringMatching(/too many rules.*no room for this rule/)])
    // Those before are programs.
    expect(Number(/foo(\d+)/.exec(spanText(span!))?.[1])).toBeGreaterThan(1000)
  })
})
