// Names of maps.

import { expect, test } from 'vitest'
import { Maps } from '../src/lookup/maps.ts'

const SIZES = { type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 } as const

test('each map has a name of its own, which the kernel takes', () => {
  const maps = new Maps()
  maps.add({ ...SIZES, name: 'set_2' })
  const named = ['a/set', 'b/set', 'set', '-', 'tables', 'a_name_of_more_letters', 'a_name_of_more_of_them'].map(
    (text) => {
      const name = maps.nameFor(text)
      maps.add({ ...SIZES, name })
      return name
    },
  )
  expect(named).toEqual(['set', 'set_3', 'set_4', '_', 'tables_2', 'a_name_of_more_', 'a_name_of_mor_2'])
})

test('many names that begin alike take linear time', () => {
  const maps = new Maps()
  const names = new Set<string>()
  const start = performance.now()
  for (let i = 0; i < 50_000; i++) {
    const name = maps.nameFor(`all_of_them_begin_like_this_${i}`)
    maps.add({ ...SIZES, name })
    names.add(name)
  }
  expect(performance.now() - start).toBeLessThan(5000)
  expect(names.size).toBe(50_000)
})
