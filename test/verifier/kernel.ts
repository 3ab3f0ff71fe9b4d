// The running kernel's verifier, where there is one: kernel.py beside this file loads bytecode and answers with JSON lines.
// It wants Linux and root; without them, what asks a kernel is skipped.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  decode,
  encode,
  type FunctionDef,
  type Insn,
  type KernelFunctions,
  kernelFunctions,
  linkToKernel,
  MAP_TYPES,
  type MapDef,
  PROG_TYPES,
  type ProgTypeName,
} from '@netsieve/asm'
import type { LoaderName } from '@netsieve/verifier'

/** What the kernel said of one program. */
export interface KernelVerdict {
  readonly accepted: boolean
  readonly errno: string | null
  readonly log: string
  /** Instructions processed and states kept, where the log has them. */
  readonly insns: number | undefined
  readonly states: number | undefined
  /** Log level 4: microseconds that verification took. */
  readonly micros: number | undefined
}

export interface LoadOptions {
  /** Default root. `bpf`: CAP_BPF and CAP_NET_ADMIN alone. `none`: no capability. */
  readonly loader?: LoaderName
  readonly type: ProgTypeName
  readonly maps?: readonly MapDef[]
  /** Log level. Default 1. */
  readonly level?: number
  readonly functions?: readonly FunctionDef[] | undefined
  readonly license?: string
  readonly attach?: 'ingress' | 'egress'
  readonly strictAlignment?: boolean
}

export interface Kernel {
  load(program: readonly Insn[] | Uint8Array, options: LoadOptions): Promise<KernelVerdict>
  close(): void
}

/** What a loader without any capability may load. */
export const UNPRIVILEGED: ReadonlySet<ProgTypeName> = new Set(['socket_filter', 'cgroup_skb'])

/** Why there is no kernel to ask about programs of a loader; undefined if there is one. */
export function whyNoKernel(loader: LoaderName = 'root'): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux'
  if (process.getuid?.() !== 0) return 'not root'
  if (loader !== 'none') return undefined
  const closed = readFileSync('/proc/sys/kernel/unprivileged_bpf_disabled', 'utf8').trim()
  return closed === '0' ? undefined : `kernel.unprivileged_bpf_disabled is ${closed}, not 0`
}

/** How a netfilter program is attached: BPF_NETFILTER, uapi linux/bpf.h. */
const BPF_NETFILTER = 45

let functions: KernelFunctions | undefined

/** A program's bytes; calls of kernel functions get this kernel's numbers. */
function bytesOf(program: readonly Insn[] | Uint8Array): Uint8Array {
  const decoded = program instanceof Uint8Array ? decode(program) : { program, bad: [] }
  const calls = decoded.bad.length === 0 && decoded.program.some(({ spec }) => spec.call === 'kfunc')
  if (!calls) return program instanceof Uint8Array ? program : encode(program)
  functions ??= kernelFunctions(readFileSync('/sys/kernel/btf/vmlinux')).value!
  return encode(linkToKernel(decoded.program, functions).value!)
}

function request(program: readonly Insn[] | Uint8Array, options: LoadOptions): string {
  const bytes = bytesOf(program)
  const { loader, type, maps = [], level = 1, functions, license, attach, strictAlignment } = options
  const kernelMap = (map: MapDef): object => ({
    ...map,
    name: undefined,
    type: MAP_TYPES[map.type].id,
    ...(map.inner && { inner: kernelMap(map.inner) }),
    // The verifier only looks into maps that nobody can change.
    entries: map.frozen && map.entries?.map((entry) => entry.map((part) => Buffer.from(part).toString('hex'))),
  })
  return JSON.stringify({
    loader,
    type: PROG_TYPES[type].id,
    hex: Buffer.from(bytes).toString('hex'),
    maps: maps.map(kernelMap),
    level,
    functions: functions?.map(({ slot, name, proto }) => ({ slot, name, ...proto })),
    license,
    attach: type === 'netfilter' ? BPF_NETFILTER : attach === 'egress' ? 1 : 0,
    strictAlignment,
  })
}

function verdictOf(line: string): KernelVerdict {
  const answer = JSON.parse(line) as { error?: string; accepted: boolean; errno: string | null; log: string }
  if (answer.error) throw new Error(answer.error)
  const number = (pattern: RegExp) => {
    const found = pattern.exec(answer.log.slice(-500))
    return found ? Number(found[1]) : undefined
  }
  const [insns, states] = [number(/processed (\d+) insns/), number(/total_states (\d+)/)]
  return { ...answer, insns, states, micros: number(/verification time (\d+) usec/) }
}

export function startKernel(): Kernel {
  const script = fileURLToPath(new URL('../../test/verifier/kernel.py', import.meta.url))
  const child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: ((line: string) => void)[] = []
  let parts: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = text.split('\n')
    for (const line of lines.slice(0, -1)) {
      waiting.shift()?.(parts.join('') + line)
      parts = []
    }
    parts.push(lines.at(-1)!)
  })
  return {
    load(program, options) {
      return new Promise((resolve, reject) => {
        waiting.push((line) => {
          try {
            resolve(verdictOf(line))
          } catch (error) {
            reject(error)
          }
        })
        child.stdin.write(`${request(program, options)}\n`)
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
  /^Func#\d+ \('/,
  /^Validating \w+\(\) func#\d+\.\.\.$/,
  /^\([\d,]+\) (frame|live)/,
]

/** The lines of a log that say what is wrong. */
export function errorLines(whole: string): string[] {
  const log = whole.replace(/(.)(infinite loop detected)/g, '$1\n$2')
  // One message of the kernel's has no line end of its own: the statistics follow on its line.
  return log
    .replace(/(.)(processed \d+ insns|verification time \d+ usec)/g, '$1\n$2')
    .split('\n')
    .filter((line) => !NOT_ERRORS.some((pattern) => pattern.test(line)))
}
