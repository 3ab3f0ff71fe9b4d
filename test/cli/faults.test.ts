// What users get wrong, on the command line: what is said, and where.

import { describe, expect, it } from 'vitest'
import { netsieve, TALK, temporary } from './command.ts'

const { file } = temporary()

it('helps with help', () => {
  const { status, stdout } = netsieve(['help', 'help'])
  expect(status).toBe(0)
  expect(stdout).toContain('Commands:')
})

describe('bad input: one message with a place, exit 2, nothing on stdout', () => {
  const cases: readonly [string, () => readonly string[], RegExp][] = [
    ['an unknown verb', () => ['filter'], /unknown command 'filter'/],
    ['help for an unknown verb', () => ['filter', '--help'], /unknown command 'filter'; there are run, compile/],
    ['an unknown option', () => ['run', '-r', TALK, '--bogus', 'tcp'], /unknown option '--bogus'/],
    ['help for an unknown verb, by its verb', () => ['help', 'filter'], /unknown command 'filter'; there are run/],
    ['an expression with no option before it', () => ['tcp', 'port', '80'], /come before an expression: netsieve -r/],
    [
      'an option that tcpdump has and netsieve has not',
      () => ['-r', TALK, '-X', 'tcp'],
      /unknown option '-X'\n\(netsieve -n --help shows which of tcpdump's options/,
    ],
    ['no capture, with a long option first', () => ['--meta', 'mark=1', 'tcp'], /no capture: name one with -r/],
    [
      'an nft rule of its own, with a remark: taken for an expression',
      () => ['run', '-r', TALK, '-f', file('bare.nft', 'tcp dport 80 drop # web\n')],
      /`#` has no meaning here[\s\S]*taken for a pcap expression; -s names another/,
    ],
    ['no capture', () => ['run', 'tcp'], /no capture/],
    ['no rules', () => ['run', '-r', TALK], /no rules/],
    [
      'a file of metadata that is none, though the rules ask for nothing',
      () => ['run', '-r', TALK, '--meta-file', 'samples/README.md', 'tcp'],
      /samples\/README\.md:1: error: .*\[cli\/meta-file\]/,
    ],
    ['rules twice', () => ['run', '-r', TALK, '-f', 'samples/rules/http.nft', 'tcp'], /given twice/],
    ['an unknown syntax', () => ['run', '-r', TALK, '-s', 'pf', 'tcp'], /no syntax pf; there are .*iptables, nft/],
    ['an unknown profile', () => ['run', '-r', TALK, '--profile', 'x', 'tcp'], /no profile x/],
    [
      'an option of another syntax',
      () => ['run', '-r', TALK, '-f', 'samples/rules/http.nft', '--on-match', 'drop'],
      /means nothing to: .*\[rules\/option\]/,
    ],
    [
      'a profile of another syntax',
      () => ['run', '-r', TALK, '-f', 'samples/rules/http.nft', '--profile', 'pcap-file'],
      /no meaning under the profile pcap-file/,
    ],
    ['a missing capture', () => ['run', '-r', 'no.pcap', 'tcp'], /no\.pcap: error: there is no such file/],
    ['a folder as capture', () => ['run', '-r', 'samples', 'tcp'], /samples: error: this is a directory/],
    ['a text as capture', () => ['run', '-r', 'LICENSE', 'tcp'], /LICENSE: not a pcap or pcapng capture/],
    ['a capture as rules', () => ['run', '-r', TALK, '-f', TALK], /this is no text/],
    ['missing rules', () => ['run', '-r', TALK, '-f', 'no.nft'], /no\.nft: error: there is no such file/],
    [
      'an empty ruleset (nft)',
      () => ['run', '-r', TALK, '-s', 'nft', '-f', file('e.nft', '')],
      /e\.nft:1:1: error: .*\[rules\/empty\]/,
    ],
    [
      'an empty ruleset (iptables)',
      () => ['run', '-r', TALK, '-s', 'iptables', '-f', file('e.rules', '# nothing\n')],
      /e\.rules:\d+:\d+: error: .*\[rules\/empty\]/,
    ],
    [
      'an empty ruleset (flower)',
      () => ['run', '-r', TALK, '-s', 'flower', '-f', file('e.tc', '\n')],
      /e\.tc: error: .*\[rules\/empty\]/,
    ],
    [
      'an empty ruleset (ethtool)',
      () => ['run', '-r', TALK, '-s', 'ethtool', '-f', file('e.eth', '\n')],
      /e\.eth: error: .*\[rules\/empty\]/,
    ],
    [
      'an empty ruleset (cbpf)',
      () => ['run', '-r', TALK, '-s', 'cbpf', '-f', file('e.bpf', '\n')],
      /e\.bpf: error: .*\[cbpf\/empty\]/,
    ],
    ['an empty ruleset (lint)', () => ['lint', file('e.any', '\n')], /e\.any: error: .*\[rules\/empty\]/],
    [
      'nft rules as classic BPF',
      () => ['compile', '-f', 'samples/rules/http.nft', '--emit', 'cbpf'],
      /samples\/rules\/http\.nft: error: .*\[codegen\/cbpf\]/,
    ],
    [
      'no BTF of a kernel',
      () => ['compile', '--prog', 'netfilter', '--emit', 'hex', '--btf', '/dev/null', '-f', 'samples/rules/web.nft'],
      /^\/dev\/null: error: .*\n\/dev\/null: error: not the BTF of a kernel/m,
    ],
    ['no folder to write to', () => ['compile', '-o', '/no/such', 'tcp'], /\/no\/such: error: there is no such folder/],
    [
      'port 70000 (iptables)',
      () => ['run', '-r', TALK, '--', '-A INPUT -p tcp --dport 70000 -j DROP'],
      /<expression>:1:25: error: port 70000 is above 65535[\s\S]*\n {28}\^{5}\n/,
    ],
    [
      'port 70000 (nft)',
      () => [
        'run',
        '-r',
        TALK,
        '-f',
        file('p.nft', 'table ip t {\n chain c {\n  type filter hook input priority 0\n  tcp dport 70000 drop\n }\n}\n'),
      ],
      /p\.nft:4:13: error: .*70000/,
    ],
    ...(
      [
        ['compile iptables -A INPUT -p tcp -j DROP --emit asm', '--emit', 'iptables'],
        ['compile nft add rule ip t c tcp dport 80 drop --emit=asm', '--emit', 'nft'],
        ['compile tc filter add dev e ingress protocol ip flower ip_proto tcp action drop --prog tc', '--prog', 'tc'],
        ['compile ethtool -N e flow-type tcp4 dst-port 80 action -1 --emit asm', '--emit', 'ethtool'],
        ['run iptables -A INPUT -j DROP -r in.pcap', '-r', 'iptables'],
      ] as const
    ).map(([line, option, tool]): [string, () => readonly string[], RegExp] => [
      `an option of our own behind a tool's name: ${line}`,
      () => line.split(' '),
      new RegExp(`\n  hint: ${option} is netsieve's own: write it before ${tool}, whose words are all that follow\n`),
    ]),
    ['port 70000 (pcap)', () => ['run', '-r', TALK, 'tcp port 70000'], /<expression>:1:10: error: .*70000/],
    [
      'port 70000 (flower)',
      () => ['run', '-r', TALK, 'protocol ip flower ip_proto tcp dst_port 70000 action drop'],
      /:1:\d+: error: .*70000/,
    ],
    [
      'port 70000 (ethtool)',
      () => ['run', '-r', TALK, 'flow-type tcp4 dst-port 70000 action -1'],
      /:1:\d+: error: .*70000/,
    ],
    [
      'a bad address',
      () => ['run', '-r', TALK, '--', '-A INPUT -s 10.0.0.256 -j DROP'],
      /<expression>:1:\d+: error: [\s\S]*10\.0\.0\.256/,
    ],
    [
      'an unterminated block',
      () => ['run', '-r', TALK, '-f', file('u.nft', 'table ip t {\n chain c {\n')],
      /u\.nft:2:10: error: .*never closed/,
    ],
    [
      'an unclosed parenthesis',
      () => ['run', '-r', TALK, 'tcp and (port 80'],
      /<expression>:1:17: error: [\s\S]*expected '\)'/,
    ],
    [
      'a packet that is not there',
      () => ['trace', '-r', TALK, '-p', '99999', 'tcp'],
      /there is no packet 99999: the capture has 1504/,
    ],
    [
      'chains called beyond measure',
      () => [
        'compile',
        '-f',
        file(
          'calls.rules',
          [
            '*filter',
            ':INPUT ACCEPT [0:0]',
            ...Array.from({ length: 12 }, (_, i) => `:C${i} - [0:0]`),
            '-A INPUT -j C0',
            ...Array.from({ length: 44 }, (_, i) => `-A C${i >> 2} -j C${(i >> 2) + 1}`),
            'COMMIT\n',
          ].join('\n'),
        ),
      ],
      /calls\.rules:2:1: error: .* at most 500000 are compiled \[ir\/size\]/,
    ],
    ['rules and capture both from stdin', () => ['run', '-r', '-', '-f', '-'], /cannot both come from stdin/],
    ['two reports at once', () => ['run', '-r', TALK, '--json', '--jsonl', 'tcp'], /choose one/],
    [
      'bytes that are no program',
      () => ['disasm', file('p.hex', 'ff00000000000000\n')],
      /instruction 0: unknown opcode ff/,
    ],
    [
      'rules without a rule',
      () => ['run', '-r', TALK, '-f', file('none', '# nothing\n')],
      /none: error: there are no rules here/,
    ],
    [
      'a rule of another syntax',
      () => ['run', '-r', TALK, 'tcp dport 80 drop'],
      /taken for a pcap expression; -s names another/,
    ],
    [
      'a number of any length',
      () => ['run', '-r', TALK, '-s', 'nft', `tcp dport ${'9'.repeat(100_000)}`],
      /^.{10,2000}$/s,
    ],
    ['rules to compare that are not there', () => ['equiv', 'samples/rules/http.nft', 'no.nft'], /no\.nft: error/],
  ]
  it.each(cases)('%s', (_, args, message) => {
    const { status, stdout, stderr } = netsieve(args())
    expect(stderr).toMatch(message)
    expect(stdout).toBe('')
    expect(status).toBe(2)
  })
})
