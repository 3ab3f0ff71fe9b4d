// Packets of a capture as the compiled rules take them: one sieve for each link type that the capture has.

import { decisionOf, PROG_TYPES } from '@netsieve/asm'
import { programsOf } from '@netsieve/codegen'
import type { Source } from '@netsieve/diag'
import { type FilterState, newState, termsOf } from '@netsieve/ir'
import {
  type CaptureRecord,
  FIELDS,
  LINK_TYPES,
  type Metadata,
  type MetadataId,
  networkOf,
  protocol,
  timestampNs,
} from '@netsieve/packet'
import { pcapLinkOf } from '@netsieve/rules'
import type { PacketMeta } from '@netsieve/vm'
import { metadataFields, needsSidecar } from '../metadata.ts'
import { type Compiled, type CompiledVerdict, type CompileOptions, Sieve, verifyCompiled } from '../pipeline.ts'
import { Trouble } from './io.ts'
import { MetadataSources } from './metadata.ts'
import { compileOrEnd } from './rules.ts'

const ETHERNET = 1

/**
 * Above so many instructions V8's optimising compiler takes longer than it saves on captures of millions of packets (a program of 32,000: 13 s,
 * which the process waits for at its end), so its baseline compiler's code has to do.
 */
const LONG = 16_000

/** The kernel's messages for programs that are longer, or have more ways through them, than it looks at. */
const TOO_BIG = /^bad program size|too large|too complex/

export interface LinkSieveOptions {
  /** Default `jit`. */
  readonly engine?: 'interpreter' | 'jit'
  /** What is known of packets beside their bytes; by default what the capture tells. */
  readonly sources?: MetadataSources
  /** Whether the program is verified before it runs, as by default; the engine keeps all its checks if not. */
  readonly verified?: boolean
}

/** The rules, compiled for a link type, and how its packets become the frames that they see. */
export class LinkSieve {
  readonly sieve: Sieve
  private verdict: CompiledVerdict | undefined
  private kept: FilterState | undefined
  private readonly linkType: number
  /** The rules see Ethernet frames; packets of other links get a header made from what theirs says. */
  private readonly adapts: boolean
  private readonly sources: MetadataSources
  /** Metadata that rules ask for, and of it what no packet had yet. */
  private readonly asked: readonly MetadataId[]
  private readonly unknown: Set<MetadataId>

  /** @throws Trouble for a program that the verifier refuses, or rules that read a header which the packets do not have */
  constructor(compiled: Compiled, linkType: number, options: LinkSieveOptions = {}) {
    const { engine = 'jit', sources = new MetadataSources(), verified = true } = options
    this.linkType = linkType
    this.sources = sources
    this.asked = compiled.filter ? metadataFields(compiled.filter) : []
    this.unknown = new Set(this.asked.filter(needsSidecar))
    if (verified) this.verdict = verifyCompiled(compiled)
    if (this.verdict?.status === 'rejected') {
      const { slot, message = '', programs } = this.verdict
      const { length } = programsOf(compiled)[programs.length - 1]!.insns
      const which = compiled.programs ? ` ${programs.length} of ${compiled.programs.length + 1}` : ''
      const where = slot === undefined ? '' : ` at instruction ${slot}`
      const why = TOO_BIG.test(message)
        ? `these rules are too many for one program of ${length} instructions`
        : 'a fault of netsieve: please report it'
      throw new Trouble(
        `error: the verifier rejects the generated program${which}${where}: ${message} (${why}) [cli/verifier]`,
      )
    }
    this.adapts = compiled.syntax !== 'pcap' && compiled.syntax !== 'cbpf' && linkType !== ETHERNET
    if (this.adapts && readsLinkHeader(compiled)) {
      const name = LINK_TYPES[linkType]?.name ?? String(linkType)
      throw new Trouble(
        `error: unsupported: the rules read Ethernet headers, packets of link type ${name} have none [cli/link-type]`,
      )
    }
    this.sieve = new Sieve(compiled, engine, this.verdict?.facts)
  }

  /** What the verifier says of the program. */
  get verifier(): CompiledVerdict {
    this.verdict ??= verifyCompiled(this.sieve.compiled)
    return this.verdict
  }

  /** Packets are judged as they lie in the capture, by their bytes alone. */
  get direct(): boolean {
    return !this.adapts && this.asked.length === 0 && PROG_TYPES[this.sieve.compiled.type].firstHeader === 'link'
  }

