import { code, renderAll, source, spanText } from '@netsieve/diag'
import { type Filter, print } from '@netsieve/ir'
import { describe, expect, test } from 'vitest'
import type { LowerOptions } from '../src/front.ts'
import { nft } from '../src/index.ts'

function read(text: string, options: LowerOptions = {}) {
  const parsed = nft.parse(source('rules', text))
  const lowered = parsed.value ? nft.lower(parsed.value, options) : { diagnostics: [] }
  return { ...lowered, diagnostics: [...parsed.diagnostics, ...lowered.diagnostics] }
}

function filter(text: string, options?: LowerOptions): Filter {
  const { value, diagnostics } = read(text, options)
  if (!value) throw new Error(renderAll(diagnostics))
  return value
}

const chain = (items: string, family = 'inet') =>
  `table ${family} t {\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\t${items}\n\t}\n}\n`

test('a ruleset with sets, definitions, chains and several hooks', () => {
  const text = `#!/usr/sbin/nft -f
flush ruleset
define web = { 80, 443 } # ports
define inside = 10.0.0.0/8
table inet filter {
	set good {
		type ipv4_addr
		flags interval
		elements = { $inside, 192.0.2.1, # one more
			198.51.100.0-198.51.100.9 }
	}
	set none { type inet_service; }
	chain web { ip saddr @good counter packets 1 bytes 2 accept; tcp sport @none drop; }
	chain in {
		type filter hook input priority filter + 5; policy drop;
		tcp dport $web jump web
		tcp dport { $web, 8080 } \\
			goto web comment "rest; of it"
	}
	chain pre { type filter hook prerouting priority raw; }
	chain unused { ct state new accept; }
	chain out { type filter hook output priority 0; oif lo accept; }
}
table netdev early { chain ingress { type filter hook ingress device "eth0" priority -500; meta protocol ip6 drop; } }
`
  expect(print(filter(text))).toBe(`filter nft profile nft-6.18
hook ingress view nft-netdev family any chain netdev/early/ingress policy accept
hook prerouting view nft-ip family ip chain inet/filter/pre policy accept
hook input view nft-ip family ip chain inet/filter/in policy drop
chain netdev/early/ingress {
  #4: meta.protocol == 0x86dd, → drop    ; meta protocol ip6 drop
}
chain inet/filter/pre {
}
chain inet/filter/in {
  #2: meta.l4proto == 6, tcp.dport in {80, 443}, → jump inet/filter/web    ; tcp dport $web jump web
  #3: meta.l4proto == 6, tcp.dport in {80, 443, 8080}, → goto inet/filter/web    ; "tcp dport { $web, 8080 } \\\\\\n\\t\\t\\tgoto web comment \\"rest; of it\\""
}
chain inet/filter/web {
  #0: meta.nfproto == 2, ipv4.src in {10.0.0.0-10.255.255.255, 192.0.2.1, 198.51.100.0-198.51.100.9}, count, → accept    ; ip saddr @good counter packets 1 bytes 2 accept
  #1: meta.l4proto == 6, tcp.sport in {}, → drop    ; tcp sport @none drop
}
`)
})

describe('commands', () => {
  const rules = (text: string) => filter(text).chains.flatMap((each) => each.rules.map((rule) => rule.text))
  test.each([
    [
      'of a file',
      'add table ip t\nadd chain ip t c { type filter hook input priority 0; }\nadd rule ip t c tcp dport 80 drop\ninsert rule ip t c udp dport 53 accept',
    ],
    [
      'of a shell',
      "nft add table ip t\nsudo nft add chain ip t c '{ type filter hook input priority 0 ; policy accept ; }'\nnft 'add rule ip t c tcp dport 80 drop'\nnft insert rule ip t c udp dport 53 accept",
    ],
    [
      'with backslashes',
      'nft add table t\nnft add chain t c \\{ type filter hook input priority 0 \\; \\}\nnft add rule t c tcp dport 80 drop\nnft insert rule t c udp dport 53 accept',
    ],
    [
      'with braces in quotes',
      'nft add table t\nnft add chain t c "{ type filter hook input priority 0; }"\nnft add rule t c tcp dport 80 drop\nnft insert rule t c udp dport 53 accept',
    ],
    [
      'of a table in two blocks',
      'table ip t { chain c { type filter hook input priority 0; udp dport 53 accept; } }\ntable ip t { chain c { tcp dport 80 drop; } }',
    ],
  ])('%s', (_, text) => {
    // biome-ignore format: a table
    expect(rules(text)).toEqual(['udp dport 53 accept', 'tcp dport 80 drop'])
  })

  test.each([
    ['flush ruleset', 'table ip x { chain c { type filter hook input priority 0; drop; } }\nflush ruleset\n'],
    ['flush chain', 'table inet t { chain c { drop; } }\nflush chain inet t c\n'],
    ['flush table', 'table inet t { chain c { drop; } }\nflush table inet t\n'],
    ['delete table', 'table ip x { chain c { type filter hook input priority 0; drop; } }\ndelete table ip x\n'],
  ])('%s forgets what stood before', (_, before) => {
    expect(rules(before + chain('tcp dport 80 accept'))).toEqual(['tcp dport 80 accept'])
  })

  test('elements are added to a set', () => {
    const text = `add table ip t\nadd set ip t s { type inet_service; }\nadd element ip t s { 80, 443 }\nadd chain ip t c { type filter hook input priority 0; }\nadd element ip t s { http, 22 }\nadd rule ip t c tcp dport @s drop`
    expect(print(filter(text))).toContain('tcp.dport in {22, 80, 443}')
  })

  test('definitions are those of their block', () => {
    const text =
      'define a = 1\ntable ip t {\n define a = 2\n chain c {\n type filter hook input priority 0\n define b = { $a, 5-7 }\n tcp dport { $b, 9 } drop\n }\n}'
    expect(print(filter(text))).toContain('tcp.dport in {2, 5-7, 9}')
    expect(print(filter(`define p = 5\nredefine p = 6\n${chain('tcp dport $p')}`))).toContain('tcp.dport == 6')
  })
})

