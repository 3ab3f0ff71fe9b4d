// The corpus and the simulated verifier: what Linux refused it refuses in the same words, and it accepts the rest.

import { readdirSync, readFileSync } from 'node:fs'
import { assemble, conformanceProgram, parseConformance } from '@netsieve/asm'
import { verify } from '@netsieve/verifier'
import { describe, expect, test } from 'vitest'

const files = ['rfc9669', 'linux'].flatMap((folder) =>
  readdirSync(new URL(folder, import.meta.url)).map((name) => {
    const test = parseConformance(name, readFileSync(new URL(`${folder}/${name}`, import.meta.url), 'utf8'))!
    const maps = assemble(test.asm, { dialect: 'gcc' }).value?.maps ?? []
    return { name: `${folder}/${name}`, test, maps, program: conformanceProgram(test).program! }
  }),
)
// Programs that read their memory through r1 are for the suite's machine, where that is no context.
const forLinux = files.filter(({ name, test }) => !test.mem || name.startsWith('linux/'))

/** These need the running kernel's BTF, which no simulation has. */
const BTF = new Set(['linux/btf-id.data', 'linux/kfunc.data'])

describe('verify', () => {
  test.each(forLinux.map((file) => [file.name, file] as const))('%s', (name, { test: { error }, program, maps }) => {
    const verdict = verify(program, { type: 'socket_filter', maps })
    if (BTF.has(name)) expect(verdict.status).toBe('unsupported')
    else if (error) expect(verdict).toMatchObject({ status: 'rejected', message: error })
    else expect(verdict).toMatchObject({ status: 'accepted' })
  })
})
