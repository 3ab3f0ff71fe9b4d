// Where headers are while an expression is lowered. `vlan`, `mpls`, `pppoes` and `geneve` move everything to their right, whatever
// `or`, `not` and parentheses say: so this is state that the lowering changes on its way through the text, as libpcap's does.

import { field, load, masked, type Pred, type Term } from '@netsieve/ir'
import { FIELDS, type FieldId } from '@netsieve/packet'

/** The link types that are modelled, by libpcap's names. */
export type PcapLink = 'EN10MB' | 'RAW' | 'IPV4' | 'IPV6' | 'NULL' | 'LOOP' | 'LINUX_SLL' | 'LINUX_SLL2' | 'PPP'

/** A place in the packet: a fixed number of bytes and, inside a tunnel with options, a computed rest. */
export interface Place {
  readonly bytes: number
  readonly more?: Term
}

/** Start of the link header's type field and of its payload. `llc`: bytes of an 802.2 header before the payload, where there can be one. */
export const FIRST: Record<PcapLink, { type: number; payload: number; llc: number }> = {
  EN10MB: { type: 12, payload: 14, llc: 3 },
  RAW: { type: 0, payload: 0, llc: 0 },
  IPV4: { type: 0, payload: 0, llc: 0 },
  IPV6: { type: 0, payload: 0, llc: 0 },
  NULL: { type: 0, payload: 4, llc: 0 },
  LOOP: { type: 0, payload: 4, llc: 0 },
  LINUX_SLL: { type: 14, payload: 16, llc: 0 },
  LINUX_SLL2: { type: 0, payload: 20, llc: 0 },
  PPP: { type: 2, payload: 4, llc: 0 },
}

/** In short; test by test for the optimiser; or as it stands where libpcap does not optimise. */
export type LoweringMode = 'short' | 'full' | 'unoptimized'

export class Layers {
  /** The link type whose rules hold now: that of the capture, PPP inside PPPoE, Ethernet inside Geneve. */
  link: PcapLink
  header: Place = { bytes: 0 }
  type: Place
  payload: Place
  /** Bytes of an 802.2 header before the payload, where the link has one. */
  llc: number
  /** From the payload's start to the network header: MPLS labels. */
  labels = 0
  frame: Pred | undefined
  /** How many tunnels we are in. */
  tunnels = 0
  /** Write every test out as libpcap does, also those that say the same in short: for settle.ts. */
  readonly full: boolean
  /** Load even what is masked away or multiplied by 0: nothing is optimised. */
  readonly loadsAll: boolean
  private readonly names = new WeakMap<Term, Term>()

  constructor(link: PcapLink, mode: LoweringMode) {
    this.link = link
    this.full = mode === 'full'
    this.loadsAll = mode === 'unoptimized'
    this.type = { bytes: FIRST[link].type }
    this.payload = { bytes: FIRST[link].payload }
    this.llc = FIRST[link].llc
  }

  /** True while fields of the table may be used. */
  get plain(): boolean {
    return this.usual && !this.full
  }

  /** The headers are where the view says. */
  private get usual(): boolean {
    return this.link === 'EN10MB' && this.payload.bytes === 14 && this.labels === 0 && !this.payload.more
  }

  /** What a term of the full way is in short. */
  named(term: Term): Term {
    const known = this.names.get(term)
    if (known) return known
    const short = this.renamed(term)
    this.names.set(term, short)
    return short
  }

  private renamed(term: Term): Term {
    switch (term.kind) {
      case 'mask':
        return { ...term, term: this.named(term.term) }
      case 'bin':
        return { ...term, left: this.named(term.left), right: this.named(term.right) }
      case 'load':
        return term.index ? { ...term, index: this.named(term.index) } : term
      default:
        return term
    }
  }

  /** A term of the full way that is another in short. */
  called(full: Term, short: Term): Term {
    this.names.set(full, this.named(short))
    return full
  }

