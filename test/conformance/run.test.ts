// The corpus run: interpreter and JIT against the results in the files.

import { readdirSync, readFileSync } from 'node:fs'
import { assemble, conformanceProgram, parseConformance } from '@netsieve/asm'
import { type LoadOptions, load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

function files(folder: string) {
  return readdirSync(new URL(folder, import.meta.url)).map((name) => {
    const test = parseConformance(name, readFileSync(new URL(`${folder}/${name}`, import.meta.url), 'utf8'))!
    const maps = assemble(test.asm, { dialect: 'gcc' }).value?.maps ?? []
    return { name, test, maps, program: conformanceProgram(test).program! }
  })
}

/** The suite's helper 5: returns something other than 0, and the program goes on. */
const helpers: NonNullable<LoadOptions['helpers']> = { 5: () => 1 }

describe.each(['interpreter', 'jit'] as const)('%s', (engine) => {
  test.each(files('rfc9669').map((file) => [file.name, file] as const))(
    'rfc9669/%s',
    (_, { test: { mem, result }, program }) => {
      const machine = load(program, { type: 'xdp', mode: 'rfc9669', engine, patience: 0, helpers })
      const run = machine.run(mem?.slice() ?? new Uint8Array(0))
      expect(run.fault).toBeUndefined()
      expect(BigInt(run.r0Long.toUnsigned().toString())).toBe(result)
    },
  )

  const linux = files('linux').filter(({ test: { result } }) => result !== undefined)
  test.each(linux.map((file) => [file.name, file] as const))(
    'linux/%s',
    (_, { test: { mem, result }, program, maps }) => {
      const machine = load(program, { type: 'socket_filter', maps, engine })
      const run = machine.run(mem?.slice() ?? new Uint8Array(64))
      expect(run.fault).toBeUndefined()
      expect(BigInt(run.r0Long.toUnsigned().toString())).toBe(result)
    },
  )
})
