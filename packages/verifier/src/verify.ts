// Verifies a program as Linux 6.18 does: structure first, then every path, state by state.

import type { FunctionDef, Insn, MapDef, ProgTypeName } from '@netsieve/asm'
import { LIMITS } from '@netsieve/asm'
import { Env, type LoaderName, type Settings } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import { type Facts, factsOf, type Visit, visitOf } from './facts.ts'
import { globalEntry } from './global.ts'
import { Log, SPECULATIVE } from './log.ts'
import { pathTo } from './path.ts'
import { fromBytes, fromInsns, type Prog } from './prog.ts'
import { finish, isKnownState } from './prune.ts'
import { Reg } from './reg.ts'
import { proveCallbacksLeft, proveStackDepth } from './stack-depth.ts'
import { step } from './step.ts'
import { analyse } from './structure.ts'
import { newFrame } from './subprog.ts'

export interface VerifyOptions {
  readonly type: ProgTypeName
  /** The maps that LD_IMM64 names by their index here. */
  readonly maps?: readonly MapDef[]
  /** Bits: 1 and 2 the kernel's levels of detail, 4 statistics. Default 0: only what is wrong. */
  readonly logLevel?: number
  /** Who loads the program. Default root. */
  readonly loader?: LoaderName
  /** The licence. Default GPL. */
  readonly license?: string
  /** Instructions to process at most. Default the kernel's 1,000,000. */
  readonly budget?: number
  /** cgroup_skb: the way packets go. Default ingress. */
  readonly attach?: 'ingress' | 'egress'
  /** What BTF says of the program's functions, without which callbacks are refused and every function is a local one. */
  readonly functions?: readonly FunctionDef[]
  /** Every access must be aligned (BPF_F_STRICT_ALIGNMENT). Default false. */
  readonly strictAlignment?: boolean
  /** Processors of the machine. Default 2. */
  readonly cpus?: number
  /** Whether earlier states may stand for later ones. Default true; without it every path is walked to its end. */
  readonly prune?: boolean
  /** Told of every instruction before it is processed. */
  readonly observe?: (visit: Visit) => void
}

export interface Stats {
  readonly processedInsns: number
  readonly totalStates: number
  readonly peakStates: number
  readonly maxStatesPerInsn: number
  /** Bytes of stack of each function that is reached. */
  readonly stackDepth: readonly number[]
}

export interface Verdict {
  readonly status: 'accepted' | 'rejected' | 'unsupported'
  /** Rejected: what the kernel says, its first line. Unsupported: what is not modelled. */
  readonly message?: string
  /** All lines of the message. */
  readonly details?: readonly string[]
  /** The slot at fault, and the instruction's index in the program. */
  readonly slot?: number
  readonly insn?: number
  /** Rejected at an instruction: the slots walked last, at most 256, oldest first. */
  readonly path?: readonly number[]
  /** Accepted: what can be relied on. */
  readonly facts?: Facts
  readonly log: string
  readonly stats: Stats
}

const GPL_COMPATIBLE: ReadonlySet<string> = new Set(['GPL', 'GPL v2', 'GPL and additional rights', 'Dual BSD/GPL', 'Dual MIT/GPL', 'Dual MPL/GPL']) // biome-ignore format: one row

/** Verifies a program. Never throws for what a program says; see Verdict. */
export function verify(program: readonly Insn[], options: VerifyOptions): Verdict {
  return verifyProg(fromInsns(program), options)
}

/** The same for raw bytes, where any slot may be no instruction at all. */
export function verifyBytes(bytes: Uint8Array, options: VerifyOptions): Verdict {
  return verifyProg(fromBytes(bytes), options)
}

function settingsOf(options: VerifyOptions): Settings {
  const { license = 'GPL', maps = [], logLevel = 0, loader = 'root', budget = LIMITS.verifierInsns } = options
  const { attach = 'ingress', functions, strictAlignment = false, cpus = 2, prune = true } = options
  const gplCompatible = GPL_COMPATIBLE.has(license)
  return {
    type: options.type,
    maps,
    logLevel,
    strict: loader !== 'root',
    unprivileged: loader === 'none',
    gplCompatible,
    budget,
    attach,
    functions,
    strictAlignment,
    cpus,
    prune,
  }
}

