// Writes what derives from cases.json: `frames` the packets for record.py, `docs` the page.
//   node bench/run.mjs test/golden/semantics-write.ts frames|docs

import { writeFileSync } from 'node:fs'
import { folder, frames, page } from './semantics-data.ts'

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

if (process.argv[2] === 'frames') {
  const rows = Object.entries(frames()).map(([name, bytes]) => `  ${JSON.stringify(name)}: "${hex(bytes)}"`)
  writeFileSync(`${folder}frames.json`, `{\n${rows.join(',\n')}\n}\n`)
} else writeFileSync(`${folder}../../../docs/semantics.md`, page())
