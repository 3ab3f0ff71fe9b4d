// Our verdicts on programs compiled from C beside those that Linux gave, and how long they take.

import { readFileSync } from 'node:fs'
import { verify } from '@netsieve/verifier'
import { expect, test } from 'vitest'
import { errorLines } from './kernel.ts'
import { objectPrograms } from './objects.ts'

const golden = JSON.parse(readFileSync(new URL('./objects.golden.json', import.meta.url), 'utf8')) as {
  readonly verdicts: Readonly<Record<string, string>>
}

test('every program has a verdict of Linux', () => {
  expect(objectPrograms().map(({ name }) => name).sort()).toEqual(Object.keys(golden.verdicts).sort()) // biome-ignore format: one act
})

for (const { name, program, options } of objectPrograms()) {
  test(`${name}: as Linux says, in less than a second`, () => {
    // Processor time: the machine may be busy with other things.
    const start = process.cpuUsage()
    const { status, stats } = verify(program, options)
    expect(process.cpuUsage(start).user).toBeLessThan(1_000_000)
    const { log } = verify(program, { ...options, logLevel: 1 })
    const ours = status === 'accepted' ? `accepted ${stats.processedInsns}` : errorLines(log).join('\n')
    expect(ours).toBe(golden.verdicts[name])
  })
}
