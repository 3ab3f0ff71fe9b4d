import { source } from '@netsieve/diag'
import { type Filter, placeOf, type Term, termsOf } from '@netsieve/ir'
import { FIELDS, type FieldId, isMetadata } from '@netsieve/packet'
import { describe, expect, it } from 'vitest'
import { iptables, nft, pcapFilter, spellingsOf } from '../src/index.ts'

const IDS = (Object.keys(FIELDS) as FieldId[]).filter((id) => !isMetadata(id))
const said = (syntax: 'nft' | 'iptables' | 'pcap') =>
  IDS.flatMap((id) => (spellingsOf(id)[syntax] ?? []).map((words) => [words, id] as const))

/** A value that any syntax takes for a kind. */
function sampleOf(id: FieldId): string {
  const { kind, bits } = FIELDS[id]
  if (kind === 'mac') return '02:00:00:00:00:01'
  if (kind === 'ipv6') return '2001:db8::1'
  return kind === 'ipv4' ? '192.0.2.1' : bits > 1 ? '2' : '1'
}

const terms = (filter: Filter): Term[] => [...termsOf(filter)]

describe('nft', () => {
  it.each(said('nft'))('%s is %s', (words, id) => {
    const netdev = /^(?:arp|vlan|ether)/.test(words)
    const head = netdev ? ['netdev', 'ingress device "lo"'] : ['inet', 'input']
    // Addresses of options are numbers to nft, the type in front of a header is part of its name.
    const value = /^ip option|^igmp group|^icmp gateway/.test(words) ? '2' : sampleOf(id)
    const text = `table ${head[0]} t {\n chain c {\n  type filter hook ${head[1]} priority 0\n  ${words} ${value}\n }\n}\n`
    const parsed = nft.parse(source('rules', text))
    const lowered = parsed.value && nft.lower(parsed.value, {})
    if (words === 'meta nfproto') return expect(lowered?.value).toBeDefined()
    expect(
      [...parsed.diagnostics, ...(lowered?.diagnostics ?? [])].filter(({ severity }) => severity === 'error'),
    ).toEqual([])
    expect(terms(lowered!.value!).some((term) => term.kind === 'field' && term.field === id)).toBe(true)
  })
})

describe('iptables', () => {
  it.each(said('iptables').filter(([, id]) => id !== 'dccp.type'))('%s is %s', (words, id) => {
    const family = /^(?:ipv6|icmp6|ah6|fragment|hopopt|dstopts|routing)\./.test(id) ? 'ip6tables' : 'iptables'
    const value = /--(?:fragfirst|fragmore|fraglast|fragres|ahres|syn)$|^-f$/.test(words) ? '' : /-len$|ahlen$/.test(words) ? '16' : /tcp-flags/.test(words) ? 'SYN SYN' : sampleOf(id) // biome-ignore format: one choice
    const parsed = iptables.parse(source('rules', `${family}-legacy -t raw -A PREROUTING ${words} ${value} -j DROP\n`))
    const lowered = parsed.value && iptables.lower(parsed.value, { profile: 'xt-legacy' })
    expect(
      [...parsed.diagnostics, ...(lowered?.diagnostics ?? [])].filter(({ severity }) => severity === 'error'),
    ).toEqual([])
    expect(terms(lowered!.value!).some((term) => term.kind === 'field' && term.field === id)).toBe(true)
  })
})

describe('pcap expressions', () => {
  it.each(said('pcap'))('%s is %s', (words, id) => {
    const parsed = pcapFilter.parse(source('expression', `${words} = 0`))
    const lowered = parsed.value && pcapFilter.lower(parsed.value, {})
    expect(lowered?.value).toBeDefined()
    expect(placeOf(id)).toBeDefined()
  })
})

it('tells what a syntax cannot say', () => {
  expect(spellingsOf('tcp_maxseg.size')).toEqual({
    nft: ['tcp option maxseg size'],
    iptables: ['-p tcp -m tcpmss --mss'],
  })
  expect(spellingsOf('fragment.id')).toEqual({ nft: ['frag id'], iptables: ['-m frag --fragid'] })
  expect(spellingsOf('vlan1.id').nft).toEqual(['vlan type 8021q vlan id'])
  expect(spellingsOf('tcp.flags')).toMatchObject({ nft: ['tcp flags'], pcap: ['tcp[13]'] })
  expect(spellingsOf('ipv4.fragoff').pcap).toEqual(['ip[6:2] & 0x1fff'])
  expect(spellingsOf('ipv4.src')).toMatchObject({ flower: ['src_ip'], ethtool: ['src-ip'], iptables: ['-s', '-m iprange --src-range'] }) // biome-ignore format: one line
  expect(spellingsOf('gtpu.teid')).toEqual({})
})
