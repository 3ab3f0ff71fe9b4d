// The whole way as functions: rule text to IR, to instructions, to the verifier's word, to verdicts on packets.

import {
  decisionOf,
  type Insn,
  type MapDef,
  PROG_TYPES,
  type ProgTypeName,
  parseCbpf,
  type Side,
  translateCbpf,
} from '@netsieve/asm'
import {
  beyondType,
  COUNTER_MAP,
  type Generated,
  generate,
  generateCbpf,
  insnOf,
  leaves,
  type ProgramSet,
  programsOf,
  readCounters,
  readState,
  STATE_MAP,
  TooLong,
} from '@netsieve/codegen'
import type { Diagnostic, Outcome, Source } from '@netsieve/diag'
import { type Count, check, type Filter, locate, type Rule, simplify, VIEWS } from '@netsieve/ir'
import { MAX_PACKET_BYTES, type Metadata, type MetadataLayout } from '@netsieve/packet'
import { guessSyntax, type RuleOptions, SYNTAXES, type SyntaxName } from '@netsieve/rules'
import { type Facts, type Verdict, verify } from '@netsieve/verifier'
import { load, type Machine, type PacketMeta } from '@netsieve/vm'
import { contextMetadata, fillMetadata, metadataFields } from './metadata.ts'

export interface CompileOptions extends RuleOptions {
  /** Default: what the text looks like. `cbpf` is a classic program, as `tcpdump -d`, `-dd`, `-ddd` print it or bpf_asm reads it. */
  readonly syntax?: SyntaxName | 'cbpf'
  /** Default `xdp`. */
  readonly type?: ProgTypeName
  /** Where a program of a cgroup is attached: to packets that come in (the default) or go out. The rules' hook must be on that side. */
  readonly attach?: Side
  /** Go through classic BPF where it can say the rules without long lists: a socket filter then, with far fewer instructions for pcap expressions. */
  readonly classic?: boolean
  /** Passes over the IR before code is made: 0 none; 1 (default) those that keep each packet's deciding rule; 2 those too that keep only its verdict. */
  readonly optimize?: OptimizeLevel
  /** Count packets and bytes of each rule in the map `netsieve_counters`; no passes then, so that every rule is there to count. */
  readonly counters?: boolean
}

export type OptimizeLevel = 0 | 1 | 2

/** A ruleset on its way: what it means, and the program that does it. */
export interface Compiled extends ProgramSet {
  readonly source: Source
  readonly syntax: SyntaxName | 'cbpf'
  /** What the rules mean; none for classic BPF, which is a program already. */
  readonly filter?: Filter
  /** The rules that decide, where passes have merged some. */
  readonly merged?: Filter
  readonly type: ProgTypeName
  /** Where a program of a cgroup is attached. */
  readonly attach?: Side
  /** Of all its programs. */
  readonly maps: readonly MapDef[]
  /** What the program reads from the map `netsieve_meta`. */
  readonly metadata?: MetadataLayout
}

/** Rule text to IR: parsed, lowered, checked. */
export function readRules(
  source: Source,
  options: RuleOptions & { readonly syntax?: SyntaxName } = {},
): Outcome<Filter> {
  const read = SYNTAXES[options.syntax ?? guessSyntax(source.text)].read(source, options)
  if (read.value === undefined) return read
  const checked = check(read.value)
  return { ...checked, diagnostics: [...read.diagnostics, ...checked.diagnostics] }
}

/** Rule text to an eBPF program. */
export function compile(source: Source, options: CompileOptions = {}): Outcome<Compiled> {
  const { syntax = guessSyntax(source.text) } = options
  if (syntax === 'cbpf') return compileClassic(source)
  const { value: filter, diagnostics } = readRules(source, { ...options, syntax })
  if (filter === undefined) return { diagnostics }
  const { type = 'xdp' } = options
  const short = options.classic && !options.counters ? throughClassic(filter) : undefined
  if (short) return { value: { source, syntax, filter, type: 'socket_filter', insns: short, maps: [] }, diagnostics }
  const { counters = false } = options
  const { attach = 'ingress' } = options
  const beyond = [...beyondType(filter, type), ...otherSide(filter, type, attach)]
  if (beyond.length > 0) return { diagnostics: [...diagnostics, ...beyond] }
  const { simple, merged } = shortened(filter, counters ? 0 : options.optimize)
  const generated = programOf(simple, type, counters)
  if ('severity' in generated) return { diagnostics: [...diagnostics, generated] }
  return { value: { source, syntax, filter, ...(merged && { merged }), attach, ...generated }, diagnostics }
}

/** The program of a filter, or what the kernel would not take of it. Code: `codegen/size`. */
function programOf(filter: Filter, type: ProgTypeName, counters: boolean): Generated | Diagnostic {
  try {
    return generate(filter, { type, counters })
  } catch (long) {
    if (!(long instanceof TooLong)) throw long
    const { message, rule } = long
    return { severity: 'error', code: 'codegen/size', message, ...(rule?.span && { span: rule.span }) }
  }
}

