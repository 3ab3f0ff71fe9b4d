// Where metadata of packets comes from on the command line: the capture itself, options for all packets, a file with a line a packet.

import { nearWords } from '@netsieve/diag'
import {
  type CaptureRecord,
  captureMetadata,
  METADATA,
  type Metadata,
  type MetadataId,
  metadataExpected,
  metadataFromJson,
  metadataId,
  parseMetadata,
  parseName,
} from '@netsieve/packet'
import type { Command } from 'commander'
import { readText, Trouble } from './io.ts'

export interface MetadataFlags {
  readonly iif?: string
  readonly oif?: string
  readonly mark?: string
  readonly ctState?: string
  readonly meta?: readonly string[]
  readonly metaFile?: string
}

/** Adds the options about metadata to a command. */
export function withMetadataOptions(command: Command): Command {
  return command
    .option('--iif <device>', 'the device that packets came in by: a name or an index')
    .option('--oif <device>', 'the device that packets leave by')
    .option('--mark <n>', 'the mark of packets')
    .option('--ct-state <states>', 'the state of their connections: new, established, related, invalid, untracked')
    .option(
      '--meta <field=value>',
      'any metadata of packets, such as pkttype=host or ct.mark=3; may be repeated',
      gather,
    )
    .option(
      '--meta-file <file>',
      'metadata a packet: a line of JSON each, such as {"iifname": "eth0", "ct.state": "new"}',
    )
}

const gather = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

/** What each option of its own gives. */
const OWN = { mark: 'meta.mark', ctState: 'ct.state' } as const satisfies Partial<
  Record<keyof MetadataFlags, MetadataId>
>
const SPELLED = { mark: '--mark', ctState: '--ct-state' } as const

export class MetadataSources {
  private readonly constant: Metadata
  private readonly lines: string[]
  /** The last packet that was asked about, from 1. */
  private asked = 0
  private readonly file: string

  /** @throws Trouble for what cannot be read, lines of the file among it: they are wrong whether or not the rules ask for them */
  constructor(flags: MetadataFlags = {}) {
    this.constant = constantOf(flags)
    this.file = flags.metaFile ?? ''
    this.lines = flags.metaFile === undefined ? [] : readText(flags.metaFile).text.split('\n')
    for (const index of this.lines.keys()) this.line(index)
    if (this.lines.at(-1) === '') this.lines.pop()
  }

  /** What to say where the file ended before the packets did; nothing of a file that nobody asked. */
  get shortage(): string | undefined {
    if (this.file === '' || this.asked <= this.lines.length) return undefined
    return `${this.file}: warning: it ends after ${this.lines.length} lines, and packet ${this.asked} was asked about: nothing is told of the others [cli/meta-file]\n`
  }

  /** All that is known of a packet; a line of the file goes before options, options before the capture. @throws Trouble for a line that is wrong */
  of(record: Pick<CaptureRecord, 'index' | 'linkType' | 'data' | 'sec' | 'nsec' | 'interface' | 'options'>): Metadata {
    this.asked = Math.max(this.asked, record.index + 1)
    const values = { ...captureMetadata(record), ...this.constant, ...this.line(record.index) }
    const name = values['meta.ifname'] ?? values['meta.iifname'] ?? values['meta.oifname']
    const index = values['meta.ifindex'] ?? values['meta.iif'] ?? values['meta.oif']
    return { ...values, ...(name !== undefined && { 'meta.ifname': name }), ...(index !== undefined && { 'meta.ifindex': index }) } // biome-ignore format: one record
  }

  private line(index: number): Metadata {
    const text = this.lines[index]?.trim() ?? ''
    if (text === '') return {}
    const found = metadataFromJson(jsonOf(text))
    if (typeof found === 'string') throw new Trouble(`${this.file}:${index + 1}: error: ${found} [cli/meta-file]`)
    return found
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function constantOf(flags: MetadataFlags): Metadata {
  const out: Partial<Record<MetadataId, bigint>> = {}
  for (const side of ['iif', 'oif'] as const) {
    const device = flags[side]
    if (device === undefined) continue
    // A number is an index: devices may have names of digits, but rules cannot tell them apart either.
    const index = parseMetadata(`meta.${side}`, device)
    const name = /^\d+$/.test(device) ? undefined : parseName(device)
    if (index !== undefined) out[`meta.${side}`] = index
    else if (name !== undefined) out[`meta.${side}name`] = name
    else throw new Trouble(`error: --${side} ${device}: a device's name or index is expected [cli/meta]`)
  }
  for (const option of ['mark', 'ctState'] as const) {
    const text = flags[option]
    if (text !== undefined) out[OWN[option]] = readValue(OWN[option], text, `${SPELLED[option]} ${text}`)
  }
  for (const text of flags.meta ?? []) {
    const cut = text.indexOf('=')
    if (cut < 0) throw new Trouble(`error: --meta ${text}: field=value is expected, such as mark=1 [cli/meta]`)
    const name = text.slice(0, cut)
    const field = metadataId(name)
    if (!field) throw new Trouble(`error: --meta ${text}: there is no field ${name}; ${nearFields(name)} [cli/meta]`)
    out[field] = readValue(field, text.slice(cut + 1), `--meta ${text}`)
  }
  return out
}

/** Fields that may have been meant: one letter away, or of the same name elsewhere; else all of the same group, or what groups there are. */
function nearFields(name: string): string {
  const fields = Object.keys(METADATA)
  const last = (field: string) => field.slice(field.lastIndexOf('.') + 1)
  const near = new Set([
    ...nearWords(name, fields),
    ...nearWords(`meta.${name}`, fields),
    ...fields.filter((field) => last(field) === last(name)),
  ])
  if (near.size > 0) return `did you mean ${[...near].join(' or ')}?`
  const group = name.slice(0, name.lastIndexOf('.') + 1)
  const alike = group === '' ? [] : fields.filter((field) => field.startsWith(group))
  if (alike.length > 0)
    return `of ${group.slice(0, -1)} there are ${alike.map((field) => field.slice(group.length)).join(', ')}`
  return `they begin with ${[...new Set(fields.map((field) => field.slice(0, field.lastIndexOf('.') + 1)))].join(', ')}`
}

function readValue(field: MetadataId, text: string, option: string): bigint {
  const value = parseMetadata(field, text)
  if (value === undefined)
    throw new Trouble(`error: ${option}: expected ${metadataExpected(field).join(', ')} [cli/meta]`)
  return value
}