describe('base chains', () => {
  const order = (text: string, options?: LowerOptions) => filter(text, options).base.map((base) => base.chain)
  const base = (name: string, hook: string, priority: string) =>
    `chain ${name} { type filter hook ${hook} priority ${priority}; counter; }`
  test('by hook, then priority; of equal ones the newest first', () => {
    const text = `table ip a { ${base('x', 'input', '0')}; ${base('y', 'input', '-10')}; ${base('p', 'prerouting', '300')} }\ntable inet b { ${base('z', 'input', 'filter')}; ${base('f', 'forward', '0')} }`
    expect(order(text)).toEqual(['ip/a/p', 'ip/a/y', 'inet/b/z', 'ip/a/x'])
    expect(order(text, { hook: 'forward' })).toEqual(['ip/a/p', 'inet/b/f'])
    expect(order(text, { hook: 'prerouting' })).toEqual(['ip/a/p'])
  })

  test.each([
    ['the only hook is taken', `table netdev t { ${base('i', 'ingress device lo', '0')} }`, {}, ['rules/hook-chosen']],
    [
      'two others',
      `table ip t { ${base('f', 'forward', '0')}; ${base('o', 'output', '0')} }`,
      {},
      ['rules/hook-ambiguous'],
    ],
    ['no such chain', chain('drop'), { hook: 'forward' }, ['rules/hook']],
    [
      'address translation',
      `table ip t { chain n { type nat hook prerouting priority -100; }; ${base('i', 'input', '0')} }`,
      {},
      ['nft/type'],
    ],
    [
      'a forwarded packet has made a hop',
      'table ip t { chain f { type filter hook forward priority 0; ip ttl 1 drop; } }',
      { hook: 'forward' },
      ['nft/hops'],
    ],
    // nft 1.0.6, --debug=netlink: one load of 4, 2 and 12 bytes; then two loads each.
    ['merged', chain('tcp dport != 22 tcp sport != 80 drop'), {}, ['nft/merged']],
    ['merged over a statement', chain('ip ttl != 3 counter ip protocol != 6 drop'), {}, ['nft/merged']],
    ['merged link addresses', chain('ether saddr != 1:2:3:4:5:6 ether daddr != 1:2:3:4:5:7 drop'), {}, ['nft/merged']],
    ['not merged: 32 bits', chain('ip saddr != 1.2.3.4 ip daddr != 5.6.7.8 drop'), {}, []],
    ['not merged: the same field', chain('tcp dport != 1 tcp dport != 2 drop'), {}, []],
    ['not merged: another test', chain('tcp sport != 80 tcp dport 22 drop'), {}, []],
    ['no base chain', 'table ip t { chain c { drop; } }', {}, ['rules/hook']],
    ['no rules', 'table ip t { }', {}, ['rules/empty']],
    [
      'a family for others',
      'table arp t { chain c { type filter hook input priority 0; } }',
      {},
      ['nft/family', 'nft/unsupported'],
    ],
  ] as const)('%s', (_, text, options, codes) => {
    expect(code(read(text, options).diagnostics)).toEqual(codes)
  })
})

