// The running kernel as an oracle: `kbpf.py serve` in the folder that NETSIEVE_ORACLE names (root, Linux with BPF).

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { MapDef } from '@netsieve/asm'

const FOLDER = process.env.NETSIEVE_ORACLE
const SCRIPT = FOLDER ? join(FOLDER, 'kbpf.py') : undefined

/** Why there is no oracle, in words; undefined if there is one. */
export const NO_ORACLE =
  SCRIPT === undefined
    ? 'NETSIEVE_ORACLE is not set'
    : !existsSync(SCRIPT)
      ? `${SCRIPT} is missing`
      : process.getuid?.() !== 0
        ? 'the oracle needs root'
        : undefined

export interface KernelRun {
  readonly retvals: readonly (number | null)[]
  readonly data_out?: Readonly<Record<string, string>>
  readonly maps?: readonly (readonly (readonly [string, string | readonly string[]])[])[]
}
export interface KernelAnswer {
  readonly accepted?: boolean
  readonly reason?: string
  readonly error?: string
  readonly run?: KernelRun
}

export class Oracle {
  private readonly child: ChildProcess
  private readonly waiting: ((answer: KernelAnswer) => void)[] = []

  /** `prefix`: a command that starts others, such as `taskset -c 0`. */
  constructor(prefix: readonly string[] = []) {
    const [command, ...args] = [...prefix, 'python3', SCRIPT!, 'serve']
    this.child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.waiting.shift()?.(JSON.parse(line)))
  }

  ask(request: object): Promise<KernelAnswer> {
    return new Promise((resolve) => {
      this.waiting.push(resolve)
      this.child.stdin!.write(`${JSON.stringify(request)}\n`)
    })
  }

  close(): void {
    this.child.stdin!.end()
  }
}

/** A map as the oracle wants it declared. */
export function oracleMap(def: MapDef): object {
  return {
    type: def.type,
    key_size: def.keySize,
    value_size: def.valueSize,
    max_entries: def.maxEntries,
    ...(def.flags && { flags: def.flags }),
  }
}
