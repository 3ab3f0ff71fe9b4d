// The command line as users type it: what it prints, where, and the exit code. It runs the build, as users do.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { Code, readElf, writeElf } from '@netsieve/asm'
import { readCapture } from '@netsieve/packet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'packages/netsieve/bin/netsieve.js')
let folder = ''

beforeAll(() => {
  if (!existsSync(join(ROOT, 'packages/netsieve/dist/cli/main.js')))
    throw new Error('not built: node scripts/setup.mjs')
  folder = mkdtempSync(join(tmpdir(), 'netsieve-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function netsieve(
  args: readonly string[],
  input: string | Uint8Array = '',
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    cwd: ROOT,
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  return { status, stdout, stderr }
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const TALK = 'samples/talk.pcap'

describe('bad input: one message with a place, exit 2, nothing on stdout', () => {
  const cases: readonly [string, () => readonly string[], RegExp][] = [
    ['an unknown verb', () => ['filter'], /unknown command 'filter'/],
    ['help for an unknown verb', () => ['filter', '--help'], /unknown command 'filter'; there are run, compile/],
    ['an unknown option', () => ['run', '-r', TALK, '--bogus', 'tcp'], /unknown option '--bogus'/],
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

it('reads a cut capture up to the cut, and says where that is', () => {
  const cut = file('cut.pcap', readFileSync(join(ROOT, TALK)).subarray(0, 5000))
  const { status, stdout, stderr } = netsieve(['run', '-r', cut, '--json', 'ip'])
  const records = readCapture(cut, readFileSync(cut)).records.length
  expect(stderr).toMatch(/warning: .*cut\.pcap: .*\[capture\/cut\]/)
  expect(JSON.parse(stdout)).toMatchObject({ packets: records })
  expect(records).toBeGreaterThan(10)
  expect(status).toBe(0)
})

it('reads captures from stdin, packed ones too', () => {
  const bytes = readFileSync(join(ROOT, TALK))
  for (const input of [bytes, gzipSync(bytes)]) {
    const { status, stdout } = netsieve(['run', '-r', '-', '--json', 'ip'], input)
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ packets: 1504 })
  }
})

it('reads a pipe that has a name, as from a shell', () => {
  const shell = (words: string) =>
    spawnSync('sh', ['-c', `cat ${TALK} | "${process.execPath}" "${BIN}" ${words}`], { cwd: ROOT, encoding: 'utf8' })
  const report = shell('run -r /dev/stdin --json ip')
  expect(report.stderr).toBe('')
  expect(JSON.parse(report.stdout)).toMatchObject({ packets: 1504 })
  const [piped, plain] = [join(folder, 'piped.pcap'), join(folder, 'plain.pcap')]
  expect(shell(`-r /dev/stdin -w ${piped} tcp`).status).toBe(0)
  expect(netsieve(['-r', TALK, '-w', plain, 'tcp']).status).toBe(0)
  expect(readFileSync(piped).equals(readFileSync(plain))).toBe(true)
})

it('verifies each program of an object, or the one that is named', () => {
  const program = (name: string, section: string, r0: number | undefined) => {
    const code = new Code()
    if (r0 !== undefined) code.mov(0, r0)
    code.exit()
    return { name, section, type: 'xdp', insns: code.layout(), functions: [{ name, slot: 0 }] } as const
  }
  const path = join(folder, 'two.o')
  const programs = [program('good', 'xdp', 1), program('bad', 'xdp', undefined)]
  writeFileSync(path, writeElf({ programs, maps: [], data: [], license: 'GPL' }))
  const both = netsieve(['verify', '--log', '0', path])
  expect(both.status).toBe(1)
  expect(both.stdout).toMatch(
    /^good:\naccepted: 2 instructions processed\nbad:\n[\s\S]*rejected at instruction 0: R0 !read_ok\n$/,
  )
  expect(netsieve(['verify', '--program', 'good', path]).status).toBe(0)
  const lines = netsieve(['verify', '--json', path])
    .stdout.trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  expect(lines).toMatchObject([
    { program: 'good', status: 'accepted' },
    { program: 'bad', status: 'rejected' },
  ])
  const { status, stderr } = netsieve(['verify', '-w', join(folder, 'x.pcap'), path])
  expect([status, stderr]).toEqual([2, 'error: -w and 2 programs: choose one with --program [cli/verify]\n'])
})

it('traces the run that it tells the verdict of, though rules keep something from packet to packet', () => {
  const rules = 'table ip t { chain c { type filter hook input priority 0; policy drop; tcp dport 80 limit rate 1/minute burst 1 packets accept; } }' // biome-ignore format: one ruleset
  const { status, stdout } = netsieve(['trace', '-r', 'samples/http.pcap', rules])
  expect(status).toBe(0)
  expect(stdout).toMatch(/r0 = 2 .*\n.*exit.*\npacket 0: pass, r0 = 2, by rule 0: tcp dport 80 limit/)
  const lines = netsieve(['trace', '-r', 'samples/http.pcap', '--json', rules]).stdout.trim().split('\n')
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ i: 0, verdict: 'pass', r0: 2, rule: 0, insns: lines.length - 1 })
})

describe('run', () => {
  it('counts hits a rule, and says which verifier verdict, profile and hook', () => {
    const { status, stdout } = netsieve(['run', '-r', TALK, '-f', 'samples/rules/http.nft', '--check', '--json'])
    expect(status).toBe(0)
    const report = JSON.parse(stdout) as Record<string, unknown>
    expect(report).toMatchObject({
      v: 1,
      syntax: 'nft',
      profile: 'nft-6.18',
      prog: 'xdp',
      verifier: { status: 'accepted' },
      packets: 1504,
      faults: 0,
      hits: [{ rule: 0, verdict: 'drop', by: 'tcp dport 80 drop', file: 'samples/rules/http.nft', line: 5 }],
    })
    expect((report.passed as number) + (report.dropped as number)).toBe(1504)
  })

  it.each([
    ['run --json -r samples/http.pcap iptables -A INPUT -p tcp --dport 80 -j DROP', 'iptables'],
    ['run -s iptables --json -r samples/http.pcap iptables -A INPUT -p tcp --dport 80 -j DROP', 'iptables'],
    ['run --json --read=samples/http.pcap ethtool -N eth0 flow-type tcp4 dst-port 80 action -1', 'ethtool'],
    ['run -r samples/http.pcap --json -- iptables -A INPUT -p tcp --dport 80 -j DROP', 'iptables'],
  ])("takes a tool's own command line as it stands: %s", (line, syntax) => {
    const { status, stdout } = netsieve(line.split(' '))
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ syntax, packets: 112, dropped: 59 })
  })

  it('prints a line a packet', () => {
    const { stdout } = netsieve(['run', '-r', 'samples/http.pcap', '-f', 'samples/rules/http.nft', '--jsonl'])
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { i: number; verdict: string; rule: number | null })
    expect(lines).toHaveLength(112)
    expect(lines.map(({ i }) => i)).toEqual(lines.map((_, i) => i))
    // Packets of the server's side have source port 80 and pass by policy.
    expect(lines[0]).toMatchObject({ i: 0, verdict: 'drop', rule: 0 })
    expect(lines.filter(({ verdict }) => verdict === 'pass').every(({ rule }) => rule === null)).toBe(true)
  })

  it.each(['xdp', 'tc', 'socket'])('judges the same as %s, by either engine', (prog) => {
    const args = [
      'run',
      '-r',
      TALK,
      '--prog',
      prog,
      '--check',
      '--jsonl',
      'host 10.0.0.2 and (tcp port 80 or udp) or ip6',
    ]
    const told = ['interpreter', 'jit'].map((engine) => netsieve([...args, '--engine', engine]))
    expect(told[0]!.status).toBe(0)
    expect(told[0]!.stdout).toBe(told[1]!.stdout)
    const verdicts = told[0]!.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { verdict: string }).verdict)
    expect(new Set(verdicts)).toEqual(new Set(['pass', 'drop']))
  })

  it('writes the packets that pass byte for byte, in a pcapng too, and from stdin', () => {
    const path = join(folder, 'dns.pcapng')
    expect(netsieve(['run', '-r', 'samples/dns.pcapng', '-w', path, 'udp']).status).toBe(0)
    const all = readCapture('dns', readFileSync(join(ROOT, 'samples/dns.pcapng'))).records
    const kept = readCapture('kept', readFileSync(path)).records
    const udp = all.filter(({ data }) => (data[12] === 8 ? data[23] : data[20]) === 17)
    expect(kept.map(({ raw }) => Buffer.from(raw).toString('hex'))).toEqual(
      udp.map(({ raw }) => Buffer.from(raw).toString('hex')),
    )
    expect(kept.length).toBeGreaterThan(10)
  })
})

