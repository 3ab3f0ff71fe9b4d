// Rules in several files, as the command line reads them.

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BIN, ROOT, TALK, temporary } from './command.ts'

const { folder } = temporary()
const put = (name: string, text: string) => writeFileSync(join(folder, name), text)
mkdirSync(join(folder, 'rules'))
mkdirSync(join(folder, 'site'))
put('main.nft', 'include "ports.nft"\ntable inet t {\n chain c {\n  type filter hook input priority 0\n  include "./rules/*.nft"\n  udp dport 53 drop\n }\n}\n') // biome-ignore format: one file
put('site/ports.nft', 'define web = { 80, 443 }\n')
put('rules/2.nft', 'tcp dport 80 drop\n')
put('rules/1.nft', '# the web\ntcp dport $web accept\n')

/** Runs in the folder of the files, which is where `./` is. */
function netsieve(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { cwd: folder, encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('rules of a run are told with their files', () => {
  const talk = join(ROOT, TALK)
  const text = netsieve('run', '-r', talk, '-f', 'main.nft', '-I', 'nowhere', '-I', 'site')
  expect(text).toMatchObject({ status: 0, stderr: '' })
  const lines = text.stdout.split('\n').map((line) => line.trim().split(/\s+/).slice(1).join(' '))
  expect(lines).toContain('pass ./rules/1.nft:2 tcp dport $web accept')
  expect(lines).toContain('drop ./rules/2.nft:1 tcp dport 80 drop')
  expect(lines).toContain('drop 6 udp dport 53 drop')
  const { hits } = JSON.parse(netsieve('run', '-r', talk, '-f', 'main.nft', '-I', 'site', '--json').stdout)
  expect(hits.map(({ file, line }: { file: string; line: number }) => `${file}:${line}`)).toEqual([
    './rules/1.nft:2',
    './rules/2.nft:1',
    'main.nft:6',
  ])
})

test('compile says which file, in IR, C and assembly', () => {
  const emit = (form: string) => netsieve('compile', '-f', 'main.nft', '-I', 'site', '--emit', form).stdout
  expect(emit('c')).toContain('./rules/1.nft:2: tcp dport $web accept')
  const { ir } = JSON.parse(emit('json'))
  expect(JSON.stringify(ir)).toContain('{"file":"./rules/1.nft","line":2,"column":1,"endLine":2,"endColumn":22}')
  expect(emit('asm')).toContain('tcp dport $web accept')
})

test('lint goes through the files', () => {
  const { status, stdout } = netsieve('lint', 'main.nft', '-I', 'site')
  expect(status).toBe(0)
  expect(stdout).toContain(`./rules/2.nft:1:1: warning: `)
  expect(stdout).toContain(`./rules/1.nft:2:1: note: `)
  const found = JSON.parse(netsieve('lint', 'main.nft', '-I', 'site', '--json').stdout.split('\n')[0]!)
  expect(found).toMatchObject({ code: 'ir/shadowed', file: './rules/2.nft', line: 1, notes: [{ file: './rules/1.nft', line: 2 }] }) // biome-ignore format: one value
})

test('lint tells of a file that is included twice what holds at both places', () => {
  put('drop.nft', 'tcp dport 22 drop\nudp dport 9 drop\n')
  const chain = (name: string, rules: string, head = '') =>
    ` chain ${name} {\n${head}${rules}  include "./drop.nft"\n }\n`
  put('both.nft', `table inet t {\n${chain('d', '  udp dport 9 accept\n')}${chain('c', '  udp dport 9 accept\n  tcp dport 22 accept\n  goto d\n', '  type filter hook input priority 0\n  iifname "x" jump d\n')}}\n`) // biome-ignore format: one file
  const found = netsieve('lint', 'both.nft', '--json').stdout.trim().split('\n').map((line) => JSON.parse(line)) // biome-ignore format: one value
  expect(found.filter(({ file }) => file === './drop.nft').every(({ line }) => line === 2)).toBe(true)
  expect(found.map(({ line }) => line)).toContain(2)
})

test('equiv names the file of the rule that decides', () => {
  put('other.nft', 'table inet t {\n chain c {\n  type filter hook input priority 0\n  tcp dport { 80, 443 } accept\n  udp dport 54 drop\n }\n}\n') // biome-ignore format: one file
  put('rules/3.nft', 'udp dport 54 drop\n')
  const { status, stdout } = netsieve('equiv', 'main.nft', 'other.nft', '-I', 'site', '--runs', '2000')
  expect(status).toBe(1)
  expect(stdout).toContain('main.nft:6: drop, by udp dport 53 drop')
  put('other.nft', 'table inet t {\n chain c {\n  type filter hook input priority 0\n  udp dport 53 drop\n }\n}\n')
  const { stdout: told } = netsieve('equiv', 'main.nft', 'other.nft', '-I', 'site', '--runs', '2000')
  expect(told).toContain('./rules/3.nft:1: drop, by udp dport 54 drop')
})

test('files that are not to be had', () => {
  put(
    'bad.nft',
    'include "./rules"\ninclude "/dev/zero"\ninclude "./zero.nft"\ninclude "ports.nft"\ninclude "./bad.nft"\n',
  )
  put('zero.nft', 'define a = 1\0\n')
  const { status, stdout, stderr } = netsieve('compile', '-f', 'bad.nft')
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain('bad.nft:1:1: warning: ./rules is a folder: nothing is included [nft/include]')
  expect(stderr).toContain('bad.nft:2:1: error: /dev/zero is no plain file [nft/include]')
  expect(stderr).toContain('bad.nft:3:1: error: ./zero.nft cannot be read: this is no text: byte 12 is 0 [nft/include]')
  expect(stderr).toContain('bad.nft:4:1: error: there is no file ports.nft [nft/include]')
  expect(stderr).toContain('./bad.nft:5:1: error: ./bad.nft includes itself [nft/include]')
})

test('an option that means nothing to other rules is refused', () => {
  const { status, stderr } = netsieve('compile', '-I', 'site', 'tcp port 80')
  expect(status).toBe(2)
  expect(stderr).toContain('[rules/option]')
})