describe('what is wrong is said where it is', () => {
  test.each([
    [
      'port 70000',
      chain('tcp dport 70000 drop'),
      `rules:4:13: error: port 70000 is above 65535 [rules/port]
      tcp dport 70000 drop
                ^^^^^
  expected one of a port from 0 to 65535, a service's name`,
    ],
    [
      'a bad address',
      chain('ip saddr 10.0.0.256'),
      `rules:4:19: error: 256 is above 255, in the address 10.0.0.256 [rules/address]
      ip saddr 10.0.0.256
                      ^^^
  expected an IPv4 address such as 192.0.2.1`,
    ],
    [
      'an open block',
      'table ip t {\n  chain c {\n    accept\n',
      `rules:2:11: error: this \`{\` is never closed [nft/unterminated]
      chain c {
              ^
  expected '}'
rules:1:12: error: this \`{\` is never closed [nft/unterminated]
    table ip t {
               ^
  expected '}'`,
    ],
    [
      'an unknown word',
      chain('tcp dport 80 accpet'),
      `rules:4:16: error: \`accpet\` cannot stand here [nft/syntax]
      tcp dport 80 accpet
                   ^^^^^^
  expected one of ',', '-', '/', 'comment', '|', a match, a statement or a verdict, end of input`,
    ],
    [
      'an unknown field',
      chain('tcp dprot 80'),
      `rules:4:7: error: tcp has no field \`dprot\` [nft/field]
      tcp dprot 80
          ^^^^^
  expected one of sport, dport, sequence, ackseq, doff, reserved, flags, window, checksum, urgptr
  hint: did you mean tcp dport?`,
    ],
    [
      'nothing',
      '',
      `rules:1:1: error: there are no tables here [rules/empty]
    
    ^
  expected a table with a chain, such as 'table inet filter { chain input { type filter hook input priority 0; } }'`,
    ],
    [
      'a statement for later',
      chain('fib saddr oif missing accept'),
      `rules:4:7: error: unsupported: \`fib saddr oif\` [nft/unsupported]
      fib saddr oif missing accept
          ^^^^^^^^^`,
    ],
    [
      'elements that overlap',
      'table ip t {\n set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 10.1.0.0/16 }; }\n chain c { type filter hook input priority 0; ip saddr @s drop; }\n}',
      `rules:2:67: error: these elements of the set overlap [nft/overlap]
     set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 10.1.0.0/16 }; }
                                                                      ^^^^^^^^^^^
  hint: add \`auto-merge\` to the set
rules:2:55: note: with this one
     set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 10.1.0.0/16 }; }
                                                          ^^^^^^^^^^`,
    ],
  ])('%s', (_, text, message) => {
    // biome-ignore format: messages
    expect(renderAll(read(text).diagnostics).trimEnd()).toBe(message)
  })

  test.each([
    ['}', ['nft/syntax']],
    ['table ip t { chain c { type filter hook inptu priority 0; } }', ['nft/hook']],
    ['table ip t { chain c { type filter hook ingress priority 0; } }', ['nft/unsupported']],
    ['table ip t { chain c { type filter hook input priority fliter; } }', ['nft/priority']],
    ['table ip t { chain c { type filter hook input priority 0; policy reject; } }', ['nft/syntax']],
    ['define a = 1\ndefine a = 2', ['nft/redefinition']],
    ['include "x"', ['nft/unsupported']],
    ['add rule ip t c accept', ['nft/name']],
    ['add table ip t\nadd rule ip t c accept', ['nft/name']],
    [chain('jump nowhere'), ['nft/chain']],
    [chain('jump c'), ['nft/chain']],
    [
      'table ip t { chain a { jump b; }; chain b { goto a; }; chain c { type filter hook input priority 0; jump a; } }',
      ['nft/loop'],
    ],
    [
      `table ip t {\n${Array.from({ length: 20 }, (_, i) => `chain c${i} { jump c${i + 1}; }`).join('\n')}\nchain c20 { accept; }\nchain c { type filter hook input priority 0; jump c0; } }`,
      ['nft/deep'],
    ],
    [
      'table ip t { set s { type ipv4_addr; elements = { 10.0.0.0/8 }; }; chain c { type filter hook input priority 0; ip saddr @s; } }',
      ['nft/interval'],
    ],
    [
      'table ip t { set s { type inet_service; }; chain c { type filter hook input priority 0; ip saddr @s; } }',
      ['nft/type'],
    ],
    [
      'table ip t { set s { type ipv4_addr; flags timeout; elements = { 192.0.2.1 timeout 1h expires 59m3s }; }; chain c { type filter hook input priority 0; ip saddr @s; } }',
      ['nft/timeout'],
    ],
    [
      'table bridge t { chain c { type filter hook forward priority 0; }; }; table ip u { chain c { type filter hook input priority 0; }; }',
      ['nft/family'],
    ],
    [
      'table ip t { map m { type ipv4_addr : verdict; }; counter n { }; chain c { type filter hook input priority 0; } }',
      [],
    ],
    [
      'table ip t { map m { type ipv4_addr : verdict; }; chain c { type filter hook input priority 0; ip saddr vmap @m; } }',
      [],
    ],
    ...(
      [
        ['ip saddr . tcp dport @none drop', 'nft/name'],
        ['ip saddr . tcp dport @m drop', 'nft/type'],
        ['ip saddr . tcp dport { 192.0.2.1 } drop', 'nft/key'],
        ['ip saddr . tcp dport { 192.0.2.1 . 70000 } drop', 'rules/port'],
        ['ip saddr . tcp dport 80 drop', 'nft/value'],
        ['ip saddr . tcp dport < { 192.0.2.1 . 80 } drop', 'nft/operator'],
        ['ip saddr . tcp dport { 10.0.0.0/8 . 80, 10.1.0.0/16 . 80-90 } drop', 'nft/overlap'],
        ['ip saddr . udp dport . tcp dport { 192.0.2.1 . 1 . 1 } drop', 'nft/conflict'],
        ['tcp dport vmap @s', 'nft/type'],
        ['tcp dport vmap @l', 'nft/interval'],
        ['tcp dport vmap { 80 : 5 }', 'nft/value'],
        ['tcp dport vmap { 80 : drop, 80 : accept }', 'nft/overlap'],
        ['tcp dport vmap { 80 : jump none }', 'nft/chain'],
        ['tcp dport vmap { 80 : jump c }', 'nft/chain'],
        ['tcp dport vmap { 80 drop }', 'nft/unsupported'],
        ['tcp dport vmap { 80 : drop } counter', 'nft/unsupported'],
        ['tcp dport vmap 80', 'nft/syntax'],
        ['tcp dport map { 80 : 1 }', 'nft/unsupported'],
        ['ip saddr @m drop', 'nft/type'],
      ] as const
    ).map(([rule, wrong]): [string, string[]] => [
      `table ip t { map m { type ipv4_addr : verdict; }; map l { type inet_service : verdict; elements = { 1-2 : drop }; }; set s { type inet_service; }; chain c { type filter hook input priority 0; ${rule}; } }`,
      [wrong],
    ]),
    ['table ip t { counter n { }; chain c { type filter hook input priority 0; counter name "m"; } }', ['nft/name']],
    [
      'table ip t { chain c { type filter hook input priority 0; }; chain u { tcp dport 70000; ct state new; } }',
      ['rules/port'],
    ],
  ])('%j', (text, codes) => {
    // biome-ignore format: a table
    expect(code(read(text).diagnostics)).toEqual(codes)
  })
})