it('compile prints IR, assembly, hex and JSON of the same program', () => {
  const emit = (form: string) => netsieve(['compile', '--emit', form, 'tcp dst port 80']).stdout
  expect(emit('ir')).toContain('profile pcap-file')
  const json = JSON.parse(emit('json')) as { hex: string; instructions: unknown[] }
  expect(emit('hex').trim()).toBe(json.hex)
  expect(
    emit('asm')
      .split('\n')
      .filter((line) => /^ *\d+: /.test(line)),
  ).toHaveLength(json.instructions.length)
})

it('compile writes C, with the rules as comments', () => {
  const c = netsieve(['compile', '-f', 'samples/rules/web.nft', '--prog', 'tc', '--emit', 'c'])
  expect(c.status).toBe(0)
  expect(c.stdout).toContain('/* samples/rules/web.nft:6: ip saddr 10.0.0.0/24 udp dport 53 accept */')
  expect(c.stdout).toContain('SEC("tc")')
  const classic = netsieve(['compile', '-s', 'cbpf', '--emit', 'c', '(000) ret #0'])
  expect(classic).toMatchObject({ status: 2, stdout: '' })
  expect(classic.stderr).toMatch(/unsupported: cbpf has no IR/)
})

describe('objects with maps', () => {
  const LIMITED =
    'table inet f { chain i { type filter hook input priority 0; ct state new limit rate over 5/second drop; } }'

  it('values that the program reads by their address are in the object', () => {
    const object = join(folder, 'limited.o')
    const { status, stderr } = netsieve(['compile', '--emit', 'elf', '-o', object, LIMITED])
    expect(status).toBe(0)
    expect(stderr).toContain('note: ct.state is not in the context of a program of type xdp')
    expect(existsSync(`${object}.maps.json`)).toBe(false)
    expect(netsieve(['verify', object]).stdout).toContain('accepted')
    const { data } = readElf(readFileSync(object)).value!
    expect(data.map(({ name }) => name).sort()).toEqual(['.data.netsieve_meta', '.data.netsieve_state'])
    // A full bucket: five packets of 200 ms each.
    const state = data.find(({ name }) => name === '.data.netsieve_state')!.bytes
    expect(new DataView(state.buffer, state.byteOffset).getBigUint64(0, true)).toBe(1_000_000_000n)
  })

  it('what other maps hold stands beside the object', () => {
    const pairs = Array.from({ length: 40 }, (_, i) => `  10.0.0.${i} . ${i}\n`).join('')
    const rules = file(
      'pairs.ir',
      `filter ir profile nft-6.18
hook ingress view nft-netdev family ipv4 chain main policy accept
set pairs 32:ipv4 . 16:port {
${pairs}}
chain main {
  #0: ipv4.src . udp.dport in @pairs, → drop    ; pairs
}
`,
    )
    const object = join(folder, 'pairs.o')
    expect(netsieve(['compile', '-f', rules, '--emit', 'elf', '-o', object])).toMatchObject({ status: 0, stderr: '' })
    const beside = readFileSync(`${object}.maps.json`, 'utf8')
    expect(netsieve(['compile', '-f', rules, '--emit', 'maps']).stdout).toBe(beside)
    const { maps } = JSON.parse(beside) as { maps: { type: string; key_size: number; entries: { key: string }[] }[] }
    expect(maps).toMatchObject([{ type: 'hash' }])
    expect(maps[0]!.entries).toHaveLength(40)
    expect(new Set(maps[0]!.entries.map(({ key }) => key.length / 2))).toEqual(new Set([maps[0]!.key_size]))
    expect(netsieve(['compile', '-f', rules, '--emit', 'elf']).stderr).toMatch(
      /the object does not say what these maps hold/,
    )
  })

  it('no command attaches a socket filter', () => {
    const { status, stdout, stderr } = netsieve(['compile', '--prog', 'socket', '--emit', 'load-script', 'tcp'])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(
      /unsupported: a program of type socket_filter is attached by the program that owns the socket/,
    )
  })

  it('the load script holds the object', () => {
    const script = netsieve(['compile', '--emit', 'load-script', 'tcp']).stdout
    const base64 = /<<'END'\n([A-Za-z0-9+/=\n]*)\nEND\n/.exec(script)![1]!
    const { programs } = readElf(Buffer.from(base64, 'base64')).value!
    expect(programs.map(({ name, type }) => [name, type])).toEqual([['netsieve', 'xdp']])
    expect(spawnSync('sh', ['-n'], { input: script }).status).toBe(0)
  })
})