function verifyProg(prog: Prog, options: VerifyOptions): Verdict {
  const settings = settingsOf(options)
  const log = new Log(settings.logLevel)
  let env: Env | undefined
  try {
    proveLoadable(prog, settings)
    const structure = analyse(prog, settings, log)
    env = new Env(prog, structure, settings, log)
    if (log.shows2) showLiveRegs(env)
    exploreAll(env, options.observe)
    env.finished = true
    proveStackDepth(env)
    proveCallbacksLeft(env)
    finishLog(env, log)
    return { status: 'accepted', facts: factsOf(env), log: textOf(log), stats: statsOf(env) }
  } catch (error) {
    if (!(error instanceof Rejection) && !(error instanceof Unsupported)) throw error
    const details = error.message.split('\n')
    const status = error instanceof Rejection ? 'rejected' : 'unsupported'
    if (status === 'rejected') for (const line of details) log.lastLine(line)
    if (env) finishLog(env, log)
    const at = env && !env.finished ? env.slot : undefined
    return {
      status,
      message: details[0]!,
      details,
      ...(env && at !== undefined && { slot: at, insn: prog.insnOf[at]!, path: pathTo(env, PATH_LIMIT) }),
      log: textOf(log),
      stats: statsOf(env),
    }
  }
}

/** What the kernel refuses without a word. */
function proveLoadable(prog: Prog, { type, unprivileged }: Settings): void {
  const most = unprivileged ? LIMITS.unprivilegedSlots : LIMITS.programSlots
  if (prog.length === 0 || prog.length > most) throw new Rejection('bad program size')
  if (unprivileged && type !== 'socket_filter' && type !== 'cgroup_skb')
    throw new Rejection('only socket_filter and cgroup_skb programs are for loaders without capabilities')
}

const PATH_LIMIT = 256

function textOf(log: Log): string {
  return log.lines.length === 0 ? '' : `${log.lines.join('\n')}\n`
}

function statsOf(env: Env | undefined): Stats {
  if (!env) return { processedInsns: 0, totalStates: 0, peakStates: 0, maxStatesPerInsn: 0, stackDepth: [] }
  const { insns, totalStates, peakStates, maxStatesPerInsn } = env.counts
  const reached = env.structure.subprogs.map(({ start }, i) =>
    env.seen[start] || i === 0 ? (env.stackDepth[i] ?? 0) : -1,
  )
  const stackDepth = reached.filter((bytes) => bytes >= 0)
  return { processedInsns: insns, totalStates, peakStates, maxStatesPerInsn, stackDepth }
}

function finishLog(env: Env, log: Log): void {
  const { processedInsns, totalStates, peakStates, maxStatesPerInsn, stackDepth } = statsOf(env)
  if (log.level & 4) {
    log.lastLine('verification time 0 usec')
    log.lastLine(`stack depth ${stackDepth.join('+')}`)
  }
  if (log.level & 7)
    log.lastLine(
      `processed ${processedInsns} insns (limit ${LIMITS.verifierInsns}) max_states_per_insn ${maxStatesPerInsn} ` +
        `total_states ${totalStates} peak_states ${peakStates} mark_read 0`,
    )
}

/** The registers live before each instruction, and the loop it is in. */
function showLiveRegs(env: Env): void {
  const { prog, structure, log } = env
  log.line('Live regs before insn:')
  for (let slot = 0; slot < prog.length; slot++) {
    if (prog.secondHalf[slot]) continue
    let regs = ''
    for (let r = 0; r < 10; r++) regs += structure.live[slot]! & (1 << r) ? r : '.'
    const loop = structure.loop[slot] ? String(structure.loop[slot]).padStart(3) : '   '
    log.line(`${loop} ${String(slot).padStart(3)}: ${regs} ${env.insnText(slot)}`)
  }
}

