// One line that says what a packet is, in the manner of `tcpdump -n` (and `-e`): for people to read, not for programs. What UDP and TCP carry
// is not looked at but for tunnels and the first line of HTTP.

import { networkOf } from '../capture/index.ts'
import { ethernet, ofEtherType } from './link.ts'
import { type Conversations, Cut, hex, Printer } from './printer.ts'

export type { Conversations } from './printer.ts'

export interface SummaryOptions {
  /** A LINKTYPE_ number; 1, Ethernet, if absent. */
  readonly linkType?: number
  /** Length on the wire, if the capture cut the packet. */
  readonly wireLength?: number
  /** Tell the link header too. */
  readonly link?: boolean
  /** What was seen of TCP connections: numbers count from the start of theirs then; as they are in the packet if absent. */
  readonly conversations?: Conversations
}

const ETHERNET = 1
/** What a link header that is cut is called. */
const NAMES: Readonly<Record<number, string>> = { 0: 'null', 9: 'ppp', 101: 'raw', 108: 'null', 113: 'linux_sll', 276: 'linux_sll2' } // biome-ignore format: a table

/** The packet in one line, without a newline. Never throws, whatever the bytes. */
export function summarize(data: Uint8Array, options: SummaryOptions = {}): string {
  const { linkType = ETHERNET, wireLength = data.length, link = false, conversations } = options
  if (data.length === 0) return `[Invalid header: caplen==0${wireLength === 0 ? ', len==0' : ''}]`
  const printer = new Printer(data, link, conversations)
  try {
    if (linkType === ETHERNET) ethernet(printer, 0, wireLength)
    else otherLink(printer, data, linkType, wireLength)
  } catch (cut) {
    if (!(cut instanceof Cut)) throw cut
    printer.cut()
  }
  return printer.text
}

function otherLink(p: Printer, data: Uint8Array, linkType: number, wireLength: number): void {
  p.protocol = NAMES[linkType] ?? 'ip'
  const network = networkOf(linkType, data)
  if (!network) return NAMES[linkType] ? p.cut() : p.put(`link type ${linkType}, length ${wireLength}`)
  const print = network.ethertype === undefined ? undefined : ofEtherType(network.ethertype)
  // Without a link header there is nothing more to tell of it.
  if (p.link && network.offset === 0) p.put('ip: ')
  if (print) print(p, network.offset, wireLength - network.offset)
  else p.put(network.ethertype === undefined ? `link type ${linkType}, length ${wireLength}` : `${hex(network.ethertype, 4)}, length ${wireLength}`) // biome-ignore format: one choice
}
