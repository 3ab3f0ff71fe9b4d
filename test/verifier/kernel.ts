// The running kernel's verifier, where there is one: a helper program that loads bytecode and answers with JSON lines.
// NETSIEVE_ORACLE names that program's folder; without it, or without root, tests that want a kernel are skipped.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { encode, type Insn, type MapDef } from '@netsieve/asm'

/** What the kernel said of one program. */
export interface KernelVerdict {
  readonly accepted: boolean
  readonly errno: string | null
  readonly log: string
  readonly insns_processed: number | null
  readonly total_states?: number
  readonly peak_states?: number
  readonly max_states_per_insn?: number
  readonly verification_us?: number
}

export interface Kernel {
  load(
    program: readonly Insn[] | Uint8Array,
    type: string,
    maps: readonly MapDef[],
    level?: number,
    extra?: object,
  ): Promise<KernelVerdict>
  close(): void
}

/** Why there is no kernel to ask; undefined if there is one. */
export function whyNoKernel(): string | undefined {
  if (!process.env.NETSIEVE_ORACLE) return 'NETSIEVE_ORACLE is not set'
  return process.getuid?.() === 0 ? undefined : 'not root'
}

/** `strict`: a loader with only CAP_BPF and CAP_NET_ADMIN, which may not leak pointers. */
export function startKernel(strict = false): Kernel {
  const own = ['python3', join(process.env.NETSIEVE_ORACLE!, 'kbpf.py'), 'serve']
  const command = strict ? ['setpriv', '--bounding-set=-all,+bpf,+net_admin', ...own] : own
  const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: ((line: string) => void)[] = []
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line))
  return {
    load(program, type, maps, level = 1, extra = {}) {
      const bytes = program instanceof Uint8Array ? program : encode(program)
      const request = {
        op: 'load',
        type,
        hex: Buffer.from(bytes).toString('hex'),
        maps: maps.map((m) => ({
          type: m.type,
          key_size: m.keySize,
          value_size: m.valueSize,
          max_entries: m.maxEntries,
          flags: m.flags ?? 0,
        })),
        log_level: level,
        log_chars: 10_000_000,
        ...extra,
      }
      return new Promise((resolve, reject) => {
        waiting.push((line) => {
          const answer = JSON.parse(line) as KernelVerdict & { error?: string }
          if (answer.error) reject(new Error(answer.error))
          else resolve(answer)
        })
        child.stdin.write(`${JSON.stringify(request)}\n`)
      })
    },
    close() {
      child.stdin.end()
    },
  }
}

const NOT_ERRORS = [
  /^$/,
  /^\d+: /,
  /^from \d+ to \d+/,
  /^(mark|force)_precise: /,
  /^frame \d+: propagating/,
  /^func#\d+ @\d+/,
  /^(caller|callee|returning from callee):$/,
  /^to caller at \d+:$/,
  /^ (frame\d+:|R\d+=)/,
  /^processed \d+ insns/,
  /^verification time/,
  /^stack depth/,
  /^SCC /,
  /^\([\d,]+\) (frame|live)/,
]

/** The lines of a log that say what is wrong. */
export function errorLines(whole: string): string[] {
  // Of a very long log the middle is missing, and half of the line after the gap.
  const log = whole.replace(/(.)(infinite loop detected)/g, '$1\n$2').replace(/^[\s\S]*\n…\n.*\n/, '')
  // One message of the kernel's has no line end of its own.
  return log
    .replace(/(.)processed \d+ insns/g, '$1\nprocessed 0 insns')
    .split('\n')
    .filter((line) => !NOT_ERRORS.some((pattern) => pattern.test(line)))
}
