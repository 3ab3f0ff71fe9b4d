// Captures on the command line: where they are read from, what is told of them, what is written.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { readCapture, writeCapture } from '@netsieve/packet'
import { describe, expect, it } from 'vitest'
import { BIN, netsieve, ROOT, TALK, temporary } from './command.ts'

const { folder, file } = temporary()

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

it('a packet longer than any snapshot is told with its place, wherever it is read from and whatever judges it', () => {
  const frame = (length: number) => ({ data: new Uint8Array(length).fill(2), linkType: 1 })
  const most = 262_144
  for (const format of ['pcap', 'pcapng'] as const) {
    const whole = writeCapture([frame(60), frame(most), frame(60)], { format })
    const long = writeCapture([frame(60), frame(most + 4), frame(60)], { format })
    const [good, bad] = [file(`good.${format}`, whole), file(`bad.${format}`, long)]
    for (const more of [[], ['--engine', 'interpreter'], ['-j', '2']]) {
      for (const [path, input] of [[good], ['-', whole]] as const)
        expect(JSON.parse(netsieve(['run', '-r', path, '--json', ...more, 'len < 100'], input).stdout)).toMatchObject({ packets: 3, passed: 2 }) // biome-ignore format: one run
      for (const [path, input] of [[bad], ['-', long], ['-', gzipSync(long)]] as const) {
        const { status, stdout, stderr } = netsieve(['run', '-r', path, '--json', ...more, 'len < 100'], input)
        expect([status, stdout]).toEqual([2, ''])
        expect(stderr).toMatch(
          /packet 1 .*: a captured length of 262148 bytes, above the limit of 262144 \[capture\/length\]/,
        )
      }
    }
  }
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
