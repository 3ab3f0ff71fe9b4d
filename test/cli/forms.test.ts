// Programs on the command line: the forms that rules and assembly are written in, and read from.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readElf } from '@netsieve/asm'
import { describe, expect, it } from 'vitest'
import { netsieve, TALK, temporary } from './command.ts'

const { folder, file } = temporary()

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

it('a text that is long stands in JSON once, not in each instruction', () => {
  const text = Array.from({ length: 400 }, (_, i) => `tcp dst port ${1000 + 7 * i}`).join(' or ')
  const { stdout } = netsieve(['compile', '--emit', 'json', text])
  expect(stdout.split(text)).toHaveLength(2)
  const { instructions } = JSON.parse(stdout) as { instructions: { rule?: number; for?: string }[] }
  const ofRule = instructions.filter(({ rule }) => rule === 0)
  expect(ofRule.length).toBeGreaterThan(20)
  expect(ofRule.filter((row) => row.for !== undefined)).toEqual([])
  expect(instructions.filter((row) => row.rule === undefined && row.for === undefined)).toEqual([])
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

  it('text has them too, and reads back', () => {
    const rules =
      'table inet f { set s { type ipv4_addr; flags dynamic; }; chain i { type filter hook input priority 0; limit rate over 5/second add @s { ip saddr } drop; } }'
    const text = netsieve(['compile', rules]).stdout
    expect(text).toMatch(/^\.map s hash key 4 /m)
    const object = join(folder, 'text.o')
    expect(netsieve(['asm', '-', '--emit', 'elf', '-o', object], text)).toMatchObject({ status: 0, stderr: '' })
    const again = netsieve(['disasm', '--origins', object]).stdout
    expect(netsieve(['disasm', '-'], again).stdout).toBe(netsieve(['disasm', object]).stdout)
    const verified = [text, again].map((each) => netsieve(['verify', '--log', '0', '-'], each).stdout)
    expect(verified[0]).toMatch(/^accepted: \d+ instructions processed$/m)
    expect(verified[1]).toBe(verified[0])
  })

  it('a map that is not declared is told with its place', () => {
    const { status, stdout, stderr } = netsieve(['asm', '-', '--emit', 'elf'], 'r0 = 0\nr1 = map[idx:2] ll\nexit\n')
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toBe(`<stdin>:2:1: error: there is no map 2: 0 are declared [asm/object]
    r1 = map[idx:2] ll
    ^^^^^^^^^^^^^^^^^^
`)
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