it('more rules than a verifier looks at in one function are run in several', () => {
  // A comparison of two computed numbers is no lookup.
  const rules = Array.from({ length: 9000 }, (_, i) => `#${i}: meta.l4proto == 6, tcp.dport == (${i}), → drop\n`).join(
    '',
  )
  const many = file('many.ir', `filter nft profile nft-6.18\nhook input view nft-ip family ipv4 chain c policy accept\nchain c {\n${rules}}\n`) // biome-ignore format: one act
  const { status, stdout } = netsieve(['run', '-O0', '-r', TALK, '-f', many])
  expect(status).toBe(0)
  expect(stdout).toMatch(/^verifier {2}accepted, \d+ instructions processed$/m)
})

it('verify says what the kernel would say of bytes and of assembly: exit 0 accepted, 1 rejected', () => {
  const hex = file('ok.hex', netsieve(['compile', '--emit', 'hex', 'ip']).stdout)
  expect(netsieve(['verify', hex])).toMatchObject({ status: 0 })
  expect(netsieve(['verify', '-'], '8000000000000000 9500000000000000')).toMatchObject({
    status: 1,
    stdout: expect.stringContaining('rejected: unknown opcode 80\n'),
  })
  const bad = netsieve(['verify', '-'], 'r0 = *(u32 *)(r1 + 0)\nr2 = *(u8 *)(r0 + 0)\nexit\n')
  expect(bad.status).toBe(1)
  expect(bad.stdout).toMatch(/invalid access to packet, off=0 size=1, R0/)
})