/** What code is made of, and the rules that its reports are about where those are not the filter's own. */
function shortened(filter: Filter, level: OptimizeLevel = 1): { readonly simple: Filter; readonly merged?: Filter } {
  let merged: Filter | undefined
  const simple = simplify(filter, {
    level,
    check(pass, before, after) {
      if (pass.keeps === 'verdict' && before !== after) merged = after
    },
  })
  return { simple, ...(merged && { merged }) }
}

/** Rules for packets of the other side than a program of a cgroup is attached to. Code: `codegen/attach`. */
function otherSide({ base }: Filter, type: ProgTypeName, attach: Side): Diagnostic[] {
  if (type !== 'cgroup_skb') return []
  const wrong = base.find(({ hook }) => hook !== 'capture' && leaves(hook) !== (attach === 'egress'))
  if (!wrong) return []
  const [side, other] = attach === 'egress' ? ['go out', 'come in'] : ['come in', 'go out']
  const message = `the program is attached to packets that ${side}, the hook ${wrong.hook} is for packets that ${other}`
  return [{ severity: 'error', code: 'codegen/attach', message, ...(wrong.span && { span: wrong.span }) }]
}

/** Ranges of a list that are found sooner by halves than one by one. */
const LONG_LIST = 32

function throughClassic(filter: Filter): readonly Insn[] | undefined {
  // Classic programs know of metadata only what the kernel tells them.
  if (metadataFields(filter).length > 0) return undefined
  const { value } = generateCbpf(filter, { longestList: LONG_LIST })
  return value && translateCbpf(value).value
}

/** A classic BPF program as a socket filter. */
function compileClassic(source: Source): Outcome<Compiled> {
  const { value: classic, diagnostics } = parseCbpf(source)
  if (!classic) return { diagnostics }
  const translated = translateCbpf(classic)
  const all = [...diagnostics, ...translated.diagnostics]
  if (!translated.value) return { diagnostics: all }
  return {
    value: { source, syntax: 'cbpf', type: 'socket_filter', insns: translated.value, maps: [] },
    diagnostics: all,
  }
}

/** What is said of all programs together: of the first that is not accepted, or with their numbers added up. */
export interface CompiledVerdict extends Verdict {
  /** What is said of each program by itself, up to one that is not accepted. */
  readonly programs: readonly Verdict[]
}

/** What the simulated verifier says of a compiled ruleset. Facts are about instructions counted through all programs. */
export function verifyCompiled(compiled: Compiled, logLevel: 0 | 1 | 2 | 4 = 0): CompiledVerdict {
  const { type, maps } = compiled
  const programs: Verdict[] = []
  for (const { insns, functions } of programsOf(compiled)) {
    const verdict = verify(insns, { type, maps, logLevel, ...(functions && { functions }) })
    programs.push(verdict)
    if (verdict.status !== 'accepted') return { ...verdict, programs }
  }
  const [first] = programs as [Verdict]
  return programs.length === 1 ? { ...first, programs } : { ...together(compiled, programs), programs }
}

function together(compiled: Compiled, verdicts: readonly Verdict[]): Verdict {
  const of = (value: (stats: Verdict['stats']) => number) => verdicts.map(({ stats }) => value(stats))
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
  const proved = (index: number): boolean => {
    let insn = index
    for (const [program, { insns }] of programsOf(compiled).entries()) {
      if (insn < insns.length) return verdicts[program]!.facts!.proved(insn)
      insn -= insns.length
    }
    return false
  }
  return {
    status: 'accepted',
    facts: { proved },
    log: verdicts.map(({ log }) => log).join(''),
    stats: {
      processedInsns: sum(of(({ processedInsns }) => processedInsns)),
      totalStates: sum(of(({ totalStates }) => totalStates)),
      peakStates: Math.max(...of(({ peakStates }) => peakStates)),
      maxStatesPerInsn: Math.max(...of(({ maxStatesPerInsn }) => maxStatesPerInsn)),
      stackDepth: verdicts.flatMap(({ stats }) => stats.stackDepth),
    },
  }
}

/** What became of one packet. */
export interface PacketVerdict {
  readonly verdict: 'pass' | 'drop'
  readonly r0: number
  /** The rule that decided; null where a policy did, or no rule was asked. */
  readonly rule: number | null
  /** In words: the rule's text, `policy drop of INPUT`, `not seen by any chain`. */
  readonly by: string
  /** What else is done with the packet, in words: `reject(icmp port-unreachable)`. */
  readonly act?: string
  /** Instructions executed. */
  readonly insns: number
  readonly fault?: string
}

/** Instructions that a run may take for each program: more than it has, with its loops. */
const BUDGET = 10_000_000