/** The program, then the global functions that were called, then those that these called. */
function exploreAll(env: Env, observe: VerifyOptions['observe']): void {
  const { log } = env
  const main = newFrame(undefined, 0, -1)
  main.regs[1] = new Reg('ctx')
  env.state.frames = [main]
  env.state.allPrecise = env.settings.unprivileged
  explore(env, observe)
  if (env.globals.size > 0) log.reset(0)
  const verified = new Set<number>()
  const next = () => [...env.globals].filter((index) => !verified.has(index)).sort((a, b) => a - b)
  for (let round = next(); round.length > 0; round = next()) {
    for (const index of round) {
      const { start, name } = env.structure.subprogs[index]!
      if (log.shows) log.line(`Validating ${name}() func#${index}...`)
      env.forgetStates()
      env.state = globalEntry(env, index)
      env.slot = start
      env.prev = -1
      explore(env, observe)
      verified.add(index)
      log.reset(0)
      if (log.shows) log.line(`Func#${index} ('${name}') is safe for any args that match its prototype`)
    }
  }
}

/** Every path, depth first: at a jump that may go either way one way is put off. */
function explore(env: Env, observe: VerifyOptions['observe']): void {
  let resumed = false
  for (;;) {
    const next = advance(env, resumed, observe)
    resumed = false
    if (next !== undefined) {
      resumed = next.resumed
      continue
    }
    env.log.touchAll()
    finish(env, env.state)
    const pending = env.pending.pop()
    if (!pending) return
    env.log.reset(pending.logLength)
    env.state = pending.state
    env.slot = pending.slot
    env.prev = pending.prev
    resumed = true
  }
}

/** One instruction. Undefined where the path ends; `resumed` if the next one starts with a full state in the log. */
function advance(
  env: Env,
  resumed: boolean,
  observe: VerifyOptions['observe'],
): { readonly resumed: boolean } | undefined {
  const { slot, state, prog, log } = env
  env.step = undefined
  if (++env.counts.insns > env.settings.budget)
    throw new Rejection(`BPF program is too large. Processed ${env.counts.insns} insn`)
  state.lastSlot = env.prev
  state.slot = slot
  if (env.structure.prunePoint[slot]) {
    if (isKnownState(env, slot)) {
      if (log.shows) {
        if (resumed) log.line('')
        const mark = state.speculative ? SPECULATIVE : ''
        log.line(resumed ? `from ${env.prev} to ${slot}${mark}: safe` : `${slot}: safe`)
      }
      return undefined
    }
  }
  if (env.structure.jumpPoint[slot]) env.recordStep()
  if (resumed) log.from(state, env.prev, slot)
  log.flushState(state, slot)
  if (log.shows) log.insn(slot, env.insnText(slot))
  if (!state.speculative) env.seen[slot] = 1
  observe?.(visitOf(env))
  const depth = state.frames.length
  if (state.speculative && env.barrier[slot]) return undefined
  const next = state.speculative ? stepOrStop(env, slot) : step(env, slot)
  env.prev = slot
  if (next === undefined) return undefined
  env.slot = next
  const left = prog.opcode[slot] === 0x95 && state.frames.length < depth
  return left ? RESUMED : GOING_ON
}

/** On a speculative path what is wrong only ends the path: a barrier will keep the processor from it. */
function stepOrStop(env: Env, slot: number): number | undefined {
  try {
    const next = step(env, slot)
    return env.barrierBehind[slot] ? undefined : next
  } catch (error) {
    if (!(error instanceof Rejection) || error.always) throw error
    if (env.log.shows) for (const line of error.message.split('\n')) env.log.line(line)
    env.barrier[slot] = 1
    env.masks[slot] = undefined
    return undefined
  }
}

const RESUMED = { resumed: true } as const
const GOING_ON = { resumed: false } as const
