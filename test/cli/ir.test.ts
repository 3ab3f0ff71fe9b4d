// IR on the command line: printed, saved, read again, with the same meaning.

import { describe, expect, it } from 'vitest'
import { netsieve } from './command.ts'

describe.each(['web.nft', 'http.iptables', 'http.pcap-filter', 'http.flower', 'http.ethtool', 'http.u32'])(
  '%s',
  (name) => {
    const path = `samples/rules/${name}`
    const hex = netsieve(['compile', '-f', path, '--emit', 'hex']).stdout

    it.each(['ir', 'ir-json', 'json'])('as %s is read again, and is the same program', (form) => {
      const { stdout: saved, status } = netsieve(['compile', '-f', path, '--emit', form])
      expect(status).toBe(0)
      expect(netsieve(['compile', '-f', '-', '--emit', 'hex'], saved)).toMatchObject({ status: 0, stderr: '', stdout: hex }) // biome-ignore format: one value
      expect(netsieve(['compile', '-s', 'ir', '-f', '-', '--emit', 'ir'], saved).stdout).toBe(
        netsieve(['compile', '-f', path, '--emit', 'ir']).stdout,
      )
    })
  },
)

describe('bad IR: a message, exit 2, nothing on stdout', () => {
  const head = 'filter nft profile nft-6.18\nhook input view nft-ip family any chain c policy drop\n'
  it.each([
    [`${head}chain c {\n  #0: tcp.dport == 70000\n}\n`, /<stdin>:4:7: error: 70000 does not fit 16 bits/],
    [`${head}chain c {\n  #0: true\n  #0: true\n}\n`, /<stdin>:5:3: error: there are two rules #0/],
    [`${head}chain c {\n}\nchain c {\n}\n`, /<stdin>:5:1: error: there are two chains c/],
    [`${head}`, /<stdin>:2:1: error: there is no chain c/],
    ['{ "syntax": 1 }', /<stdin>:1:1: error: filter.syntax: a string is expected/],
    ['{ "syntax": ', /this is no JSON/],
  ])('%s', (input, message) => {
    const { status, stdout, stderr } = netsieve(['compile', '-f', '-'], input)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })
})