/**
 * The machine that judges packets. The same program gets the same compiled code, byte for byte: threads share it.
 * @param proved the instructions whose accesses a verifier proved, if one did
 */
export function machineFor(
  { insns, type, maps, programs = [] }: Pick<Compiled, 'insns' | 'type' | 'maps' | 'programs'>,
  engine: 'interpreter' | 'jit',
  proved?: (insn: number) => boolean,
): Machine {
  return load(insns, {
    type,
    maps,
    programs,
    engine,
    budget: { insns: BUDGET * (1 + programs.length) },
    packetBytes: MAX_PACKET_BYTES,
    ...(proved && { proved }),
  })
}

/** A compiled ruleset, ready to judge packets. */
export class Sieve {
  readonly compiled: Compiled
  readonly machine: Machine
  /** What a verifier proved, if it did. */
  readonly facts: Facts | undefined

  /** @param facts what a verifier proved of the program: the JIT leaves out those checks */
  constructor(compiled: Compiled, engine: 'interpreter' | 'jit' = 'interpreter', facts?: Facts) {
    this.compiled = compiled
    this.facts = facts
    this.machine = machineFor(compiled, engine, facts?.proved)
  }

  /**
   * Judges a frame. A fault of the program is told, and drops the packet as the kernel would.
   * @param meta what the machine's context says beside it
   * @param values metadata that rules ask for
   */
  judge(frame: Uint8Array, meta: PacketMeta = {}, values: Metadata = {}): PacketVerdict {
    const seen = this.frameFor(frame)
    const { exit, r0, insns, fault } = this.machine.run(seen, this.prepare(frame, meta, values))
    return { ...this.told(exit ?? -1, r0, fault?.reason), insns }
  }

  /** What each rule has counted so far, by its number; undefined if the program counts nothing. */
  get counted(): ReadonlyMap<number, Count> | undefined {
    const value = this.kept(COUNTER_MAP)
    return value && readCounters(value)
  }

  /** The counters that have names, with what they hold. */
  get named(): ReadonlyMap<string, Count> {
    const value = this.kept(STATE_MAP)
    return value && this.compiled.filter ? readState(this.compiled.filter, value).counters : new Map()
  }

  private kept(name: string): Uint8Array | undefined {
    return this.compiled.maps.some((map) => map.name === name)
      ? this.machine.map(name).get(new Uint8Array(4))
      : undefined
  }

  /**
   * The frame as the kernel has it when it asks such a program: one that starts at the network header is behind the receive path, which has
   * taken off the tags that the rules' view takes off.
   */
  frameFor(frame: Uint8Array): Uint8Array {
    const { filter, type } = this.compiled
    const [base] = filter?.base ?? []
    if (!base || PROG_TYPES[type].firstHeader === 'link') return frame
    const { seen, net, protocol } = locate(VIEWS[base.view], frame)
    if (!seen || net === undefined || net === 14 || protocol === undefined) return frame
    const out = new Uint8Array(14 + frame.length - net)
    out.set(frame.subarray(0, 12))
    out[12] = protocol >> 8
    out[13] = protocol & 0xff
    out.set(frame.subarray(net), 14)
    return out
  }

  /** What was kept from the packets so far is as it was before the first. */
  forget(): void {
    for (const { name, type, entries } of this.compiled.maps) {
      if (name === STATE_MAP) for (const [key, value] of entries ?? []) this.machine.map(name).set(key, value)
      // Hash tables that hold nothing at first are those of buckets.
      else if (type === 'hash' && !entries) this.machine.map(name).clear()
    }
  }

  /** Puts a packet's metadata where the program finds it: in the map, and in the context that a run is to be given. */
  prepare(frame: Uint8Array, meta: PacketMeta, values: Metadata): PacketMeta {
    fillMetadata(this.compiled, this.machine, values, frame)
    return { ...contextMetadata(this.compiled, values, frame), ...meta }
  }

  /** What a run says that ended at an instruction, counted through all programs (-1: in a fault), with a return value. */
  told(exit: number, r0: number, fault?: string): PacketVerdict {
    const { type } = this.compiled
    const origin = insnOf(this.compiled, exit)?.origin
    const verdict = exit < 0 ? 'drop' : decisionOf(type, r0)
    return {
      verdict,
      r0,
      rule: origin?.rule ?? null,
      by: origin?.text ?? 'fault',
      insns: 0,
      ...(origin?.act !== undefined && { act: origin.act }),
      ...(exit < 0 && { fault: fault ?? 'fault' }),
    }
  }
}

/** All rules of a filter, by their number. */
export function rulesById(filter: Filter): ReadonlyMap<number, Rule> {
  return new Map(filter.chains.flatMap((chain) => chain.rules.map((rule) => [rule.id, rule] as const)))
}

/** The most serious thing said: for exit codes. */
export function failed(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error')
}
