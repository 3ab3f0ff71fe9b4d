// Compiled rules as classic BPF.

import type { CbpfInsn } from '@netsieve/asm'
import { generateCbpf } from '@netsieve/codegen'
import type { Compiled } from '../pipeline.ts'
import { say, Trouble } from './io.ts'

/** The classic program of a pcap expression. @throws Trouble for rules that classic BPF cannot say */
export function classicOf({ filter, syntax, source }: Compiled): readonly CbpfInsn[] {
  if (!filter) throw new Trouble(`${source.name}: error: unsupported: ${syntax} is classic BPF already [cli/emit]`)
  const { value, diagnostics } = generateCbpf(filter)
  say(diagnostics, source.name)
  if (!value) throw new Trouble('')
  return value
}
