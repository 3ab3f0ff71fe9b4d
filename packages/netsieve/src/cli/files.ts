// The disk's files, for rules that name some.

import { readdirSync, statSync } from 'node:fs'
import type { Files } from '@netsieve/rules'
import { readText, reason, Trouble } from './io.ts'

export const FILES: Files = {
  look(path) {
    const found = stat(path)
    return typeof found === 'string' ? undefined : found.isDirectory() ? 'folder' : 'file'
  },

  list(folder) {
    try {
      return readdirSync(folder)
    } catch {
      return []
    }
  },

  read(path, mostBytes) {
    const found = stat(path)
    if (typeof found === 'string') return `cannot be read: ${found}`
    // A pipe or a device may have no end.
    if (!found.isFile()) return 'is no plain file'
    if (found.size > mostBytes) return `is too long: ${found.size} bytes, of which ${mostBytes} are left`
    try {
      return readText(path)
    } catch (error) {
      if (error instanceof Trouble) return `cannot be read: ${error.message.replace(/^.*?: error: | \[[^\]]*\]$/g, '')}`
      throw error
    }
  },
}

/** What is at a path, or why that cannot be told. */
function stat(path: string): (ReturnType<typeof statSync> & object) | string {
  try {
    return statSync(path)
  } catch (error) {
    return reason(error)
  }
}