it('verify --explain says why, where the value comes from, and shows a packet that goes wrong', () => {
  const program =
    'r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto out\nr0 = *(u8 *)(r2 + 23)\nexit\nout:\nr0 = 2\nexit\n'
  const witness = join(folder, 'bad.pcap')
  const { status, stdout } = netsieve(['verify', '-', '--log', '0', '--explain', '-w', witness], program)
  expect(status).toBe(1)
  expect(stdout).toMatch(/rejected at instruction 5: invalid access to packet, off=23 size=1, R2/)
  expect(stdout).toMatch(
    /Reason: [\s\S]*At:\n {2}5: .*\nCausal path:\n {2}0: [\s\S]*Suggestion: [\s\S]*Counterexample: eth/,
  )
  const [record] = readCapture(witness, readFileSync(witness)).records
  expect(record!.data.length).toBeGreaterThanOrEqual(14)
  expect(record!.data.length).toBeLessThan(24)
})

it('trace shows every executed instruction with registers and the rule it comes from', () => {
  const { status, stdout } = netsieve(['trace', '-r', 'samples/http.pcap', '-p', '0', '-f', 'samples/rules/http.nft'])
  expect(status).toBe(0)
  expect(stdout).toContain('; rule 0: tcp dport 80 drop')
  expect(stdout).toMatch(/r1 = \*\(u16 \*\)\(r8 \+2\) +; r1: 0x\w+ → 0x5000, packet\[36\] = 0050/)
  expect(stdout).toMatch(/packet 0: drop, r0 = 1, by rule 0: tcp dport 80 drop\n$/)
})

