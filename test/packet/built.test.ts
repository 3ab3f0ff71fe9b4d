// Built packets as tshark reads them, where it is installed: the checksums that no shipped capture has examples of.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildPacket, writeCapture } from '../../packages/packet/src/index.ts'

const GOOD = '1' // tshark's checksum status

const PACKETS: readonly (readonly [string, string])[] = [
  ['ipv4 / udplite(dport=9999) / "abcdef"', 'udp'],
  ['ipv4 / udplite(coverage=8, dport=9999) / "abcdef"', 'udp'],
  ['ipv4 / udplite(coverage=11, dport=9999) / "abcdef"', 'udp'],
  ['ipv6 / udplite(coverage=0, dport=9999) / "abcdefg"', 'udp'],
  ['ipv4 / sctp / 0x0300000400000000', 'sctp'],
  ['ipv6 / hopopt / sctp(vtag=0x12345678) / 0x0300000400000000', 'sctp'],
  ['ipv4 / dccp(doff=4) / 0x0000000000000000', 'dccp'],
  ['ipv6 / dccp(doff=4) / 0x000000000000000001', 'dccp'],
  ['ipv4 / ipv6 / ipv4 / udp(dport=9999) / "z"', 'udp'],
  ['ipv4 / ah / udp(dport=9999) / "zz"', 'udp'],
  ['ipv6 / dstopts / icmp6 / "ping"', 'icmpv6'],
  ['eth / vlan(id=5) / vlan(id=6) / ipv6 / tcp(options=0x020405b4, flags=SEW) / "q"', 'tcp'],
]

const hasTshark = spawnSync('tshark', ['--version']).status === 0

test.skipIf(!hasTshark)('checksums that tshark calls good', () => {
  const packets = PACKETS.map(([text]) => buildPacket(text).value!)
  const folder = mkdtempSync(join(tmpdir(), 'netsieve-'))
  const file = join(folder, 'built.pcapng')
  writeFileSync(file, writeCapture(packets, { format: 'pcapng' }))
  const protocols = ['ip', 'tcp', 'udp', 'udplite', 'dccp']
  const preferences = protocols.flatMap((name) => ['-o', `${name}.check_checksum:TRUE`])
  const fields = ['ip', 'udp', 'tcp', 'sctp', 'dccp', 'icmpv6'].flatMap((name) => ['-e', `${name}.checksum.status`])
  const more = ['-o', 'sctp.checksum:CRC-32C', '-T', 'json']
  const out = execFileSync('tshark', ['-r', file, ...preferences, ...more, ...fields], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  rmSync(folder, { recursive: true })
  const read: { _source: { layers: Record<string, string[]> } }[] = JSON.parse(out)
  for (const [i, [text, protocol]] of PACKETS.entries()) {
    const layers = read[i]!._source.layers
    expect([text, layers[`${protocol}.checksum.status`]]).toEqual([text, [GOOD]])
    expect([text, ...(layers['ip.checksum.status'] ?? [GOOD])].filter((status) => status !== GOOD)).toEqual([text])
  }
})