describe('what routing says of addresses', () => {
  const CERTAIN = '0.0.0.0-0.255.255.255, 127.0.0.0-127.255.255.255, 224.0.0.0-239.255.255.255, 255.255.255.255'
  const shown = (rule: string, family = 'ip') => print(filter(chain(rule, family))).match(/(?<= {2}#\d+: ).*(?= {4};)/g)
  test.each<[string, string, string]>([
    ['fib daddr type multicast', 'ip', 'ipv4.dst in {224.0.0.0-239.255.255.255}'],
    [
      'fib daddr type != multicast',
      'ip',
      `ipv4.dst in {0.0.0.0-0.255.255.255, 127.0.0.0-127.255.255.255, 255.255.255.255} or not (ipv4.dst in {${CERTAIN}})`,
    ],
    [
      'fib daddr type { local, broadcast }',
      'ip',
      `ipv4.dst in {0.0.0.0-0.255.255.255, 127.0.0.0-127.255.255.255, 255.255.255.255} or (not (ipv4.dst in {${CERTAIN}}) and fib.daddr.type in {2-3})`,
    ],
    [
      'fib saddr type unicast',
      'inet',
      `(meta.protocol == 0x800 and (not (ipv4.src in {${CERTAIN}}) and fib.saddr.type == 1)) or (not (meta.protocol == 0x800) and fib.saddr.type == 1)`,
    ],
    ['fib daddr type local', 'ip6', 'fib.daddr.type == 2'],
    ['fib saddr . iif oif missing', 'inet', 'fib.reverse == 0'],
    ['fib saddr . mark . iif oif exists', 'ip6', 'fib.reverse == 1'],
    // biome-ignore format: a table
  ])('%s in %s', (rule, family, preds) => {
    expect(shown(rule, family)).toEqual([preds])
  })
})

test('what is told and done by others', () => {
  const { value, diagnostics } = read(
    chain('notrack; ip dscp set cs1 accept; tcp option maxseg size set rt mtu; ct helper set "ftp"; flow add @f'),
  )
  expect(print(value!).match(/(?<= {2}#\d+: ).*(?= {4};)/g)).toEqual([
    'set ct.state = 64',
    'meta.nfproto == 2, ipv4.dscp in {0-63}, log "ip dscp set cs1", → accept',
    'meta.l4proto == 6, transport[0 + 12:1] >= 80, transport[(((transport[0 + 12:1] >> 2) & 60) - 1) + 0:1] in {0-255}, log "tcp option maxseg size set rt mtu"',
    'log "ct helper set \\"ftp\\""',
    'log "flow add @f"',
  ])
  expect(code(diagnostics)).toEqual(['nft/rewrite', 'nft/rewrite'])
})

describe('limits with a bucket for each key', () => {
  const table = (rule: string) => `table ip t {
  set d { type ipv4_addr; size 10; flags dynamic,timeout; timeout 5m; }
  set full { type ipv4_addr; flags dynamic; elements = { 192.0.2.1 }; }
  chain c { type filter hook input priority 0; ${rule}; }
}`
  const limits = (rule: string) => print(filter(table(rule))).match(/^limit .*|(?<= {2}#\d+: ).*(?= {4};)/gm)
  test.each<[string, string[]]>([
    [
      'add @d { ip saddr limit rate over 5/minute } drop',
      [
        'limit ip/t/d 5 packets a 60000000000 ns burst 5 each 32:ipv4 size 10 timeout 300000000000',
        'limit over ip/t/d[ipv4.src], → drop',
      ],
    ],
    [
      'update @d { ip saddr timeout 10s limit rate 1/second } accept',
      [
        'limit ip/t/d 1 packets a 1000000000 ns burst 5 each 32:ipv4 size 10 timeout 10000000000 refreshed',
        'limit ip/t/d[ipv4.src], → accept',
      ],
    ],
    ['add @d { ip saddr timeout 1h } accept', ['table ip/t/d add[ipv4.src] timeout 3600000000000, → accept']],
    ['add @d { ip saddr ct count over 20 } drop', ['ct.count > 20, → drop']],
    ['ct count over 20 drop', ['ct.count > 20, → drop']],
    ['ct count 20 drop', ['ct.count <= 20, → drop']],
    [
      'meter m { ip saddr & 255.255.255.0 . tcp dport limit rate 1/second } accept',
      [
        'limit ip/t/m 1 packets a 1000000000 ns burst 5 each 32:ipv4 . 16:port size 65535 timeout 0',
        'meta.l4proto == 6, limit ip/t/m[ipv4.src & 255.255.255.0 . tcp.dport], → accept',
      ],
    ],
    ['add @d { ip saddr quota over 5 mbytes } drop', []],
    ['meter m size 7 { ip saddr & 255.255.255.0 limit rate 10 kbytes/second burst 1 kbytes } accept', ['limit ip/t/m 10240 bytes a 1000000000 ns burst 1024 each 32:ipv4 size 7 timeout 0', 'limit ip/t/m[ipv4.src & 255.255.255.0], → accept']],
    // biome-ignore format: a table
  ])('%s', (rule, expected) => {
    if (expected.length > 0) expect(limits(rule)).toEqual(expected)
    else expect(code(read(table(rule)).diagnostics)).toEqual(['nft/unsupported'])
  })

  test.each<[string, string]>([
    ['add @none { ip saddr limit rate 5/minute } drop', 'nft/name'],
    ['add @d { tcp dport limit rate 5/minute } drop', 'nft/type'],
    ['add @full { ip saddr limit rate 5/minute } drop', 'nft/unsupported'],
    ['add @d { ip saddr limit rate 5/minute } drop; add @d { ip daddr limit rate 5/minute } drop', 'nft/unsupported'],
    ['add @d { ip saddr ct count over 5 } drop; ip saddr @d drop', 'nft/unsupported'],
    ['add @d { tcp dport } drop', 'nft/type'],
    ['add @d { ip saddr } ip daddr . tcp dport @d drop', 'nft/type'],
    ['add @d { ip saddr } ip daddr vmap @d', 'nft/unsupported'],
    ['add @none { ip saddr ct count over 5 } drop', 'nft/name'],
    ['meter m { ip saddr limit rate 0/minute } drop', 'nft/limit'],
    ['meter m { ip saddr timeout 5x limit rate 1/minute } drop', 'nft/value'],
    ['meter m { ip saddr limit rate 1/minute counter } drop', 'nft/counter'],
  ])('%s is %s', (rule, expected) => {
    expect(code(read(table(rule)).diagnostics)).toContain(expected)
  })

  const CHAIN = 'chain c { type filter hook input priority 0'
  const ADD = 'update @s { ip saddr limit rate over 1/hour } drop'
  const PAIR = 'update @p { ip saddr . tcp dport limit rate over 1/hour } drop'
  const KINDS = 'set s { type ipv4_addr; size 9; }; set p { type ipv4_addr . inet_service; size 9; };'
  test.each<[string, string, string]>([
    ['before the rule that adds', `${CHAIN}; ip saddr @s drop; ${ADD}; }`, '@s'],
    ['after it', `${CHAIN}; ${ADD}; ip saddr != @s accept; }`, '@s'],
    ['in another chain', `${CHAIN}; ip saddr @s drop; jump d; }; chain d { ${ADD}; }`, '@s'],
    ['for two fields', `${CHAIN}; ip saddr . tcp dport @p drop; ${PAIR}; }`, '@p'],
  ])('a set is not looked into whose keys have limits, whatever its flags: %s', (_, chains, at) => {
    const text = `table ip t { ${KINDS} ${chains} }`
    const { value, diagnostics } = read(text)
    expect(value).toBeUndefined()
    expect(diagnostics.map(({ message }) => message)).toEqual([
      expect.stringMatching(new RegExp(`^unsupported: .*${at.slice(1)}`)),
    ])
    const { start, end } = diagnostics[0]!.span!
    expect(text.slice(start, end)).toContain(at.slice(1))
  })

  test.each<[string, string[]]>([
    [
      'ip saddr @d drop; add @d { ip saddr }',
      ['table ip/t/d has[ipv4.src], → drop', 'table ip/t/d add[ipv4.src] timeout 300000000000'],
    ],
    [
      'ip daddr != @d update @d { ip saddr timeout 1m } drop',
      ['table not ip/t/d has[ipv4.dst], table ip/t/d update[ipv4.src] timeout 60000000000, → drop'],
    ],
    ['delete @d { ip saddr } drop', ['table ip/t/d delete[ipv4.src], → drop']],
    ['add @full { ip saddr & 255.255.255.0 }', ['table ip/t/full add[ipv4.src & 255.255.255.0]']],
    ['ip saddr @d drop', ['ipv4.src in {}, → drop']],
    // biome-ignore format: a table
  ])('keys: %s', (rule, expected) => {
    expect(print(filter(table(rule))).match(/(?<= {2}#\d+: ).*(?= {4};)/gm)).toEqual(expected)
  })

  test('a set of the same name in another table, and one that rules added to before they were flushed', () => {
    const sets = `table ip t { ${KINDS} ${CHAIN}; ip saddr @s drop; } }`
    const other = `table ip u { ${KINDS} ${CHAIN}; ${ADD}; } }`
    const flushed = `table ip t { ${KINDS} ${CHAIN}; ${ADD}; } }\nflush chain ip t c\nadd rule ip t c ip saddr @s drop`
    for (const text of [`${sets}\n${other}`, flushed]) expect(print(filter(text))).toContain('ipv4.src in {}, → drop')
  })
})

// Types that are certain of some addresses stand in ranges of the address; a key that is looked up has no place for them.
test.each<[string, string]>([
  ['fib daddr type vmap { multicast : drop }', 'daddr type'],
  ['fib daddr type . ip protocol { multicast . udp, local . tcp } drop', 'daddr type'],
  ['ip protocol . fib saddr type != { udp . unicast } drop', 'saddr type'],
  ['meta mark set fib daddr type map { multicast : 1 }', 'daddr type'],
  ['meter m { fib saddr type limit rate 1/second } accept', 'saddr type'],
])('%s is unsupported but for IPv6', (rule, at) => {
  const text = chain(rule, 'ip')
  const { value, diagnostics } = read(text)
  expect(value).toBeUndefined()
  expect(diagnostics).toMatchObject([{ code: 'nft/unsupported', message: `unsupported: looking up \`fib ${at}\`` }])
  expect(text.slice(diagnostics[0]!.span!.start, diagnostics[0]!.span!.end)).toBe(at)
  const six = rule.replace('ip protocol', 'meta l4proto')
  expect(print(filter(chain(six, 'ip6')))).toContain(`fib.${at.replace(' ', '.')}`)
})

describe('numbers that are drawn, counted or hashed', () => {
  const shown = (rule: string) => print(filter(chain(rule, 'ip'))).match(/(?<= {2}#\d+: ).*(?= {4};)/g)
  // A drawn number of 32 bits times the modulus, without its lower half (reciprocal_scale of the kernel).
  test.each<[string, string]>([
    ['numgen random mod 2 == 0 drop', 'meta.random in {0-2147483647}, → drop'],
    ['numgen random mod 3 { 0, 2 } drop', 'meta.random in {0-1431655765, 2863311531-4294967295}, → drop'],
    ['numgen random mod 100 < 10 drop', 'meta.random in {0-429496729}, → drop'],
    ['numgen random mod 4 offset 10 != 12 drop', 'not (meta.random in {2147483648-3221225471}), → drop'],
    ['numgen random mod 4 offset 10 >= 20 drop', 'false, → drop'],
    ['numgen inc mod 4 offset 10 != 14 drop', 'set meta.turn = turn of turn.0.0, not (false), → drop'],
    ['numgen inc mod 4 < 2 drop', 'set meta.turn = turn of turn.0.0, meta.turn in {0-1}, → drop'],
    ['meta mark set numgen inc mod 4 offset 3', 'set meta.turn = turn of turn.0.0, set meta.mark = (meta.turn + 3)'],
    [
      'jhash ip saddr . tcp dport mod 2 seed 0x10 1 drop',
      'meta.l4proto == 6, jhash(ipv4.src:4 . tcp.dport:2 seed 16) in {2147483648-4294967295}, → drop',
    ],
    ['jhash meta mark mod 2 seed 1 offset 5 == 5 drop', 'jhash(meta.mark:4 host seed 1) in {0-2147483647}, → drop'],
    ['symhash mod 2 == 1 drop', 'meta.symhash in {2147483648-4294967295}, → drop'],
    ['meta mark set symhash mod 2', 'set meta.mark = ((((meta.symhash >> 16) * 2) + (((meta.symhash & 65535) * 2) >> 16)) >> 16)'],
    // biome-ignore format: a table
  ])('%s', (rule, expected) => {
    expect(shown(rule)).toEqual([expected])
  })

  test('each part of the drawn numbers has its verdict', () => {
    const text = print(filter(chain('numgen random mod 4 vmap { 0 : drop, 1-2 : accept, 3 : return }', 'ip')))
    expect(text).toContain('0-1073741823 → drop')
    expect(text).toContain('1073741824-3221225471 → accept')
    expect(text).toContain('3221225472-4294967295 → return')
  })

  test.each<[string, string]>([
    ['numgen random mod 0 == 0 drop', 'nft/value'],
    ['numgen random mod 4 vmap { 4 : drop }', 'nft/value'],
    ['numgen random mod 4 & 1 == 1 drop', 'nft/unsupported'],
    ['jhash iifname mod 2 seed 1 0 drop', 'nft/unsupported'],
    ['jhash ip saddr mod 2 0 drop', 'nft/seed'],
    ['jhash ip saddr mod 2 seed 0x1ffffffff 0 drop', 'nft/value'],
    ['meta mark set numgen random mod 70000', 'nft/unsupported'],
  ])('%s is %s', (rule, expected) => {
    expect(code(read(chain(rule, 'ip')).diagnostics)).toContain(expected)
  })
})

test('each rule that asks for a drawn number has its own', () => {
  const rules = 'numgen random mod 2 == 0 drop; ip ttl 5 numgen random mod 2 == 0 numgen random mod 2 == 1 drop; accept'
  const again = 'set meta.random = ((meta.random * 1664525) + 1013904223)'
  const half = 'meta.random in {0-2147483647}'
  expect(print(filter(chain(rules, 'ip'))).match(/(?<= {2}#\d+: ).*(?= {4};)/g)).toEqual([
    `${half}, → drop`,
    `ipv4.ttl == 5, ${again}, ${half}, ${again}, meta.random in {2147483648-4294967295}, → drop`,
    '→ accept',
  ])
})

test('what a called chain draws is not what its callers drew, nor what it drew before', () => {
  const text = `table ip t {
    chain user { numgen random mod 2 == 0 counter accept }
    chain input { type filter hook input priority 0; jump user; numgen random mod 2 == 0 drop; jump user }
  }`
  const asking = filter(text).chains.flatMap(({ rules }) => rules.filter(({ steps }) => steps.some(({ kind }) => kind === 'match'))) // biome-ignore format: one chain
  expect(asking).toHaveLength(2)
  for (const { steps } of asking) expect(steps[0]).toMatchObject({ kind: 'set', field: 'meta.random' })
})

test.each<[string, string, readonly string[]]>([
  ['numgen foo mod 2 0 drop', 'foo', ["'inc'", "'random'"]],
  ['numgen inc 2 0 drop', '2', ["'mod'"]],
  ['fib foo type local drop', 'foo', ["'daddr'", "'iif'", "'mark'", "'oif'", "'saddr'"]],
  ['@xx,0,8 5 drop', 'xx', ["'ih'", "'ll'", "'nh'", "'th'"]],
  ['@th,0 5 drop', '5', ["','"]],
  ['ip saddr . drop', 'drop', ["a field such as 'tcp dport'"]],
  ['counter packets x', 'x', ['a number']],
])('%s: what is told is missing stands where it is missing', (rule, at, expected) => {
  const { diagnostics } = nft.parse(source('t.nft', `table ip t { chain c { ${rule}; }; }`))
  expect(diagnostics.map(({ span }) => spanText(span!))).toEqual([at])
  expect(diagnostics[0]!.expected).toEqual(expected)
})

test('a set of millions of characters is read', () => {
  const text = `table ip t { set s { type ipv4_addr; elements = { 10.0.0.1,${' '.repeat(6_000_000)}10.0.0.2 }; }; chain c { type filter hook input priority 0; ip saddr @s drop; } }`
  expect(print(filter(text))).toContain('ipv4.src in {10.0.0.1-10.0.0.2}')
})

describe('commands on what stands already', () => {
  const rules = (text: string) => filter(text).chains.flatMap((each) => each.rules.map((rule) => rule.text))
  const start = `table ip t {
  set s { type inet_service; elements = { 22, 80, ssh-alt, 443 }; }
  chain other { accept; }
  chain c { type filter hook input priority 0; tcp dport @s accept; udp dport 53 drop; }
}
`.replace('ssh-alt', '8022')

  test.each([
    ['add rule t c index 0 drop', ['tcp dport @s accept', 'drop', 'udp dport 53 drop']],
    ['insert rule t c index 1 drop', ['tcp dport @s accept', 'drop', 'udp dport 53 drop']],
    [
      'insert rule t c index 0 continue\nadd rule t c index 2 drop',
      ['continue', 'tcp dport @s accept', 'udp dport 53 drop', 'drop'],
    ],
    ['add rule t c index 2 drop', []],
    ['add rule t c handle 3 drop', []],
  ])('%s', (command, expected) => {
    // biome-ignore format: a table
    if (expected.length > 0) expect(rules(start + command)).toEqual(expected)
    else expect(code(read(start + command).diagnostics)).toHaveLength(1)
  })

  test.each([
    ['delete element t s { 80 }', '{22, 443, 8022}'],
    ['delete element t s { 22, 443 }\nadd element t s { 1 }', '{1, 80, 8022}'],
    ['flush set t s', '{}'],
    ['delete chain t other\ndestroy chain t none\ndestroy table t2', '{22, 80, 443, 8022}'],
  ])('%s', (command, held) => {
    expect(print(filter(start + command))).toContain(`tcp.dport in ${held}, → accept`)
  })

  test.each([
    ['delete element t s { 81 }', 'nft/element'],
    ['delete set t none', 'nft/name'],
    ['delete chain t none', 'nft/name'],
    ['flush set t none', 'nft/name'],
    ['delete rule t c handle 4', 'nft/unsupported'],
    ['rename chain t c d', 'nft/unsupported'],
    ['add ct helper t h { type "ftp" protocol tcp; }', 'nft/unsupported'],
    ['get element t s { 80 }', 'nft/unsupported'],
    ['list ruleset', 'nft/unsupported'],
  ])('%s is refused: %s', (command, expected) => {
    const { diagnostics } = read(start + command)
    expect(code(diagnostics)).toEqual([expected])
    expect(spanText(diagnostics[0]!.span!).length).toBeGreaterThan(0)
    expect(diagnostics[0]!.span!.start).toBeGreaterThanOrEqual(start.length)
  })

  test('objects are added by statements of their own', () => {
    const text = `${start}add counter t k\nadd counter t m { packets 1 bytes 2; }\nadd quota t q over 5 mbytes\nadd limit t l { rate 10/second; }
add rule t c counter name k\nadd rule t c counter name "m"\nadd rule t c quota name q drop\nadd rule t c limit name l accept`
    expect(print(filter(text)).match(/^(?:counter|quota|limit) .*/gm)).toEqual([
      'counter ip/t/k 0 packets 0 bytes',
      'counter ip/t/m 1 packets 2 bytes',
      'quota ip/t/q 5242880 bytes used 0',
      'limit ip/t/l 10 packets a 1000000000 ns burst 5',
    ])
    expect(code(read(`${text}\ndelete quota t q`).diagnostics)).toEqual(['nft/name'])
  })
})

test.each([
  ['counter name ip saddr map { 10.0.0.1 : "k" }', 'counter name ip saddr map'],
  ['queue to oif map { "lo" : 0 }', 'queue to oif map'],
  ['add @s { ip saddr : 1 }', 'add @s { ip saddr :'],
  ['add @s { ip saddr quota over 5 mbytes }', 'quota'],
  ['jump { accept; }', 'jump'],
  ['reset tcp option sack-perm accept', ''],
  ['@th,16,16 set 80 accept', ''],
  ['queue to numgen inc mod 2', ''],
])('%s: refused at its place, or taken', (rule, at) => {
  const { value, diagnostics } = read(
    chain(rule).replace('chain c', 'set s { type ipv4_addr; flags dynamic; }\n\tchain c'),
  )
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (at === '') expect([value !== undefined, errors]).toEqual([true, []])
  else {
    expect(code(errors)).toEqual(['nft/unsupported'])
    expect(spanText(errors[0]!.span!).startsWith(at)).toBe(true)
  }
})

test.each([
  ['set s { type ipv4_addr; flags dynamic; limit rate 5/second; }', 'ip saddr @s', 'limit'],
  ['set s { type ipv4_addr; quota over 5 bytes; }', 'ip saddr @s', 'quota'],
  ['set s { typeof osf name; elements = { "Linux" }; }', 'ip saddr @s', 'osf'],
  ['set s { typeof ipsec in ip saddr; }', 'ip saddr @s', 'ipsec in'],
])('%s is refused where a rule asks it', (set, rule, at) => {
  const { diagnostics } = read(chain(`${rule} accept`).replace('chain c', `${set}\n\tchain c`))
  expect(code(diagnostics)).toEqual(['nft/unsupported'])
  expect(spanText(diagnostics[0]!.span!)).toBe(at)
  expect(read(chain('accept').replace('chain c', `${set}\n\tchain c`)).value).toBeDefined()
})

test('sets of bits at a place, by typeof', () => {
  const text = chain('@ih,32,32 @s accept').replace(
    'chain c',
    'set s { typeof @ih,32,32; elements = { 5 }; }\n\tchain c',
  )
  expect(print(filter(text))).toContain('in {5}')
})