  /** The short way where it may be used; else the full one, which keeps its name. */
  private either(full: Term, short: Term): Term {
    if (this.plain) return short
    if (this.usual) this.names.set(full, short)
    return full
  }

  /** One tag of 4 bytes between type and payload. */
  tag(): void {
    this.type = { ...this.type, bytes: this.type.bytes + 4 }
    this.payload = { ...this.payload, bytes: this.payload.bytes + 4 }
  }

  label(): void {
    this.labels += 4
  }

  /** PPP's protocol field after the 6 bytes of a PPPoE header. */
  session(): void {
    const header = { ...this.payload, bytes: this.payload.bytes + this.labels + 6 }
    this.link = 'PPP'
    this.header = header
    this.type = header
    this.payload = { ...header, bytes: header.bytes + 2 }
    this.llc = 0
    this.labels = 0
  }

  /** Inside a tunnel, Ethernet's rules at computed places. `frame` must hold for there to be an Ethernet header. */
  enter(inner: { header: Term; type: Term; payload: Term; frame: Pred | undefined }): void {
    this.link = 'EN10MB'
    this.header = { bytes: 0, more: inner.header }
    this.type = { bytes: 0, more: inner.type }
    this.payload = { bytes: 0, more: inner.payload }
    this.frame = inner.frame
    this.tunnels++
    this.llc = 3
    this.labels = 0
  }

  linkBytes(offset: number, bytes: number): Term {
    return at(this.header, offset, bytes)
  }

  /** The field that names the payload's protocol. */
  typeField(): Term {
    return this.either(at(this.type, 0, 2), field('eth.type'))
  }

  /** Bytes of the link payload: an 802.2 header, where there is one. */
  llcBytes(offset: number, bytes: number): Term {
    const own = at(this.payload, offset, bytes)
    if (this.link !== 'EN10MB' || this.payload.more || this.payload.bytes !== 14) return own
    const short = load('net', offset, bytes)
    if (this.full) this.names.set(own, short)
    return this.full ? own : short
  }

  /** Bytes from the network header's start; negative ones reach back to the label before it. */
  netBytes(offset: number, bytes: number): Term {
    const own = at(this.payload, this.labels + offset, bytes)
    return offset >= 0 ? this.either(own, load('net', offset, bytes)) : own
  }

  /** A field of a network header, by name where the view finds the header itself. */
  netField(id: FieldId): Term {
    const { bit, bits } = FIELDS[id]
    return this.either(at(this.payload, this.labels + bit / 8, bits / 8), field(id))
  }

  /** Bytes of what follows an IPv4 header, by the length the header gives. */
  transportBytes(offset: number, bytes: number): Term {
    if (this.plain) {
      if (bytes === 2 && offset === 0) return field('th.sport')
      if (bytes === 2 && offset === 2) return field('th.dport')
      return load('transport', offset, bytes)
    }
    return at({ bytes: this.payload.bytes + this.labels, more: this.ipv4Length() }, offset, bytes)
  }

  /** Bytes of the IPv4 header, after what is variable before it. */
  ipv4Length(): Term {
    const ihl = masked(this.netBytes(0, 1), 0xfn)
    return sum({ kind: 'bin', op: 'lsh', left: ihl, right: { kind: 'const', value: 2n } }, this.payload.more)
  }

  /** Where computed indices count from. */
  place(base: 'header' | 'payload' | 'net' | 'transport'): Place {
    if (base === 'header') return this.header
    if (base === 'payload') return this.payload
    const bytes = this.payload.bytes + this.labels
    return base === 'net' ? { ...this.payload, bytes } : { bytes, more: this.ipv4Length() }
  }
}

export function at({ bytes: start, more }: Place, offset: number, bytes: number): Term {
  return load('link', start + offset, bytes, more)
}

export function sum(left: Term, right: Term | undefined): Term {
  return right ? { kind: 'bin', op: 'add', left, right } : left
}