  /** What the rules' meaning keeps from packet to packet, beside what the program keeps. */
  get state(): FilterState {
    const { filter } = this.sieve.compiled
    if (!filter) throw new Error('a program without rules keeps nothing by them')
    this.kept ??= newState(filter)
    return this.kept
  }

  /** Metadata that rules ask for and that no packet so far had: such rules cannot match as they are meant to. */
  get missing(): readonly MetadataId[] {
    return [...this.unknown]
  }

  /** What a return value of the program does to its packet. */
  passes(r0: number): boolean {
    return decisionOf(this.sieve.compiled.type, r0) === 'pass'
  }

  frame(record: Pick<CaptureRecord, 'data'>): Uint8Array {
    if (!this.adapts) return record.data
    const network = networkOf(this.linkType, record.data)
    const offset = network?.offset ?? 0
    const frame = new Uint8Array(14 + record.data.length - offset)
    const type = network?.ethertype ?? 0
    frame[12] = type >> 8
    frame[13] = type & 0xff
    frame.set(record.data.subarray(offset), 14)
    return frame
  }

  /** What is known of a packet beside its bytes, if any rule asks. @throws Trouble for a line of the metadata file that is wrong */
  values(record: TracedRecord): Metadata {
    if (this.asked.length === 0) return {}
    const values = this.sources.of(record)
    for (const field of this.unknown) if (values[field] !== undefined) this.unknown.delete(field)
    return values
  }

  meta(record: Pick<CaptureRecord, 'data' | 'originalLength' | 'sec' | 'nsec'>, frame: Uint8Array): PacketMeta {
    const cut = record.originalLength - record.data.length
    return { wireLength: frame.length + Math.max(cut, 0), timestampNs: timestampNs(record) }
  }
}

export type TracedRecord = Parameters<MetadataSources['of']>[0]

function readsLinkHeader({ filter }: Compiled): boolean {
  for (const term of filter ? termsOf(filter) : []) {
    if ((term.kind === 'load' || term.kind === 'raw') && term.base === 'link') return true
    if (term.kind !== 'field' || term.field === 'eth.type') continue
    if (protocol(FIELDS[term.field].proto).base === 'link') return true
  }
  return false
}

/** Compiles once for each link type. */
export class LinkSieves {
  private readonly sieves = new Map<number, LinkSieve>()
  private readonly rules: Source
  private readonly options: CompileOptions
  private readonly engine: 'interpreter' | 'jit'
  private readonly sources: MetadataSources
  private readonly verified: (insns: number) => boolean

  /**
   * @param sources what is known of packets beside their bytes; default: what the capture tells
   * @param verified whether programs are verified before they run, by their length
   */
  constructor(
    rules: Source,
    options: CompileOptions,
    engine: 'interpreter' | 'jit',
    sources = new MetadataSources(),
    verified: (insns: number) => boolean = () => true,
  ) {
    this.rules = rules
    this.options = options
    this.engine = engine
    this.sources = sources
    this.verified = verified
  }

  /** Metadata that rules ask for and that no packet had. */
  get missing(): readonly MetadataId[] {
    return [...new Set([...this.sieves.values()].flatMap(({ missing }) => missing))]
  }

  /** What to say of a file of metadata that ended before the packets did. */
  get shortage(): string | undefined {
    return this.sources.shortage
  }

  /** @throws Trouble for rules that do not compile, a link type that is not read, a program that the verifier refuses */
  for(linkType: number): LinkSieve {
    const known = this.sieves.get(linkType)
    if (known) return known
    if (pcapLinkOf(linkType) === undefined) {
      throw new Trouble(`error: unsupported: packets of link type ${linkType} [cli/link-type]`)
    }
    const compiled = compileOrEnd(this.rules, this.options, linkType)
    const length = programsOf(compiled).reduce((sum, { insns }) => sum + insns.length, 0)
    if (this.engine === 'jit' && length > LONG) process.getBuiltinModule('node:v8').setFlagsFromString('--liftoff-only')
    const verified = this.verified(length)
    const link = new LinkSieve(compiled, linkType, { engine: this.engine, sources: this.sources, verified })
    this.sieves.set(linkType, link)
    return link
  }
}

export { ETHERNET }
