// The matches icmp and icmp6: types by number, with a code, or by name. Names: what `iptables -p icmp -h` and `ip6tables -p icmpv6 -h` of 1.8.9
// list; their numbers: IANA's registries of ICMP and ICMPv6 parameters.

import type { Diagnostics } from '@netsieve/diag'
import type { IpFamily, Word } from '../shared/index.ts'
import { readNumber, split } from '../shared/index.ts'

/** A type of message, any of them where absent, and one of its codes where one is asked for. */
export interface IcmpTest {
  readonly type?: bigint
  readonly code?: bigint
}

/** `name type[/code]`, further names of the same after it. */
const names = (text: string): ReadonlyMap<string, IcmpTest> =>
  new Map(
    text.split(';').flatMap((row): [string, IcmpTest][] => {
      const [numbers, ...all] = row.trim().split(/\s+/) as [string, ...string[]]
      const [type, code] = numbers.split('/').map(BigInt)
      return all.map((name) => [name, { type: type!, ...(code !== undefined && { code }) }])
    }),
  )

const NAMES: Readonly<Record<IpFamily, ReadonlyMap<string, IcmpTest>>> = {
  ipv4: new Map([
    ['any', {}],
    ...names(`0 echo-reply pong; 3 destination-unreachable; 3/0 network-unreachable; 3/1 host-unreachable; 3/2 protocol-unreachable;
      3/3 port-unreachable; 3/4 fragmentation-needed; 3/5 source-route-failed; 3/6 network-unknown; 3/7 host-unknown; 3/9 network-prohibited;
      3/10 host-prohibited; 3/11 tos-network-unreachable; 3/12 tos-host-unreachable; 3/13 communication-prohibited;
      3/14 host-precedence-violation; 3/15 precedence-cutoff; 4 source-quench; 5 redirect; 5/0 network-redirect; 5/1 host-redirect;
      5/2 tos-network-redirect; 5/3 tos-host-redirect; 8 echo-request ping; 9 router-advertisement; 10 router-solicitation;
      11 time-exceeded ttl-exceeded; 11/0 ttl-zero-during-transit; 11/1 ttl-zero-during-reassembly; 12 parameter-problem;
      12/0 ip-header-bad; 12/1 required-option-missing; 13 timestamp-request; 14 timestamp-reply; 17 address-mask-request;
      18 address-mask-reply`),
  ]),
  ipv6: names(`1 destination-unreachable; 1/0 no-route; 1/1 communication-prohibited; 1/2 beyond-scope; 1/3 address-unreachable;
    1/4 port-unreachable; 1/5 failed-policy; 1/6 reject-route; 2 packet-too-big; 3 time-exceeded ttl-exceeded; 3/0 ttl-zero-during-transit;
    3/1 ttl-zero-during-reassembly; 4 parameter-problem; 4/0 bad-header; 4/1 unknown-header-type; 4/2 unknown-option;
    128 echo-request ping; 129 echo-reply pong; 133 router-solicitation; 134 router-advertisement;
    135 neighbour-solicitation neighbor-solicitation; 136 neighbour-advertisement neighbor-advertisement; 137 redirect`),
}

/** `8`, `3/1`, `echo-request`, or the start of one name. Undefined after saying what is wrong: `iptables/icmp`, `rules/number`. */
export function readIcmpType(word: Word, family: IpFamily, diagnostics: Diagnostics): IcmpTest | undefined {
  if (/^\d/.test(word.text)) {
    const [first, second] = split(word, '/')
    const number = (part: Word, what: string) => readNumber(part, { what, max: 255, octal: true }, diagnostics)
    const type = number(first, 'an ICMP type')
    const code = second && number(second, 'an ICMP code')
    if (type === undefined || (second && code === undefined)) return undefined
    // 255 is how the kernel's match says any type of ICMP.
    if (family === 'ipv4' && type === 255n) return {}
    return { type, ...(code !== undefined && { code }) }
  }
  const known = NAMES[family]
  const wanted = word.text.toLowerCase()
  const close = [...known].filter(([name]) => name.startsWith(wanted))
  const [only, more] = known.has(wanted) ? [[wanted, known.get(wanted)!] as const] : close
  if (only && !more) return only[1]
  const message = more
    ? `\`${word.text}\` may be ${close.map(([name]) => name).join(' or ')}`
    : `\`${word.text}\` is no ICMP type`
  diagnostics.error('iptables/icmp', message, word.span, more ? {} : { expected: [...known.keys()] })
  return undefined
}
