// The first line of an HTTP message, if there is one (RFC 9112).

import { Cut, type Printer } from './printer.ts'

const METHODS: ReadonlySet<string> = new Set(
  'GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE DELETE SEARCH UNLOCK REPORT UPDATE NOTIFY BDELETE CONNECT OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH UNCHECKOUT MKACTIVITY MKWORKSPACE UNSUBSCRIBE RPC_CONNECT VERSION-CONTROL BASELINE-CONTROL'.split(' '), // biome-ignore format: one list
)
/** A line is no longer. */
const MOST = 1024

export function http(p: Printer, at: number, length: number): void {
  p.protocol = 'http'
  p.put('HTTP')
  const text = p.ascii(at, Math.min(length, MOST))
  const [, first, second] = /^([^\s]+)(?:\s+([^\s]+))?/.exec(text) ?? []
  // A word that the capture ends, and not the message, may go on.
  const ended = (word: string | undefined) => word !== undefined && (text.length === length || !text.endsWith(word))
  const response = ended(second) && /^\d{3}$/.test(second!)
  if (!response && !(ended(first) && METHODS.has(first!))) return
  const end = text.search(/\r?\n/)
  if (end < 0 && text.length < Math.min(length, MOST)) throw new Cut()
  p.put(`: ${(end < 0 ? text : text.slice(0, end)).replace(/[^\x20-\x7e]/g, escaped)}`)
  if (end < 0) throw new Cut()
}

/** Bytes that do not print, as vis(3) writes them: `^A`, `M-a`. */
function escaped(char: string): string {
  const code = char.charCodeAt(0)
  const meta = code >= 128 ? 'M-' : ''
  const low = code & 127
  return low < 32 || low === 127 ? `${meta}^${String.fromCharCode(low ^ 64)}` : `${meta}${String.fromCharCode(low)}`
}
