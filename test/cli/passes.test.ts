// Passes and lint on the command line.

import { describe, expect, it } from 'vitest'
import { netsieve } from './command.ts'

const RULES = `table ip t {
  chain c {
    type filter hook input priority 0; policy drop;
    tcp dport 1-100 accept
    tcp dport 80 drop
    udp dport 53 accept
    udp dport 54 accept
    udp dport 55 accept
  }
}
`

describe('compile', () => {
  it('-O chooses passes; fewer instructions, the same verdicts, a row for every rule', () => {
    const [none, some, all] = ['-O0', '-O1', '-O2'].map(
      (level) => netsieve(['compile', '-f', '-', '--emit', 'hex', level], RULES).stdout.length,
    )
    expect(none).toBeGreaterThan(some!)
    expect(some).toBeGreaterThan(all!)
    const rows = ['-O0', '-O1'].map((level) => {
      const { stdout } = netsieve(['run', '-r', 'samples/talk.pcap', '-f', '-', '--check', level], RULES)
      return stdout.slice(stdout.indexOf('verdicts'))
    })
    expect(rows[0]).toBe(rows[1])
    expect(netsieve(['run', '-r', 'samples/talk.pcap', '-f', '-', '--check', '-O2'], RULES).stdout).toContain(
      'udp dport 53 accept (and 2 more)',
    )
  })

  it('--check-passes holds each pass against the meaning', () => {
    const { stdout, status } = netsieve(
      ['compile', '-f', '-', '--check-passes', '-O2', '--runs', '300', '--seed', '5'],
      RULES,
    )
    expect({ status, lines: stdout.split('\n').map((line) => line.trim().split(/ {2,}/)) }).toEqual({
      status: 0,
      lines: [
        ['pass', 'changed', 'rules', 'cases', 'mismatches'],
        ['constants', 'no', '5 → 5', '300', '0'],
        ['guards', 'no', '5 → 5', '300', '0'],
        ['shadowed', 'yes', '5 → 4', '300', '0'],
        ['dead', 'no', '4 → 4', '300', '0'],
        ['merge', 'yes', '4 → 2', '300', '0'],
        ['groups', 'no', '2 → 2', '300', '0'],
        [''],
      ],
    })
  })

  it('refuses what is no level and no number', () => {
    expect(netsieve(['compile', '-O3', 'tcp'])).toMatchObject({ status: 2, stdout: '' })
    expect(netsieve(['compile', '--check-passes', '--runs', 'many', 'tcp'])).toMatchObject({ status: 2, stdout: '' })
  })
})

describe('lint', () => {
  it('warns at the rule, names the rule above, and fails where it is told to', () => {
    const { stdout, status } = netsieve(['lint', '-'], RULES)
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /^<stdin>:5:5: warning: no packet comes to this rule: tcp dport 80 drop \[ir\/shadowed\]\n.*\n.*\^\n<stdin>:4:5: note: rule 0 takes all of its packets/,
    )
    expect(netsieve(['lint', '-', '--fail-on', 'shadowed,never'], RULES).status).toBe(1)
    expect(netsieve(['lint', '-', '--fail-on', 'redundant'], RULES).status).toBe(0)
    expect(netsieve(['lint', '-', '--fail-on', 'any'], RULES).status).toBe(1)
    expect(JSON.parse(netsieve(['lint', '-', '--json'], RULES).stdout)).toMatchObject({
      code: 'ir/shadowed',
      line: 5,
      notes: [{ line: 4 }],
    })
  })

  it('looks at all hooks, and at what they share only if none of them needs it', () => {
    const rules = `table inet t {
  chain shared {
    udp dport 53 accept
    tcp dport 22 drop
    tcp dport 22 accept
  }
  chain in {
    type filter hook input priority 0; policy accept;
    meta l4proto tcp jump shared
  }
  chain fwd {
    type filter hook forward priority 0; policy accept;
    tcp dport 80 drop
    tcp dport 80 accept
    jump shared
  }
}`
    const lines = (...args: string[]) =>
      netsieve(['lint', '-', '--json', ...args], rules).stdout.trim().split('\n').map((line) => (JSON.parse(line) as { line: number }).line) // biome-ignore format: one act
    // Rules for UDP match nothing of what comes by the first hook, but do by the other.
    expect(lines('--hook', 'input')).toEqual([3, 5])
    expect(lines()).toEqual([5, 14])
    expect(netsieve(['lint', '-'], rules).stdout).toContain('2 found at the hooks input, forward, under')
    expect(netsieve(['lint', '-'], 'iptables -A INPUT -j DROP\niptables -A INPUT -j ACCEPT\niptables -A OUTPUT -j DROP').stdout).toContain('1 found at the hooks input, output, under') // biome-ignore format: one act
  })

  it('has nothing to say of sound rules, and refuses what is no ruleset', () => {
    expect(netsieve(['lint', 'samples/rules/web.nft'])).toMatchObject({
      status: 0,
      stdout: 'nothing to say of samples/rules/web.nft at the hook input, under the profile nft-6.18\n',
    })
    expect(netsieve(['lint', '-', '--fail-on', 'all'], RULES)).toMatchObject({ status: 2, stdout: '' })
    expect(netsieve(['lint', '-'], 'table ip t {')).toMatchObject({ status: 2, stdout: '' })
  })
})

describe('lint: chains that packets come to from no hook', () => {
  const IPTABLES =
    '*nat\n:PREROUTING ACCEPT [0:0]\n:translated - [0:0]\n-A PREROUTING -j translated\nCOMMIT\n*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:used - [0:0]\n:forwarded - [0:0]\n:lone - [0:0]\n:below - [0:0]\n-A INPUT -j used\n-A FORWARD -g forwarded\n-A used -p tcp -j ACCEPT\n-A lone -j below\nCOMMIT\n'
  const NFT = `table ip t {
  map m { type inet_service : verdict; elements = { 22 : goto mapped } ; }
  chain mapped { accept; }
  chain lone { goto below; }
  chain below { drop; }
  chain n { type nat hook prerouting priority -100; jump translated; }
  chain translated { accept; }
  chain f { type filter hook forward priority 0; tcp dport vmap @m; }
}
`
  it.each([
    ['iptables', IPTABLES],
    ['nft', NFT],
  ])('%s', (_, text) => {
    const lines = netsieve(['lint', '-', '--json'], text)
      .stdout.trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ code, message }) => [code, message])).toEqual(
      ['lone', 'below'].map((name) => [
        'ir/unused',
        `no packet comes to the chain ${name}: nothing that packets come to calls it`,
      ]),
    )
    expect(lines[0].line).toBe(text.slice(0, text.indexOf('lone')).split('\n').length)
    expect(netsieve(['lint', '-', '--fail-on', 'unused'], text).status).toBe(1)
    expect(netsieve(['compile', '-f', '-'], text).stderr).not.toContain('lone')
  })
})
