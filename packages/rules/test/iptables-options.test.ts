// Options of iptables' matches and targets: which are needed, what each may be given, and which exclude one another.

import { code, renderAll, source, spanText } from '@netsieve/diag'
import { type EvaluateOptions, evaluate, type Filter, type ProfileName, print } from '@netsieve/ir'
import { describe, expect, test } from 'vitest'
import { iptables } from '../src/index.ts'

function read(text: string, options: { readonly hook?: string; readonly profile?: ProfileName } = {}) {
  const parsed = iptables.parse(source('rules', text))
  const lowered = parsed.value ? iptables.lower(parsed.value, options) : { diagnostics: [] }
  return { ...lowered, diagnostics: [...parsed.diagnostics, ...lowered.diagnostics] }
}

/** The filter of a text that has no fault. */
function filter(text: string): Filter {
  const { value, diagnostics } = read(text)
  if (!value) throw new Error(renderAll(diagnostics))
  return value
}

describe('hashlimit', () => {
  test('a bucket for each key', () => {
    const text =
      'iptables -A INPUT -p tcp -m hashlimit --hashlimit-above 30/min --hashlimit-mode srcip,dstport --hashlimit-srcmask 24 --hashlimit-name x --hashlimit-htable-expire 60000 -j DROP'
    expect(print(filter(text)).match(/^limit .*|limit over [^,]*/gm)).toEqual([
      'limit hashlimit.ipv4.x 1 packets a 2000000000 ns burst 5 each 32:ipv4 . 16:port size 65535 timeout 60000000000 refreshed',
      'limit over hashlimit.ipv4.x[ipv4.src & 255.255.255.0 . th.dport]',
    ])
  })

  const line = (tool: string, options: string) =>
    `${tool} -A INPUT -m hashlimit ${options} --hashlimit-mode srcip --hashlimit-name x -j DROP`
  test('rules of one name and family share their buckets, whichever side of the rate they are for', () => {
    const both = `${line('iptables', '--hashlimit-upto 5/min')}\n${line('iptables', '--hashlimit-above 5/min')}`
    expect(print(filter(both)).match(/(?<=^limit )\S+|(?<=#\d: )limit [^,]*(?=,)/gm)).toEqual(['hashlimit.ipv4.x', 'limit hashlimit.ipv4.x[ipv4.src]', 'limit over hashlimit.ipv4.x[ipv4.src]']) // biome-ignore format: a list
    const families = `${line('iptables', '--hashlimit-upto 5/min')}\n${line('ip6tables', '--hashlimit-upto 6/min')}`
    expect(filter(families).state?.map(({ name }) => name)).toEqual(['hashlimit.ipv4.x', 'hashlimit.ipv6.x'])
  })

  test('the first rule of a name says what its buckets are, though packets do not come to it', () => {
    const [five, six] = [line('iptables', '--hashlimit-upto 5/min'), line('iptables', '--hashlimit-upto 6/min')]
    const elsewhere = line('iptables -t mangle', '--hashlimit-upto 6/min').replace('INPUT', 'OUTPUT')
    const { diagnostics } = read(`${five}\n${six}`)
    expect(code(diagnostics)).toEqual(['iptables/unsupported'])
    expect(diagnostics[0]!.span!.start).toBeGreaterThan(five.length)
    expect(code(read(`${elsewhere}\n${five}`).diagnostics)).toEqual(['iptables/unsupported'])
    expect(code(read(`${five}\n${elsewhere}`).diagnostics)).toEqual([])
  })

  test.each<[string, string]>([
    ['--hashlimit-upto 5/min', 'iptables/match'],
    ['--hashlimit-upto 5/min --hashlimit-name a/b', 'iptables/match'],
    ['--hashlimit-upto 5/min --hashlimit-name ..', 'iptables/match'],
    ['--hashlimit-name x', 'iptables/match'],
    ['--hashlimit-upto 5/min --hashlimit-above 5/min --hashlimit-name x', 'iptables/match'],
    ['--hashlimit-upto 5/fortnight --hashlimit-name x', 'iptables/match'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-mode source', 'iptables/match'],
    ['--hashlimit-upto 512kb/s --hashlimit-name x', 'iptables/unsupported'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-mode srcport', 'iptables/unsupported'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-htable-max 5', 'iptables/unsupported'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-burst 0', 'rules/number'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-burst 1000001', 'rules/number'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-htable-size banana', 'rules/number'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-htable-size 4294967296', 'rules/number'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-htable-gcinterval 0', 'rules/number'],
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-htable-expire 0', 'rules/number'],
    // 512 rows hold 4096 keys; the kernel drops what comes from the next one.
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-mode srcip --hashlimit-htable-size 512', 'iptables/unsupported'], // biome-ignore format: a table
    ['--hashlimit-upto 5/min --hashlimit-name x --hashlimit-mode srcip --hashlimit-htable-gcinterval 60000', 'iptables/unsupported'], // biome-ignore format: a table
  ])('%s', (options, expected) => {
    expect(code(read(`iptables -A INPUT -m hashlimit ${options} -j DROP`).diagnostics)).toEqual([expected])
  })
})

test.each([
  ['--hashlimit-upto 5/s --hashlimit-burst 1000000 --hashlimit-name x', 'burst 1000000'],
  ['--hashlimit-upto 5/s --hashlimit-mode srcip --hashlimit-htable-size 32768 --hashlimit-htable-gcinterval 60000 --hashlimit-name x', 'size 65535'], // biome-ignore format: a table
])('hashlimit takes %s', (options, shown) => {
  expect(print(filter(`iptables -A INPUT -m hashlimit ${options} -j DROP`))).toContain(shown)
})

describe('a burst of limit', () => {
  const burst = (options: string, profile: 'xt-nft' | 'xt-legacy') => {
    const { value, diagnostics } = read(`iptables -A INPUT -m limit ${options} -j DROP`, { profile })
    const [limit] = value?.state ?? []
    return limit?.kind === 'limit' ? limit.burst : code(diagnostics)
  }
  // Of the kernel behind iptables-legacy 1.8.9 (Result not representable), and of what iptables-nft lists.
  test.each([
    ['--limit-burst 0', 5n, ['iptables/match']],
    ['--limit 5/s --limit-burst 0', 5n, ['iptables/match']],
    ['--limit-burst 10000', 10_000n, ['iptables/match']],
    ['--limit 1/day --limit-burst 10000', 10_000n, ['iptables/match']],
    ['--limit 10000/s --limit-burst 1', 1n, 1n],
  ])('%s', (options, nft, legacy) => {
    expect(burst(options, 'xt-nft')).toEqual(nft)
    expect(burst(options, 'xt-legacy')).toEqual(legacy)
  })
})

test.each<[string, string]>([
  ['--mode random', '--mode random needs --probability'],
  ['--mode random --every 3', '--mode random takes no --every'],
  ['--mode random --probability 0.5 --packet 3', '--mode random takes no --packet'],
  ['--mode nth --probability 0.5', '--mode nth takes no --probability'],
  ['--mode nth --every 3', '--mode nth needs --packet'],
  ['--mode nth --packet 0', '--mode nth needs --every'],
  ['--mode nth --every 3 --packet 3', '--packet is below --every'],
  ['--mode nth --every 0 --packet 0', '0 is below 1'],
  ['--mode nth --every 4294967296 --packet 0', '4294967296 is above 4294967295'],
  ['--every 3 --packet 0', 'statistic needs a mode'],
])('statistic %s: %s', (options, message) => {
  const { diagnostics } = read(`iptables -A INPUT -m statistic ${options} -j DROP`)
  expect(diagnostics.map((each) => each.message)).toEqual([message])
})

describe('a match that needs an option', () => {
  // What iptables 1.8.9 says to each of them alone, with the protocol that it needs.
  const needing =
    'multiport icmp comment state conntrack mark connmark pkttype owner mac length cpu devgroup realm u32 nfacct ecn ttl tos dscp tcpmss iprange addrtype hashlimit quota statistic'
  const protocols: Readonly<Record<string, string>> = { multiport: 'tcp', icmp: 'icmp', tcpmss: 'tcp', ah: 'ah', esp: 'esp', tcp: 'tcp', udp: 'udp', sctp: 'sctp', dccp: 'dccp' } // biome-ignore format: one row
  const alone = (match: string) => {
    const protocol = protocols[match] ? `-p ${protocols[match]} ` : ''
    return code(
      read(`iptables -t raw -A PREROUTING ${protocol}-m ${match} -j DROP`, { hook: 'prerouting' }).diagnostics,
    )
  }
  test.each(needing.split(' '))('%s', (match) => {
    expect(alone(match)).toEqual(['iptables/option'])
  })

  test.each('tcp udp sctp dccp ah esp limit time rpfilter'.split(' '))('not %s', (match) => {
    expect(alone(match)).toEqual([])
  })

  test.each([
    ['ip6tables -A INPUT -p icmpv6 -m icmp6 -j DROP', ['iptables/option']],
    ['ip6tables -A INPUT -m hl -j DROP', ['iptables/option']],
    ['ip6tables -A INPUT -m frag -m hbh -m dst -m rt -j DROP', []],
    ['iptables -A INPUT -m length --length 5 -m length -j DROP', ['iptables/option']],
    ['iptables -A INPUT -m length -m length --length 5 -j DROP', ['iptables/option']],
    [
      'iptables -A INPUT -m time --kerneltz -m addrtype --limit-iface-in -j DROP',
      ['iptables/unsupported', 'iptables/unsupported'],
    ],
  ])('%s', (text, codes) => {
    expect(code(read(text).diagnostics)).toEqual(codes)
  })

  test('the message', () => {
    const text = '-A INPUT -m iprange -j DROP'
    expect(
      renderAll(read(text).diagnostics).trimEnd(),
    ).toBe(`rules:1:10: error: the match iprange needs an option [iptables/option]
    -A INPUT -m iprange -j DROP
             ^^^^^^^^^^
  expected one of --src-range, --dst-range`)
  })
})

describe('targets whose doings are told', () => {
  const mangle = (rule: string) => {
    const tool = rule.startsWith('ip6 ') ? 'ip6tables' : 'iptables'
    return read(`${tool} -t mangle -A POSTROUTING ${rule.replace('ip6 ', '')}`, { hook: 'postrouting' }).diagnostics
  }
  // Each as iptables 1.8.9, or the kernel behind it, refuses it.
  test.each([
    ['-j TTL', 'TTL needs an option'],
    ['-j TTL --ttl-set banana', '`banana` is not a number'],
    ['-j TTL --ttl-set 256', '256 is above 255'],
    ['-j TTL --ttl-inc 0', '0 is below 1'],
    ['-j TTL --ttl-set 3 --ttl-inc 2', 'TTL takes one of its options'],
    ['ip6 -j TTL --ttl-set 3', 'ip6tables has no target TTL'],
    ['-j HL --hl-set 3', 'iptables has no target HL'],
    ['ip6 -j HL', 'HL needs an option'],
    ['ip6 -j HL --hl-dec 256', '256 is above 255'],
    ['-j DSCP', 'DSCP needs an option'],
    ['-j DSCP --set-dscp 99', '99 is above 63'],
    ['-j DSCP --set-dscp-class XX', '`XX` is no DSCP class'],
    ['-j DSCP --set-dscp 1 --set-dscp-class EF', 'DSCP takes one of its options'],
    ['-j TOS', 'TOS needs an option'],
    ['-j TOS --set-tos xx', '`xx` is not a number up to 255'],
    ['-j TOS --and-tos 3/3', '`3/3` is not a number'],
    ['-p tcp --syn -j TCPMSS', 'TCPMSS needs an option'],
    ['-p tcp --syn -j TCPMSS --set-mss 65516', '65516 is above 65515'],
    ['ip6 -p tcp --syn -j TCPMSS --set-mss 65496', '65496 is above 65495'],
    ['-j TCPMSS --clamp-mss-to-pmtu', 'TCPMSS needs -p tcp'],
    ['-p tcp -j TCPOPTSTRIP --strip-options 1', '1 is below 2'],
    ['-p tcp -j TCPOPTSTRIP --strip-options mss,x', '`x` is not a number'],
    ['-j TCPOPTSTRIP --strip-options mss', 'TCPOPTSTRIP needs -p tcp'],
    ['-p udp -j ECN --ecn-tcp-remove', 'ECN needs -p tcp'],
    ['-p tcp -j ECN', 'ECN needs --ecn-tcp-remove'],
    ['-j CHECKSUM', 'CHECKSUM needs --checksum-fill'],
    ['-j TEE', 'TEE needs --gateway'],
    ['-j TEE --oif lo', 'TEE needs --gateway'],
    ['-j TEE --gateway 0.0.0.0', 'this is no gateway'],
    ['-j IDLETIMER --label x', 'IDLETIMER needs --timeout'],
    ['-j IDLETIMER --label x --timeout 0', '0 is below 1'],
    ['-j LED', 'LED needs --led-trigger-id'],
    ['-j LED --led-trigger-id x --led-delay q', '`q` is not a number'],
    ['-j RATEEST --rateest-name x --rateest-interval 250ms', 'RATEEST needs --rateest-ewmalog'],
    ['-j RATEEST --rateest-name x --rateest-interval q --rateest-ewmalog 1s', '`q` is no time'],
    [
      '-j RATEEST --rateest-name x --rateest-interval 16s --rateest-ewmalog 1000s',
      'the interval of a rate is at most 8 seconds',
    ],
    [
      '-j RATEEST --rateest-name x --rateest-interval 8s --rateest-ewmalog 8s',
      'a rate of this interval is smoothed over 11.54 seconds or more',
    ],
    [
      '-j RATEEST --rateest-name x --rateest-interval 0ms --rateest-ewmalog 2ms',
      'a rate of this interval is smoothed over 0.00 seconds or more',
    ],
    ['-j NFLOG --nflog-range 1 --nflog-size 2', '--nflog-range does not go with --nflog-size'],
    ['-j SECMARK', 'SECMARK needs --selctx'],
    ['-j CONNSECMARK', 'CONNSECMARK needs an option'],
    ['-j CONNSECMARK --save --restore', 'CONNSECMARK takes one of its options'],
    ['-j AUDIT', 'AUDIT needs --type'],
    ['-j AUDIT --type x', '`x` is not known here'],
    ['-j LOG --log-level 8', '8 is above 7'],
    ['-j NFLOG --nflog-group 65536', '65536 is above 65535'],
    ['-j ULOG --ulog-nlgroup 33', '33 is above 32'],
    ['-j NFQUEUE --queue-num 65536', '65536 is above 65535'],
    ['-j NFQUEUE --queue-num 5:7', '`5:7` is not a number'],
    ['-j NFQUEUE --queue-balance 5', '`5` is no range of queues'],
    ['-j NFQUEUE --queue-balance 5:5', 'this range ends before it starts'],
    ['-j NFQUEUE --queue-num 1 --queue-balance 2:3', 'NFQUEUE takes one of --queue-num and --queue-balance'],
    ['-j NFQUEUE --queue-cpu-fanout', '--queue-cpu-fanout needs --queue-balance'],
  ])('%s: %s', (rule, message) => {
    expect(mangle(rule).map((each) => each.message)).toEqual([message])
  })

  test.each(
    [
      '-j TTL --ttl-set 0x10', 'ip6 -j HL --hl-inc 255', '-j DSCP --set-dscp-class be', '-j TOS --set-tos 0x10/0x3f', '-j TOS --set-tos Normal-Service',
      '-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu --set-mss 20', '-p tcp -j TCPOPTSTRIP', '-p tcp -j TCPOPTSTRIP --strip-options wscale,5', '-p tcp -j ECN --ecn-tcp-remove',
      '-j CHECKSUM --checksum-fill', '-j TEE --gateway 192.0.2.1 --oif lo', 'ip6 -j TEE --gateway ::1', '-j IDLETIMER --label x --timeout 5',
      '-j RATEEST --rateest-name x --rateest-interval 250ms --rateest-ewmalog 1s', '-j RATEEST --rateest-name x --rateest-interval 8s --rateest-ewmalog 16s', '-j CONNSECMARK --save', '-j AUDIT --type ACCEPT', '-j LOG --log-level panic',
      '-j LOG --log-level 7', '-j NFLOG', '-j NFQUEUE', '-j NFQUEUE --queue-balance 0:1 --queue-cpu-fanout',
    ], // biome-ignore format: a list
  )('%s is taken', (rule) => {
    expect(code(mangle(rule)).filter((each) => each !== 'iptables/rewrite' && each !== 'rules/hook-chosen')).toEqual([])
  })

  test.each([
    ['--zone x', ['rules/number']],
    ['--zone mark', []],
    ['--zone-orig 65536', ['rules/number']],
    ['--ctevents new,x', ['iptables/target']],
    ['--ctevents new,destroy', []],
  ])('CT %s', (options, codes) => {
    expect(code(read(`iptables -t raw -A OUTPUT -j CT ${options}`, { hook: 'output' }).diagnostics)).toEqual(codes)
  })
})

describe('time', () => {
  const SECOND = 1_000_000_000n
  /** Whether a packet that comes then is dropped. */
  const drops = (options: string, when: string) => {
    const at = new Date(`${when}Z`)
    const meta = {
      'meta.time': BigInt(at.getTime() / 1000) * SECOND,
      'meta.day': BigInt(at.getUTCDay()),
      'meta.hour': BigInt(at.getUTCHours() * 3600 + at.getUTCMinutes() * 60 + at.getUTCSeconds()),
    }
    const frame = Uint8Array.from([...Array(12).fill(0), 8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, ...Array(10).fill(0)]) // biome-ignore format: one frame
    return evaluate(filter(`iptables -A INPUT -m time ${options} -j DROP`), frame, { meta }).decision === 'drop'
  }
  // As net/netfilter/xt_time.c of Linux 6.18 has it; 27 November 2026 is a Friday.
  test.each([
    ['--monthdays 1,15,31', '2026-11-15T00:00:00', true],
    ['--monthdays 1,15,31', '2026-11-30T23:59:59', false],
    ['--monthdays 1,15,31', '2024-12-31T23:59:59', true],
    ['! --monthdays 29', '2024-02-29T12:00:00', false],
    ['! --monthdays 29', '2025-03-01T12:00:00', true],
    ['--weekdays Fri --timestart 23:00 --timestop 01:00', '2026-11-27T00:30:00', true],
    ['--weekdays Fri --timestart 23:00 --timestop 01:00 --contiguous', '2026-11-27T00:30:00', false],
    ['--weekdays Fri --timestart 23:00 --timestop 01:00 --contiguous', '2026-11-28T00:30:00', true],
    ['--weekdays Fri --timestart 23:00 --timestop 01:00 --contiguous', '2026-11-27T23:30:00', true],
    ['! --weekdays Fri --timestart 23:00 --timestop 01:00 --contiguous', '2026-11-28T00:30:00', false],
    ['--monthdays 30 --timestart 23:00 --timestop 01:00 --contiguous', '2026-12-01T00:59:59', true],
    ['--monthdays 30 --timestart 23:00 --timestop 01:00 --contiguous', '2026-12-01T01:00:01', false],
  ])('%s at %s: %s', (options, when, expected) => {
    expect(drops(options, when)).toBe(expected)
  })
})

test.each<[string, string]>([
  ['-m string --algo bm --string abc', 'contains(0 61440 616263)'],
  ['-m string --algo kmp ! --string "GET /" --icase', 'not (contains(0 61440 474554202f nocase))'],
  ['-m string --algo bm --hex-string "|0d 0a|x|7C|" --from 40 --to 100', 'contains(40 100 0d0a787c)'],
  ['-m string --algo bm --hex-string "a\\\\|b"', 'contains(0 61440 617c62)'],
  // As iptables 1.8.9 says that it read them.
  ['-m string --algo bm --hex-string "|41||42|"', 'contains(0 61440 417c3432)'],
  ['-m string --algo bm --hex-string "|41|||"', 'contains(0 61440 417c)'],
  ['-m string --algo bm --hex-string "|41|\\\\x"', 'contains(0 61440 415c78)'],
  ['-m string --algo bm --hex-string "|ab cd|ef|01|"', 'contains(0 61440 abcd656601)'],
  ['-m string --algo bm --hex-string "a|  41 42 |b"', 'contains(0 61440 61414262)'],
  ['-m string --algo bm --hex-string "x|"', 'contains(0 61440 78)'],
  ['-m string --algo bm --string é', 'contains(0 61440 c3a9)'],
  ['-m string --algo bm --string x --from 65000', 'false'],
  ['-m connlimit --connlimit-above 20 --connlimit-mask 24', 'ct.count in {21-4294967295}'],
  ['-m connlimit ! --connlimit-above 20', 'ct.count in {0-20}'],
  ['-m connlimit --connlimit-upto 20', 'ct.count in {0-20}'],
  [
    '-m connbytes --connbytes 10: --connbytes-mode packets --connbytes-dir both',
    'ct.packets in {10-18446744073709551615}',
  ],
  ['-m connbytes ! --connbytes 10:20 --connbytes-mode avgpkt --connbytes-dir both', 'not (ct.avgpkt in {10-20})'],
])('%s: %s', (options, expected) => {
  const text = print(filter(`iptables-legacy -A INPUT ${options} -j DROP`))
  expect(text.match(/(?<= {2}#0: ).*(?=, → drop)/)?.[0]).toBe(expected)
})

// As iptables 1.8.9 refuses them.
test.each(['|41', '|41 42', '|4 1|', '|41  42|', 'a||b', '|41\\\\42|', '|'])('--hex-string %s is refused', (text) => {
  expect(code(read(`iptables -A INPUT -m string --algo bm --hex-string "${text}" -j DROP`).diagnostics)).toEqual(['iptables/match']) // biome-ignore format: one act
})

test('a backslash at the end of --hex-string', () => {
  expect(code(read(`iptables -A INPUT -m string --algo bm --hex-string 'abc\\' -j DROP`).diagnostics)).toEqual(['iptables/match']) // biome-ignore format: one act
})

describe('bpf', () => {
  test.each<[string, string]>([
    ['3,48 0 0 9,21 0 0 6,6 0 0 1', 'net[9:1] in {0-255} and true'],
    ['4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0', 'net[9:1] in {0-255} and net[9:1] == 6'],
    ['4,48 0 0 9,21 0 1 300,6 0 0 1,6 0 0 0', 'net[9:1] in {0-255} and false'],
    ['5,0 0 0 5,4 0 0 7,21 0 1 12,6 0 0 1,6 0 0 0,', 'true'],
  ])('%s', (program, expected) => {
    const text = print(filter(`iptables-legacy -A INPUT -m bpf --bytecode "${program}" -j DROP`))
    expect(text.match(/(?<= {2}#0: ).*(?=, → drop)/)?.[0]).toBe(expected)
  })

  // As iptables 1.8.9, or the kernel behind it, refuses them.
  test.each([
    ['0,', 'iptables/match'],
    ['2,6 0 0 0', 'iptables/match'],
    ['1,6 0 0 x', 'iptables/match'],
    ['1,48 0 0 9', 'iptables/match'],
    ['2,21 0 5 6,6 0 0 1', 'iptables/match'],
    ['2,96 0 0 3,6 0 0 1', 'iptables/match'],
    ['2,52 0 0 0,6 0 0 1', 'iptables/match'],
    ['2,255 0 0 0,6 0 0 1', 'iptables/match'],
    // A number that is added to itself again and again.
    [`${2 * 30 + 2},32 0 0 0,${'7 0 0 0,12 0 0 0,'.repeat(30)}22 0 0 0`, 'iptables/unsupported'],
    // The protocol, as it lies beside the packet.
    ['2,40 0 0 4294963200,22 0 0 0', 'iptables/unsupported'],
  ])('%s is %s', (program, expected) => {
    expect(code(read(`iptables -A INPUT -m bpf --bytecode "${program}" -j DROP`).diagnostics)).toEqual([expected])
  })
})

describe('ports of bridges, and what was decrypted', () => {
  const FRAME = new Uint8Array(60).fill(0)
  FRAME.set([8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 12)
  const [ETH0, ETH1] = [0x65746830n << 96n, 0x65746831n << 96n]
  const drops = (match: string, meta: NonNullable<EvaluateOptions['meta']>, chain = 'FORWARD') =>
    evaluate(filter(`iptables -A ${chain} ${match} -j DROP`), FRAME, { meta }).decision === 'drop'
  // Packets: not of a bridge; bridged from eth0 to eth1; come in by eth0, going elsewhere; sent from here by eth1.
  const PACKETS: readonly [bigint, bigint][] = [
    [0n, 0n],
    [ETH0, ETH1],
    [ETH0, 0n],
    [0n, ETH1],
  ]

  test.each([
    ['--physdev-is-bridged', [false, true, false, true]],
    ['! --physdev-is-bridged', [true, false, true, false]],
    ['--physdev-is-in', [false, true, true, false]],
    ['! --physdev-is-in', [true, false, false, true]],
    ['--physdev-is-out', [false, true, false, true]],
    ['--physdev-in eth0', [false, true, true, true]],
    ['--physdev-in eth1', [false, false, false, true]],
    ['! --physdev-in eth0', [true, false, false, true]],
    ['--physdev-in eth+', [false, true, true, true]],
    ['--physdev-out eth1', [false, true, false, true]],
    ['! --physdev-out eth1', [true, false, false, false]],
    ['! --physdev-out eth0', [true, true, false, true]],
    ['--physdev-is-bridged --physdev-in eth0', [false, true, false, true]],
  ])('%s', (options, expected) => {
    const told = PACKETS.map(([physin, physout]) =>
      drops(`-m physdev ${options}`, { 'meta.physin': physin, 'meta.physout': physout }),
    )
    expect(told).toEqual(expected)
    expect(drops(`-m physdev ${options}`, {})).toBe(false)
  })

  test.each([
    ['--pol ipsec', [true, false]],
    ['--pol none', [false, true]],
  ])('policy %s', (options, expected) => {
    const told = [1n, 0n].map((ipsec) => drops(`-m policy --dir in ${options}`, { 'meta.ipsec': ipsec }, 'INPUT'))
    expect(told).toEqual(expected)
  })

  test('the class of a socket', () => {
    const told = (match: string) => [5n, 6n].map((cgroup) => drops(match, { 'meta.cgroup': cgroup }, 'INPUT'))
    expect([told('-m cgroup --cgroup 5'), told('-m cgroup ! --cgroup 5')]).toEqual([
      [true, false],
      [false, true],
    ])
  })

  test.each([
    ['-m policy --dir in --pol ipsec --proto esp', 'iptables/unsupported', '--proto esp'],
    ['-m policy --dir in --pol ipsec --strict --reqid 1 --next --reqid 2', 'iptables/unsupported', '--strict'],
    ['-m policy --dir out --pol none', 'iptables/unsupported', 'out'],
    ['-m policy --pol ipsec', 'iptables/match', '-m policy --pol ipsec'],
    ['-m policy --dir up', 'iptables/match', 'up'],
    ['-m cgroup --path x', 'iptables/unsupported', '--path x'],
    ['-m physdev', 'iptables/option', '-m physdev'],
  ])('%s: %s', (match, expected, at) => {
    const { diagnostics } = read(`iptables -A FORWARD ${match} -j DROP`, { hook: 'forward' })
    expect(code(diagnostics)).toEqual([expected])
    expect(spanText(diagnostics[0]!.span!)).toBe(at)
  })
})

describe('marks of connections', () => {
  test.each([
    ['--save-mark', 'set ct.mark = meta.mark'],
    ['--restore-mark', 'set meta.mark = ct.mark'],
    ['--restore-mark --mask 0xff', 'set meta.mark = ((meta.mark & 4294967040) ^ (ct.mark & 255))'],
    ['--save-mark --nfmask 0xf0 --ctmask 0xff', 'set ct.mark = ((ct.mark & 4294967040) ^ (meta.mark & 240))'],
    ['--restore-mark --nfmask 0xffffffff --ctmask 0xff', 'set meta.mark = (ct.mark & 255)'],
  ])('%s', (option, expected) => {
    expect(print(filter(`iptables -t mangle -A INPUT -j CONNMARK ${option}`))).toContain(`#0: ${expected} `)
  })

  test.each([
    ['--set-mark 1 --mask 0xff', 'iptables/target'],
    ['--set-mark 1 --left-shift-mark 2', 'iptables/unsupported'],
    ['--mask 1', 'iptables/target'],
  ])('%s: %s', (options, expected) => {
    expect(code(read(`iptables -t mangle -A INPUT -j CONNMARK ${options}`).diagnostics)).toEqual([expected])
  })
})

describe('recent --reap', () => {
  const rules = (...lines: readonly string[]) =>
    read(lines.map((line) => `iptables -A INPUT -m recent ${line}`).join('\n')).diagnostics

  test('is taken where no rule of the list can tell', () => {
    expect(rules('--set', '--update --seconds 60 --reap -j DROP')).toEqual([])
    expect(rules('--rcheck --seconds 30 --hitcount 4 -j DROP', '--rcheck --seconds 60 --reap -j ACCEPT')).toEqual([])
    expect(rules('--remove --name other', '--rcheck --seconds 60 --reap -j DROP')).toEqual([])
  })

  test.each([['--rcheck'], ['--rcheck --seconds 61'], ['--remove']])('is refused beside %s', (other) => {
    const diagnostics = rules(other, '--rcheck --seconds 60 --reap -j DROP')
    expect(code(diagnostics)).toEqual(['iptables/unsupported'])
    expect(spanText(diagnostics[0]!.span!)).toBe('--reap')
  })

  test('needs --seconds', () => {
    expect(code(rules('--rcheck --reap'))).toEqual(['iptables/match'])
  })
})

test('-4 and -6 are options wherever they stand', () => {
  expect(filter('iptables -A INPUT -4 -p tcp -j DROP').base[0]!.family).toBe('ipv4')
  expect(filter('ip6tables -A INPUT -6 -j DROP').base[0]!.family).toBe('ipv6')
})
