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
import { type ProgramSet, programsOf } from '@netsieve/codegen'
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
  /** The name of the error, of what is not accepted. */
  readonly errno?: string | null
  readonly insns_processed?: number
  readonly verified_insns?: number
  /** Return values by frame; null where the kernel's test run takes no such frame. */
  readonly run?: { readonly retvals: readonly (number | null)[] }
}

/** A verification during which the process gets a signal (or is stopped and goes on) ends in EAGAIN: it says nothing of the program. libbpf asks as often. */
const ATTEMPTS = 5

/** Asks a batch of questions in one go, and again what was interrupted. @throws Error if the tool fails */
export function askKernel(requests: readonly KernelRequest[]): KernelReply[] {
  const replies = ask(requests)
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    const again = [...replies.keys()].filter((i) => replies[i]!.errno === 'EAGAIN')
    if (again.length === 0) break
    for (const [k, reply] of ask(again.map((i) => requests[i]!)).entries()) replies[again[k]!] = reply
  }
  return replies
}

function ask(requests: readonly KernelRequest[]): KernelReply[] {
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

/** Several programs that lead to one another by a prog array, loaded with the maps that they share; then the first is run. */
const SET = `
import errno, json, sys
sys.path.insert(0, sys.argv[1])
import kbpf
def load(*args, **options):
    for attempt in range(${ATTEMPTS}):
        prog = kbpf.Prog(*args, **options)
        if prog.err != errno.EAGAIN:
            break
    return prog
for line in sys.stdin:
    req = json.loads(line)
    held = [[kbpf.unhex(k), v] for k, v in req['held']]
    maps = [kbpf.Map(m) for m in req['maps']]
    programs = [load(kbpf.unhex(code), req['type'], maps, expected_attach=req.get('expected_attach_type')) for code in req['programs']]
    refused = next((p for p in programs if p.fd is None), None)
    if refused:
        print(json.dumps({'accepted': False, 'reason': refused.report().get('reason')}))
        continue
    for key, number in held:
        maps[req['array']].update(key, programs[number].fd.to_bytes(4, 'little'))
    runs = [kbpf.run_frames(programs[0], {'ctx': run.get('ctx')}, [kbpf.unhex(f) for f in run['frames']])['retvals'] for run in req['runs']]
    print(json.dumps({'accepted': True, 'insns_processed': [p.report()['insns_processed'] for p in programs], 'runs': runs}))
    for p in programs:
        p.maps = []
        p.close()
    for m in maps:
        m.close()
`

export interface KernelSet {
  readonly accepted: boolean
  readonly reason?: string
  /** By program. */
  readonly insns_processed?: readonly number[]
  readonly runs?: readonly (readonly (number | null)[])[]
}

/** Loads sets of programs and runs each over frames, which may come in several lots. @throws Error if the tool fails */
export function askKernelSets(
  sets: readonly {
    readonly type: ProgTypeName
    readonly set: ProgramSet & { readonly maps: readonly MapDef[] }
    readonly runs: readonly { readonly frames: readonly Uint8Array[]; readonly ctx?: string }[]
  }[],
): KernelSet[] {
  const requests = sets.map(({ type, set, runs }) => {
    const { maps } = set
    const programs = programsOf(set).map(({ insns }) => programOf({ insns, maps }))
    const array = maps.findIndex((map) => map.type === 'prog_array')
    return {
      ...programs[0]!,
      type,
      programs: programs.map(({ hex }) => hex),
      maps: programs[0]!.maps!.map((map, i) => (i === array ? { ...map, initial: [] } : map)),
      array,
      held: (maps[array]?.entries ?? []).map(([key, value]) => [
        hexOf(key),
        new DataView(value.buffer).getUint32(0, true),
      ]),
      runs: runs.map(({ frames, ctx }) => ({ frames: frames.map(hexOf), ...(ctx !== undefined && { ctx }) })),
    }
  })
  const { stdout, stderr } = spawnSync('python3', ['-c', SET, FOLDER!], {
    input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
    maxBuffer: 1 << 30,
    encoding: 'utf8',
  })
  const replies = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line || '{}') as KernelSet)
  if (replies.length !== requests.length) throw new Error(`${replies.length} replies to ${requests.length}: ${stderr}`)
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
