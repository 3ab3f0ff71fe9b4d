// The running kernel as an oracle: its verifier and BPF_PROG_TEST_RUN, by the tool that NETSIEVE_ORACLE names a folder of (kbpf.py).
// Where it is not there, or without root, the tests that want it are skipped and say so.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  encode,
  type Insn,
  type KernelFunctions,
  kernelFunctions,
  linkToKernel,
  type MapDef,
  NF_HOOK_STATE,
  type ProgTypeName,
} from '@netsieve/asm'
import { ETHERTYPE, NFPROTO } from '@netsieve/packet'

const FOLDER = process.env.NETSIEVE_ORACLE

/** Why the kernel cannot be asked here; undefined if it can. */
export const MISSING: string | undefined = !FOLDER
  ? 'NETSIEVE_ORACLE is not set'
  : !existsSync(join(FOLDER, 'kbpf.py'))
    ? `there is no kbpf.py in ${FOLDER}`
    : process.getuid?.() !== 0
      ? 'not root'
      : undefined

export interface KernelRequest {
  readonly op: 'load' | 'run'
  readonly type: ProgTypeName
  readonly hex: string
  readonly expected_attach_type?: string
  /** What the context holds, in hexadecimal. */
  readonly ctx?: string
  readonly frames?: readonly string[]
  readonly maps?: readonly KernelMap[]
}

interface KernelMap {
  readonly type: string
  readonly key_size: number
  readonly value_size: number
  readonly max_entries: number
  readonly flags?: number
  readonly initial?: readonly (readonly [key: string, value: string])[]
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** A program with its maps and what they hold at first, as the kernel is to load it. */
export function programOf({
  insns,
  maps,
}: {
  readonly insns: readonly Insn[]
  readonly maps: readonly MapDef[]
}): Pick<KernelRequest, 'hex' | 'maps' | 'expected_attach_type'> {
  const calls = insns.some(({ spec }) => spec.call === 'kfunc')
  if (!calls) return { hex: hexOf(encode(insns)), maps: maps.map(mapOf) }
  functions ??= kernelFunctions(readFileSync('/sys/kernel/btf/vmlinux')).value
  const linked = functions && linkToKernel(insns, functions).value
  if (!linked) throw new Error('this kernel has not the functions that the program calls')
  return { hex: hexOf(encode(linked)), maps: maps.map(mapOf), expected_attach_type: 'netfilter' }
}

let functions: KernelFunctions | undefined

/** The context of a netfilter program's test run: struct nf_hook_state at the hook `output`, with a family (NFPROTO_*). */
function hookState(family: number): string {
  const bytes = new Uint8Array(NF_HOOK_STATE.size)
  bytes[NF_HOOK_STATE.hook] = 3
  bytes[NF_HOOK_STATE.pf] = family
  return hexOf(bytes)
}

function mapOf({ type, keySize, valueSize, maxEntries, flags, entries = [] }: MapDef): KernelMap {
  return {
    type,
    key_size: keySize,
    value_size: valueSize,
    max_entries: maxEntries,
    ...(flags !== undefined && { flags }),
    initial: entries.map(([key, value]) => [hexOf(key), hexOf(value)]),
  }
}

export interface KernelReply {
  readonly accepted: boolean
  readonly reason?: string
  readonly insns_processed?: number
  readonly verified_insns?: number
  /** Return values by frame; null where the kernel's test run takes no such frame. */
  readonly run?: { readonly retvals: readonly (number | null)[] }
}

/** Asks a batch of questions in one go. @throws Error if the tool fails */
export function askKernel(requests: readonly KernelRequest[]): KernelReply[] {
  const { stdout, stderr, status } = spawnSync('python3', [join(FOLDER!, 'kbpf.py'), 'serve'], {
    input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
    maxBuffer: 1 << 30,
    encoding: 'utf8',
  })
  const replies = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as KernelReply)
  if (replies.length !== requests.length)
    throw new Error(`kbpf.py: exit ${status}, ${replies.length} replies to ${requests.length}: ${stderr}`)
  return replies
}

/** Frames as a test run takes them: netfilter's without link header, and each family by itself, which the context tells. */
export function testRuns(
  type: ProgTypeName,
  whole: readonly Uint8Array[],
): readonly { readonly whole: readonly Uint8Array[]; readonly frames: readonly Uint8Array[]; readonly ctx?: string }[] {
  if (type !== 'netfilter') return [{ whole, frames: whole }]
  return (['ipv4', 'ipv6'] as const).map((name) => {
    const own = whole.filter((one) => ((one[12]! << 8) | one[13]!) === ETHERTYPE[name])
    return { whole: own, frames: own.map((one) => one.subarray(14)), ctx: hookState(NFPROTO[name]) }
  })
}
