// The load script on this machine, in namespaces of its own: it loads and attaches, frames that come by a veth pair meet the verdicts of the rules, and it takes
// everything away again. Needs root and the tools; skipped, and said so, without.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Filter, match, print, verdict } from '@netsieve/ir'
import { afterAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TOOLS = ['unshare', 'nsenter', 'mount', 'ip', 'tc', 'bpftool', 'python3']
const MISSING_TOOL = TOOLS.find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
const WHY =
  process.getuid?.() !== 0
    ? 'not root'
    : MISSING_TOOL
      ? `no ${MISSING_TOOL}`
      : spawnSync('unshare', ['-n', '-m', 'true']).status !== 0
        ? 'no namespaces'
        : undefined
const folder = mkdtempSync(join(tmpdir(), 'netsieve-load-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Sends a datagram to some ports from the other end and prints those that arrive. */
const ASK = `
import select, socket, subprocess, sys
ports = [53, 80, 443, 4000]
sockets = {}
for port in ports:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(('10.9.0.1', port))
    sockets[one] = port
send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.9.0.2', 999)); [s.sendto(b'x', ('10.9.0.1', p)) for p in %r]" % ports
subprocess.run(['nsenter', '-t', sys.argv[1], '-n', 'python3', '-c', send], check=True)
came = set()
while True:
    ready, _, _ = select.select(list(sockets), [], [], 0.5)
    if not ready: break
    for one in ready:
        one.recv(100)
        came.add(sockets[one])
print('came', *sorted(came))
`

/** Two namespaces with a veth pair; \`a.1\` is on our side. */
const WORLD = `
set -eu

mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
ip link add a.1 type veth peer name far
unshare -n sleep 60 &
peer=$!
trap 'kill $peer' EXIT
sleep 0.3
ip link set dev far netns $peer
ip addr add 10.9.0.1/24 dev a.1
ip link set dev a.1 up
nsenter -t $peer -n sh -c 'ip addr add 10.9.0.2/24 dev far; ip link set dev far up'
sleep 0.3
ask() { python3 ask.py $peer; }
`

function inWorld(script: string): {
  readonly lines: readonly string[]
  readonly stderr: string
  readonly status: number | null
} {
  writeFileSync(join(folder, 'ask.py'), ASK)
  writeFileSync(join(folder, 'world.sh'), `${WORLD}\n${script}`)
  const { stdout, stderr, status } = spawnSync('unshare', ['-n', '-m', 'sh', 'world.sh'], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { lines: stdout.trim().split('\n'), stderr, status }
}

function write(name: string, prog: string, rules: string): void {
  const cli = join(ROOT, 'packages/netsieve/bin/netsieve.js')
  writeFileSync(join(folder, 'rules'), rules)
  const { status, stderr } = spawnSync(
    process.execPath,
    [cli, 'compile', '-f', 'rules', '--prog', prog, '--emit', 'load-script', '-o', name],
    { cwd: folder, encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
}

const PLAIN = `table inet f {
  chain i { type filter hook input priority 0; policy accept; udp dport 53 drop; limit rate over 100000/second drop; }
}`

describe.skipIf(WHY)(`load scripts${WHY ? ` (skipped: ${WHY})` : ''}`, () => {
  it('cgroup: loads, drops what the sockets of its processes would get, and unloads', { timeout: 60_000 }, () => {
    write('load.sh', 'cgroup', PLAIN)
    const { lines, stderr, status } = inWorld(`
mkdir -p cg
mount -t cgroup2 none cg
trap 'echo $$ >cg/cgroup.procs; rmdir cg/netsieve-test; kill $peer' EXIT
mkdir cg/netsieve-test
echo $$ >cg/netsieve-test/cgroup.procs
ask
sh load.sh cg/netsieve-test
ask
sh load.sh cg/netsieve-test 2>/dev/null || echo refused
sh load.sh a.1 2>/dev/null || echo no cgroup
sh load.sh --unload cg/netsieve-test
ask
ls -d /sys/fs/bpf/netsieve* 2>/dev/null || true
`)
    expect({ lines, stderr, status }).toMatchObject({
      status: 0,
      lines: [
        'came 53 80 443 4000',
        expect.stringMatching(/^loaded on cg\/netsieve-test: /),
        'came 80 443 4000',
        'refused',
        'no cgroup',
        'came 53 80 443 4000',
      ],
    })
  })

  it.each([
    ['xdp', '--mode generic'],
    ['xdp', '--mode drv'],
    ['tc', ''],
  ])('%s %s loads, drops and unloads', { timeout: 60_000 }, (prog, options) => {
    write('load.sh', prog, PLAIN)
    const { lines, stderr, status } = inWorld(`
ask
sh load.sh ${options} a.1
ask
sh load.sh ${options} a.1 2>/dev/null || echo refused
sh load.sh --unload a.1
ask
ls -d /sys/fs/bpf/netsieve* 2>/dev/null || true
`)
    expect({ lines, stderr, status }).toMatchObject({
      status: 0,
      lines: [
        'came 53 80 443 4000',
        expect.stringMatching(/^loaded on a\.1: /),
        'came 80 443 4000',
        'refused',
        'came 53 80 443 4000',
      ],
    })
  })

  it('fills maps', { timeout: 60_000 }, () => {
    // Pairs of address and port, which are looked up in a hash table; those of the other end are among them.
    const pairs = Array.from({ length: 300 }, (_, i) => [0x0a010000n + BigInt(i), 80n] as const)
    const elements = [...pairs, [0x0a090002n, 443n] as const].map((key) => ({
      key: key.map((part) => ({ lo: part, hi: part })),
    }))
    const keys = [
      { bits: 32, kind: 'ipv4' },
      { bits: 16, kind: 'port' },
    ] as const
    const terms = [
      { kind: 'field', field: 'ipv4.src' },
      { kind: 'field', field: 'udp.dport' },
    ] as const
    const filter: Filter = {
      syntax: 'ir',
      profile: 'nft-6.18',
      sets: [{ name: 'pairs', keys, elements }],
      base: [{ chain: 'main', hook: 'ingress', view: 'nft-netdev', family: 'ipv4', policy: 'accept' }],
      chains: [
        {
          name: 'main',
          rules: [{ id: 0, text: 'pairs', steps: [match({ kind: 'inSet', terms, set: 'pairs' }), verdict('drop')] }],
        },
      ],
    }
    write('load.sh', 'xdp', print(filter))
    expect(readFileSync(join(folder, 'load.sh'), 'utf8')).toMatch(
      /bpftool map update pinned "\$folder\/maps"\/\w+ key hex /,
    )
    const { lines, stderr, status } = inWorld(`
sh load.sh a.1
ask
`)
    expect({ lines, stderr, status }).toMatchObject({
      status: 0,
      lines: [expect.stringMatching(/^loaded/), 'came 53 80 4000'],
    })
  })

  it('loads several programs, and the array that leads from one to the next', { timeout: 240_000 }, () => {
    const long = Array.from({ length: 20_000 }, (_, i) => `ip saddr & 0.0.255.255 == 0.0.${128 + (i >> 8)}.${i & 255} tcp dport < ${1000 + (i % 50)} meta length > ${i % 40} drop`) // biome-ignore format: a rule
    write('load.sh', 'tc', `table ip f {
  chain i { type filter hook input priority 0; policy accept;
${long.join('\n')}
udp dport 53 drop
  } }`) // biome-ignore format: one text
    const { lines, stderr, status } = inWorld(`
sh load.sh a.1
bpftool map dump pinned /sys/fs/bpf/netsieve-sched_cls-*/maps/netsieve_progs | tail -1
ask
sh load.sh --unload a.1
ask
ls -d /sys/fs/bpf/netsieve* 2>/dev/null || true
`)
    expect({ lines, stderr, status }).toMatchObject({
      status: 0,
      lines: [expect.stringMatching(/^loaded/), 'Found 1 element', 'came 80 443 4000', 'came 53 80 443 4000'],
    })
  })

  it('stops with an error, and leaves nothing behind', { timeout: 60_000 }, () => {
    write('load.sh', 'tc', PLAIN)
    const { lines, status } = inWorld(`
sh load.sh 2>&1 || true
sh load.sh nowhere 2>&1 || true
sh load.sh ../../a 2>&1 || true
sh load.sh --direction up a.1 2>&1 || true
sh load.sh --unload a.1 2>&1 || true
mkdir bin
printf '#!/bin/sh\\n[ "$1" != filter ]' >bin/tc
chmod +x bin/tc
PATH=$PWD/bin:$PATH sh load.sh a.1 2>/dev/null || echo failed
ls -d /sys/fs/bpf/netsieve* 2>/dev/null || true
`)
    expect({ lines, status }).toMatchObject({
      status: 0,
      lines: [
        'usage: load.sh [--direction ingress|egress] [--unload] DEVICE',
        'load.sh: error: there is no device nowhere',
        'load.sh: error: ../../a is no name of a device',
        'load.sh: error: --direction is one of ingress, egress, not up',
        'load.sh: error: nothing of this script is loaded on a.1',
        'failed',
      ],
    })
  })
})
