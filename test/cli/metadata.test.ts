// Metadata on the command line: where values come from, what goes before what, and what is said where nothing tells.

import { buildPacket, writeCapture } from '@netsieve/packet'
import { describe, expect, it } from 'vitest'
import { netsieve as run, TALK, temporary } from './command.ts'

const { file } = temporary()
const netsieve = (...args: readonly string[]) => run(args)

const chain = (hook: string, ...rules: readonly string[]) =>
  file(
    'rules.nft',
    `table inet t {\n chain c {\n  type filter hook ${hook} priority 0\n${rules.map((rule) => `  ${rule}\n`).join('')} }\n}\n`,
  )

/** How many packets pass, and what no packet had. */
function passed(rules: string, capture: string, ...options: readonly string[]): readonly [number, readonly string[]] {
  const { stdout, stderr, status } = netsieve('run', '-r', capture, '-f', rules, '--json', '--check', ...options)
  if (status !== 0) throw new Error(stderr)
  const { passed: count, needsSidecar = [] } = JSON.parse(stdout)
  return [count, needsSidecar]
}

describe('options', () => {
  it('tell devices by name or index, marks, states, and anything by its field', () => {
    const rules = chain('forward', 'iifname "eth*" oif 3 meta mark 0x10 ct state new,established ct mark 7 drop')
    const all = ['--iif', 'eth1', '--oif', '3', '--mark', '16', '--ct-state', 'established', '--meta', 'ct.mark=0x7']
    expect(passed(rules, TALK, ...all)).toEqual([125, []])
    expect(passed(rules, TALK, ...all, '--meta', 'oif=4')).toEqual([1504, []])
    expect(passed(rules, TALK, ...all.slice(0, -2))).toEqual([1504, ['ct.mark']])
    expect(passed(rules, TALK, ...all.slice(0, -2), '--engine', 'interpreter')).toEqual([1504, ['ct.mark']])
  })

  it.each([
    [['--iif', 'a/b'], /--iif a\/b: a device's name or index is expected \[cli\/meta\]/],
    [['--mark', 'x'], /--mark x: expected a number of at most 32 bits \[cli\/meta\]/],
    [['--ct-state', 'fresh'], /--ct-state fresh: expected invalid, established/],
    [['--meta', 'nonsense=1'], /--meta nonsense=1: there is no field nonsense; they begin with meta\., fib\./],
    [['--meta', 'pkttyp=1'], /there is no field pkttyp; did you mean meta\.pkttype\? \[cli\/meta\]/],
    [['--meta', 'ct.marc=1'], /there is no field ct\.marc; did you mean ct\.mark\? \[cli\/meta\]/],
    [['--meta', 'orig.sport=1'], /there is no field orig\.sport; did you mean ct\.orig\.sport or ct\.reply\.sport\?/],
    [['--meta', 'tunnel.nothing=1'], /; of tunnel there are id, src, /],
    [['--meta', 'mark'], /--meta mark: field=value is expected, such as mark=1/],
    [['--meta', 'mark=0x100000000'], /--meta mark=0x100000000: expected a number/],
    [['--meta-file', '/nonexistent'], /\/nonexistent: error: .* \[io\/read\]/],
  ])('%j is refused', (options, message) => {
    const { status, stdout, stderr } = netsieve('run', '-r', TALK, '-f', chain('input', 'mark 1 drop'), ...options)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
  })
})

describe('a file of metadata', () => {
  it('tells each packet its own, before options; lines that are empty or missing tell nothing', () => {
    const rules = chain('input', 'iifname "a" drop', 'mark 5 drop')
    const lines = file('meta.jsonl', '{"iifname": "a"}\n\n{"mark": 5, "iifname": null}\n{"iifname": "b"}\n')
    const frames = Array.from({ length: 5 }, () => buildPacket('eth / ipv4 / udp').value!.data)
    const capture = file(
      'five.pcap',
      writeCapture(
        frames.map((data) => ({ data, linkType: 1 })),
        { format: 'pcap' },
      ),
    )
    expect(passed(rules, capture, '--meta-file', lines)).toEqual([3, []])
    expect(passed(rules, capture, '--meta-file', lines, '--iif', 'a')).toEqual([1, []])
  })

  it.each([
    ['{"iif": "eth0"}', /meta\.jsonl:1: error: "eth0" is no value of meta\.iif: expected a number/],
    ['{}\n[1]', /meta\.jsonl:2: error: an object such as/],
    ['{"iif":', /meta\.jsonl:1: error: an object such as/],
    ['{"foo": 1}', /meta\.jsonl:1: error: there is no metadata field "foo"/],
  ])('%j is told with its line', (text, message) => {
    const { status, stdout, stderr } = netsieve(
      'run',
      '-r',
      TALK,
      '-f',
      chain('input', 'mark 1 drop'),
      '--meta-file',
      file('meta.jsonl', text),
    )
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
  })
})

describe('captures', () => {
  it('have the device and the packet type in cooked headers', () => {
    // A packet type (4: outgoing), a device type, an address, the protocol (LINKTYPE_LINUX_SLL).
    const ip = buildPacket('ipv4 / udp').value!.data
    const cooked = (type: number) => Uint8Array.from([0, type, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0, ...ip])
    const capture = file(
      'sll.pcap',
      writeCapture(
        [0, 3, 4].map((type) => ({ data: cooked(type), linkType: 113 })),
        { format: 'pcap' },
      ),
    )
    expect(passed(chain('prerouting', 'pkttype other drop'), capture)[0]).toBe(2)
    expect(passed(chain('prerouting', 'iiftype ether drop'), capture)[0]).toBe(1)
  })

  it('have names of interfaces and times', () => {
    expect(passed(chain('input', 'meta time < "1980-01-01 00:00:00" drop'), TALK)).toEqual([1504, []])
    expect(passed(chain('input', 'meta time >= "1980-01-01 00:00:00" drop'), TALK)).toEqual([125, []])
  })
})

it('what nothing tells is told once in the report', () => {
  const { stdout } = netsieve('run', '-r', TALK, '-f', chain('input', 'iifname "lo" accept', 'ct state invalid drop'))
  expect(stdout.match(/^metadata .*$/gm)).toEqual([
    'metadata  needs-sidecar: no packet has meta.iifname, ct.state; --meta and --meta-file tell',
  ])
})

it('a field that packets at the hook cannot have is an error with its place', () => {
  const { status, stderr } = netsieve('run', '-r', TALK, '-f', chain('input', 'oifname "eth0" drop'))
  expect(status).toBe(2)
  expect(stderr).toMatch(
    /rules\.nft:4:3: error: packets at the hook input have no meta\.oifname .*\[ir\/hook\]\n {6}oifname "eth0" drop\n {6}\^+\n/,
  )
})

describe('what rules count', () => {
  const rules = () =>
    file(
      'count.nft',
      `table inet t {
 counter all { packets 5 bytes 100; }
 chain c {
  type filter hook input priority 0; policy accept;
  counter name all
  udp dport 53 counter
  tcp dport 80 limit rate 1/second burst 5 packets accept
  tcp dport 80 reject with tcp reset
  ip protocol icmp counter drop
 }
}
`,
    )

  it('is in the report with --counters, equal to the deciding rules where a rule counts what it decides', () => {
    const options = ['run', '-r', TALK, '-f', rules(), '--json', '--counters']
    const single = JSON.parse(netsieve(...options, '--check').stdout)
    const chunks = JSON.parse(netsieve(...options).stdout)
    const threads = JSON.parse(netsieve(...options, '-j', '4').stdout)
    expect(chunks.hits).toEqual(single.hits)
    expect(threads.hits).toEqual(single.hits)
    expect(chunks.counters).toEqual(single.counters)
    expect(chunks.counters['inet/t/all'].packets).toBe(5 + 1379)
    for (const row of chunks.hits.slice(2)) expect(row.packets).toBe(row.hits)
    const [, dns, , reject, icmp] = chunks.hits
    expect([dns.hits, dns.packets > 0]).toEqual([0, true])
    expect([reject.act, reject.verdict]).toEqual(['reject(tcp reset)', 'drop'])
    expect(icmp.bytes).toBeGreaterThan(icmp.packets * 28)
  })

  it('is in the table too, with the names of acts', () => {
    const { stdout } = netsieve('run', '-r', TALK, '-f', rules(), '--counters')
    expect(stdout).toMatch(/^counter {3}inet\/t\/all: 1384 packets, \d+ bytes$/m)
    expect(stdout).toMatch(/^ +hits +packets +bytes +verdict +line +decided by$/m)
    expect(stdout).toMatch(/^ +\d+ +\d+ +\d+ +reject +8 +tcp dport 80 reject with tcp reset$/m)
  })
})

describe('--prog', () => {
  it('cgroup judges a capture of Ethernet frames as other programs do, behind tags too', () => {
    for (const capture of [TALK, 'samples/vlan.pcapng']) {
      const run = (prog: string) =>
        JSON.parse(
          netsieve('run', '-r', capture, '-f', 'samples/rules/web.nft', '--prog', prog, '--json', '--check').stdout,
        )
      const [cgroup, xdp] = [run('cgroup'), run('xdp')]
      expect(cgroup.prog).toBe('cgroup_skb')
      expect([cgroup.hits, cgroup.others]).toEqual([xdp.hits, xdp.others])
    }
  })

  it.each([
    [['--prog', 'cgroup', 'ether', 'src', '2:0:0:0:0:1'], /eth\.src cannot be asked there \[codegen\/type\]/],
    [
      ['--prog', 'cgroup-egress', '-f', 'samples/rules/web.nft'],
      /attached to packets that go out, the hook input is for packets that come in \[codegen\/attach\]/,
    ],
    [
      ['--prog', 'netfilter', 'ether', 'src', '2:0:0:0:0:1'],
      /start at the network header: eth\.src cannot be asked there \[codegen\/type\]/,
    ],
    [
      ['--prog', 'lwt', 'tcp'],
      /no program type lwt; there are xdp, tc, socket, cgroup, cgroup-egress, netfilter \[cli\/prog\]/,
    ],
  ])('%j is refused', (options, message) => {
    const { status, stdout, stderr } = netsieve('run', '-r', TALK, ...options)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
  })
})

it('compile says what a program does less than its rules', () => {
  const rules = chain('input', 'iifname "eth*" mark 5 reject', 'iif 3 queue num 5', 'ct state new reject')
  const said = (prog: string) =>
    [...netsieve('compile', '-f', rules, '--prog', prog).stderr.matchAll(/note: (.*) \[codegen\/\w+\]/g)].map(
      ([, message]) => message!.replace(/:.*/, ''),
    )
  expect(said('tc')).toEqual([
    'a program of type sched_cls only drops packets where the rules say reject',
    'a program of type sched_cls only drops packets where the rules say queue',
    'meta.iifname is not in the context of a program of type sched_cls',
    'ct.state is not in the context of a program of type sched_cls',
  ])
  expect(said('xdp').slice(2)).toEqual(
    ['meta.iifname', 'meta.mark', 'ct.state'].map((field) => `${field} is not in the context of a program of type xdp`),
  )
  expect(netsieve('compile', '-f', 'samples/rules/web.nft').stderr).toBe('')
})

describe('equiv', () => {
  const named = (name: string, ...rules: readonly string[]) =>
    file(
      name,
      `table ip t {\n chain c {\n  type filter hook input priority 0\n${rules.map((rule) => `  ${rule}\n`).join('')} }\n}\n`,
    )

  it('tells reject from drop, and takes every frame for the first where rules go by those before', () => {
    const drop = named('drop.nft', 'tcp dport 80 drop')
    const reject = netsieve('equiv', named('reject.nft', 'tcp dport 80 reject'), drop)
    expect([reject.status, reject.stderr]).toEqual([1, ''])
    expect(reject.stdout).toMatch(
      /reject\.nft:4: reject\(icmp port-unreachable\), by tcp dport 80 reject\n.*drop\.nft:4: drop, by tcp dport 80 drop/,
    )
    const limited = netsieve(
      'equiv',
      named('limit.nft', 'tcp dport 80 limit rate 1/hour burst 1 packets accept', 'tcp dport 80 drop'),
      drop,
    )
    expect(limited.status).toBe(1)
    expect(limited.stderr).toBe(
      'note: some rules go by the packets before: every frame is taken for the first [cli/equiv]\n',
    )
  })
})
