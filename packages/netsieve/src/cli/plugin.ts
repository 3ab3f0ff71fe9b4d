// A plugin of the bpf_conformance suite: its runner starts this once a test, with the memory as an argument and the program on stdin.

import { readFileSync } from 'node:fs'
import { conformancePlugin, type PluginRun } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { err, out } from './io.ts'

/** The suite's helper 5 tells the program to go on. */
const helpers = { 5: () => 1 }

const runner =
  (engine: 'interpreter' | 'jit'): PluginRun =>
  (program, mem) => {
    const { fault, r0Long } = load(program, { type: 'xdp', mode: 'rfc9669', engine, helpers }).run(mem)
    return fault ? { error: fault.reason } : BigInt(r0Long.toUnsigned().toString())
  }

/** @returns the exit code that the suite's runner expects; `--engine jit` runs compiled code */
export function plugin(args: readonly string[]): number {
  const at = args.indexOf('--engine')
  const engine = at >= 0 && args[at + 1] === 'jit' ? 'jit' : 'interpreter'
  const rest = at >= 0 ? args.filter((_, i) => i !== at && i !== at + 1) : args
  const { exitCode, stdout, stderr } = conformancePlugin(rest, readFileSync(0, 'utf8'), runner(engine))
  out(stdout)
  err(stderr)
  return exitCode
}
