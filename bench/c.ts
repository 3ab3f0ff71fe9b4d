// What C of long lists costs: clang's time, and, as root with bpftool, what the kernel's verifier counts and a packet takes in its test run, less an
// empty program. Beside it the same in eBPF as netsieve makes it, as one decision and rule by rule.
//   node bench/run.mjs bench/c.ts [sizes, by commas] [types, by commas]

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ProgTypeName, writeElf } from '@netsieve/asm'
import { generate, generateC } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import type { Filter } from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { objectOf, readRules } from 'netsieve'
import { generator } from './filter-workloads.ts'

const SIZES = (process.argv[2] ?? '100,1000,4000,10000').split(',').map(Number)
const TYPES = (process.argv[3] ?? 'xdp').split(',') as ProgTypeName[]
/** As one function clang takes minutes for more. */
const MOST_WHOLE = 1000
const REPEAT = 20_000

const LISTS: Readonly<Record<string, (count: number) => string>> = {
  'five-tuples': (count) => {
    const random = generator(13)
    const rules = Array.from({ length: count }, () => {
      const proto = random(2) ? 'tcp' : 'udp'
      const low = random(60000)
      return `ip saddr ${random(2) ? 10 : 192}.${random(24)}.0.0/16 ip daddr 172.${random(16)}.0.0/16 ${proto} sport ${random(30000)}-65535 ${proto} dport ${low}-${low + random(4000)} accept`
    })
    return `table netdev t {\nchain c {\ntype filter hook ingress device "eth0" priority 0; policy drop;\n${rules.join('\n')}\n}\n}`
  },
  'masks and lengths': (count) => {
    const rules = Array.from({ length: count }, (_, i) => `ip saddr & 0.0.255.255 == 0.0.${i >> 8}.${i & 255} tcp dport < ${1000 + (i % 50)} meta length > ${i % 40} drop`) // biome-ignore format: a rule
    return `table ip t { chain c { type filter hook prerouting priority 0; policy accept;\n${rules.join('\n')}\n} }`
  },
}

const folder = mkdtempSync(join(tmpdir(), 'netsieve-c-'))
const path = (name: string) => join(folder, name)
writeFileSync(path('frame'), buildPacket('eth / ipv4(src=11.9.250.250) / tcp(dport=80)').value!.data)

/** Seconds of processor time that a command takes. @throws Error if it fails */
function processorTime(command: string): number {
  const { stderr, status } = spawnSync('bash', ['-c', `TIMEFORMAT='%U %S'; time ${command}`], { cwd: folder, encoding: 'utf8' }) // biome-ignore format: one call
  if (status !== 0) throw new Error(stderr)
  return stderr.trim().split('\n').at(-1)!.split(' ').reduce((sum, each) => sum + Number(each), 0) // biome-ignore format: one value
}

/** What the kernel says of an object: instructions its verifier went through, ns a packet. */
function inKernel(object: string): string {
  const script = `mount -t bpf bpf /sys/fs/bpf && bpftool -d prog load ${object} /sys/fs/bpf/p 2>&1 | grep -a ^processed | tail -1
bpftool -j prog run pinned /sys/fs/bpf/p data_in frame repeat ${REPEAT}`
  const { stdout } = spawnSync('unshare', ['-m', 'sh', '-c', script], { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 30 }) // biome-ignore format: one call
  const processed = /^processed (\d+) insns/m.exec(stdout)?.[1]
  const ns = /"duration":(\d+)/.exec(stdout)?.[1]
  return processed && ns ? `kernel ${processed.padStart(7)} processed ${ns.padStart(6)} ns` : 'kernel -'
}

function objectFor(filter: Filter, type: ProgTypeName, oneByOne: boolean): string {
  const name = `${oneByOne ? 'linear' : 'tables'}.o`
  writeFileSync(path(name), writeElf(objectOf({ ...generate(filter, { type, oneByOne }), source: source('list', ''), syntax: 'nft' }))) // biome-ignore format: one act
  return name
}

try {
  for (const type of TYPES) {
    writeFileSync(path('empty.o'), writeElf(objectOf({ ...generate({ syntax: 'nft', profile: 'nft-6.18', base: [], chains: [] }, { type }), source: source('', ''), syntax: 'nft' }))) // biome-ignore format: one act
    console.log(`${type}, an empty program: ${inKernel('empty.o')}`)
    for (const [name, list] of Object.entries(LISTS)) {
      for (const size of SIZES) {
        const filter = readRules(source('list', list(size))).value!
        console.log(`${size} rules, ${name}`)
        for (const divide of size <= MOST_WHOLE ? [true, false] : [true]) {
          writeFileSync(path('list.c'), generateC(filter, { type, divide }).value!)
          const clang = processorTime('clang -O2 -g -target bpf -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu -I/usr/include/aarch64-linux-gnu -c list.c -o list.o') // biome-ignore format: one call
          console.log(`  C, ${(divide ? 'divided' : 'whole').padEnd(10)} clang ${clang.toFixed(1).padStart(6)} s  ${inKernel('list.o')}`) // biome-ignore format: one line
        }
        for (const oneByOne of [false, true])
          console.log(`  ${(oneByOne ? 'rule by rule' : 'one decision').padEnd(29)}${inKernel(objectFor(filter, type, oneByOne))}`) // biome-ignore format: one line
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
