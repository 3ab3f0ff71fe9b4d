// The command line as users type it: what it prints, where, and the exit code. It runs the build, as users do.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Code, writeElf } from '@netsieve/asm'
import { readCapture } from '@netsieve/packet'
import { describe, expect, it } from 'vitest'
import { netsieve, ROOT, TALK, temporary } from './command.ts'

const { folder, file } = temporary()

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

it('equiv and lint are told what is in sets, and what names stand for', () => {
  const sets = file('sets.ipset', 'create allow hash:ip\nadd allow 10.0.0.1\n')
  const named = file('named.ipt', '-A INPUT -m set --match-set allow src -j DROP\n-A INPUT -s 10.0.0.1 -j DROP\n')
  const plain = file('plain.ipt', '-A INPUT -s 10.0.0.1 -j DROP\n')
  expect(netsieve(['equiv', named, plain, '--ipset', sets, '--runs', '500'])).toMatchObject({ status: 0 })
  expect(netsieve(['lint', named])).toMatchObject({ status: 2, stdout: '' })
  expect(netsieve(['lint', named, '--ipset', sets])).toMatchObject({ status: 0, stderr: '' })
  const hosts = file('hosts', '10.0.0.1 here\n')
  const [byName, byNumber] = [file('name.pcapf', 'src host here'), file('number.pcapf', 'src host 10.0.0.1')]
  expect(netsieve(['equiv', byName, byNumber, '--hosts', hosts, '--runs', '500'])).toMatchObject({ status: 0 })
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