it('traces a packet that is written in words, and says what is wrong with one', () => {
  const rules = ['-f', 'samples/rules/http.nft']
  const { stdout } = netsieve(['trace', '--packet', 'eth / ipv4(src=10.0.0.1) / tcp(dport=80, flags=S)', ...rules])
  expect(stdout).toMatch(/packet 0: drop, r0 = 1, by rule 0: tcp dport 80 drop\n$/)
  const wrong = netsieve(['trace', '--packet', 'eth / ipv4(src=10.0.0.1) / tcp(dport=70000)', ...rules])
  expect(wrong.stderr).toMatch(/<packet>:1:\d+: error: .*70000/)
  expect([wrong.status, wrong.stdout]).toEqual([2, ''])
})

describe('equiv', () => {
  it('proves two spellings of the same filter equal, and says where it cannot', () => {
    const same = netsieve(['equiv', 'samples/rules/http.nft', 'samples/rules/http.iptables', '--runs', '3000'])
    expect(same.stdout).toMatch(
      /^equal: the rules mean the same for every frame \(proved; .* 3000 frames\)\n {2}under the profiles .* and .*\n$/,
    )
    expect(same.status).toBe(0)
    const plain = netsieve([
      'equiv',
      'samples/rules/http.nft',
      'samples/rules/http.pcap-filter',
      '--runs',
      '3000',
      '--plain',
    ])
    expect(plain.stdout).toMatch(/^no difference found in 3000 frames \(seed 1\); this is no proof: only plain frames/)
    expect(plain.status).toBe(0)
  })

  it('shows a packet that tells two filters apart, and writes it as a capture', () => {
    const witness = join(folder, 'witness.pcap')
    const { status, stdout } = netsieve([
      'equiv',
      'samples/rules/http.nft',
      'samples/rules/http.pcap-filter',
      '-w',
      witness,
      '--json',
    ])
    expect(status).toBe(1)
    const told = JSON.parse(stdout) as { frame: string; a: { verdict: string }; b: { verdict: string } }
    expect(told.a.verdict).not.toBe(told.b.verdict)
    const [record] = readCapture(witness, readFileSync(witness)).records
    expect(Buffer.from(record!.data).toString('hex')).toBe(told.frame)
    // The written packet is judged so by `run` too.
    const run = (rules: string) =>
      JSON.parse(netsieve(['run', '-r', witness, '-f', rules, '--jsonl']).stdout) as { verdict: string }
    expect(run('samples/rules/http.nft').verdict).toBe(told.a.verdict)
    expect(run('samples/rules/http.pcap-filter').verdict).toBe(told.b.verdict)
  })
})

describe("tcpdump's way to be called", () => {
  it('writes what matches byte for byte', () => {
    const path = join(folder, 'tcpdump.pcap')
    expect(netsieve(['-r', TALK, '-w', path, 'tcp', 'port', '80'])).toEqual({ status: 0, stdout: '', stderr: '' })
    const all = readCapture(TALK, readFileSync(join(ROOT, TALK))).records
    const kept = readCapture(path, readFileSync(path)).records
    const jsonl = netsieve(['run', '-r', TALK, '--jsonl', '--engine', 'interpreter', 'tcp port 80']).stdout
    const passed = jsonl
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { verdict: string }).verdict === 'pass')
    expect(kept.map(({ raw }) => Buffer.from(raw).toString('hex'))).toEqual(
      all.filter((_, i) => passed[i]).map(({ raw }) => Buffer.from(raw).toString('hex')),
    )
    expect(kept.length).toBeGreaterThan(100)
  })

  it('counts, and stops after -c packets', () => {
    expect(netsieve(['-r', TALK, '--count', 'icmp']).stdout).toBe('55 packets\n')
    const path = join(folder, 'three.pcap')
    expect(netsieve(['-r', TALK, '-w', path, '-c', '3', 'icmp']).status).toBe(0)
    expect(readCapture(path, readFileSync(path)).records).toHaveLength(3)
  })

  it('prints the classic program in three forms, which `-s cbpf` takes back', () => {
    // The text of tcpdump 4.99.3 (libpcap 1.10.3).
    expect(netsieve(['-d', 'ip']).stdout).toBe(
      '(000) ldh      [12]\n(001) jeq      #0x800           jt 2\tjf 3\n(002) ret      #262144\n(003) ret      #0\n',
    )
    const told = ['-d', '-dd', '-ddd'].map((flag) => {
      const program = netsieve([flag, 'udp port 53']).stdout
      return netsieve(['run', '-r', TALK, '-s', 'cbpf', '-f', '-', '--json'], program)
    })
    for (const { status, stdout } of told) {
      expect(status).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({
        syntax: 'cbpf',
        passed: JSON.parse(netsieve(['run', '-r', TALK, '--json', 'udp port 53']).stdout).passed,
      })
    }
  })
})

describe('asm and disasm', () => {
  const text = 'r0 = 0\nif r1 > 5 goto +1\nr0 = 1\nexit\n'

  it('go from text to bytes, JSON and an object, and back', () => {
    const hex = netsieve(['asm', '-'], text).stdout
    expect(hex).toBe('b700000000000000\n2501010005000000\nb700000001000000\n9500000000000000\n')
    const object = join(folder, 'a.o')
    expect(netsieve(['asm', '-', '--emit', 'elf', '-o', object], text).status).toBe(0)
    const shown = [
      netsieve(['disasm', '-'], hex),
      netsieve(['disasm', '-'], netsieve(['asm', '-', '--emit', 'json'], text).stdout),
      netsieve(['disasm', object]),
    ]
    for (const { stdout } of shown) expect(stdout).toContain('1: (25) if r1 > 0x5 goto pc+1\n')
    expect(netsieve(['disasm', object, '--dialect', 'ubpf']).stdout).toContain('jgt r1, 5, ')
    expect(netsieve(['disasm', object, '--emit', 'hex']).stdout).toBe(hex)
    expect(netsieve(['disasm', object, '--cfg', 'dot']).stdout).toMatch(/^digraph/)
  })

  it('name every wrong line', () => {
    const { status, stdout, stderr } = netsieve(['asm', '-'], 'r0 = \nfoo r1\nexit\n')
    expect(stderr).toMatch(/<stdin>:1:5: error: [\s\S]*<stdin>:2:1: error: no instruction starts with foo/)
    expect([status, stdout]).toEqual([2, ''])
  })
})

it('the conformance plugin takes memory and program as the suite gives them, on both engines', () => {
  const plugin = (program: string, args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(ROOT, 'packages/netsieve/bin/conformance-plugin.js'), ...args],
      { input: program, encoding: 'utf8' },
    )
    return { status, stdout, stderr }
  }
  // r0 = byte 1 of the memory; then one past its end.
  for (const engine of ['interpreter', 'jit']) {
    const read = plugin('71 10 01 00 00 00 00 00  95 00 00 00 00 00 00 00\n', ['aa  bb  cc  ', '--engine', engine])
    expect(read).toEqual({ status: 0, stdout: 'bb\n', stderr: '' })
    const beyond = plugin('71 10 03 00 00 00 00 00  95 00 00 00 00 00 00 00\n', ['aa  bb  cc  ', '--engine', engine])
    expect(beyond).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(/out of packet by 1 byte/) })
  }
})

it('the demo has one row a syntax, all accepted, all with the same counts', () => {
  const { status, stdout } = netsieve(['demo'])
  expect(status).toBe(0)
  const rows = [...stdout.matchAll(/^ {2}(\w+) +\d+ {2}accepted \(\d+\) +(\d+ +\d+) {2}/gm)]
  expect(rows.map((row) => row[1])).toEqual(['iptables', 'nft', 'pcap', 'flower', 'ethtool'])
  expect(new Set(rows.map((row) => row[2]!.replace(/ +/, ' '))).size).toBe(1)
})
