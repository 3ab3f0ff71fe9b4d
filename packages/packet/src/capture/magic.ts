// What a file is by its first bytes: the captures we read, those that others write, and what people take for captures by mistake.

/** pcap: 0xa1b2c3d4 in the file's byte order (microseconds) or 0xa1b23c4d (nanoseconds). */
export type Magic =
  | { readonly format: 'pcap'; readonly little: boolean; readonly nanoseconds: boolean }
  | { readonly format: 'pcapng' }

/** The bytes that `identify` wants to see, if the file has so many. */
export const MAGIC_BYTES = 24

const CAPTURES: Readonly<Record<string, Magic>> = {
  d4c3b2a1: { format: 'pcap', little: true, nanoseconds: false },
  a1b2c3d4: { format: 'pcap', little: false, nanoseconds: false },
  '4d3cb2a1': { format: 'pcap', little: true, nanoseconds: true },
  a1b23c4d: { format: 'pcap', little: false, nanoseconds: true },
  '0a0d0d0a': { format: 'pcapng' },
}

/** Starts in hex, with what they are. Both byte orders of the pcap variants, whose records have other headers. */
const OTHERS: readonly (readonly [string, string])[] = [
  ['34cdb2a1', 'a pcap capture of the variant by A. Kuznetsov (magic 0xa1b2cd34)'],
  ['a1b2cd34', 'a pcap capture of the variant by A. Kuznetsov (magic 0xa1b2cd34)'],
  ['cd34b2a1', 'a pcap capture of the variant by F. Mesquita (magic 0xa1b234cd)'],
  ['a1b234cd', 'a pcap capture of the variant by F. Mesquita (magic 0xa1b234cd)'],
  ['4d3c2ba1', 'a pcap capture of the variant by Navtel (magic 0xa12b3c4d)'],
  ['a12b3c4d', 'a pcap capture of the variant by Navtel (magic 0xa12b3c4d)'],
  ['ac01001c', 'an IXIA lcap hardware capture (magic 0x1c0001ac)'],
  ['1c0001ac', 'an IXIA lcap hardware capture (magic 0x1c0001ac)'],
  ['ab01001c', 'an IXIA lcap software capture (magic 0x1c0001ab)'],
  ['1c0001ab', 'an IXIA lcap software capture (magic 0x1c0001ab)'],
  ['736e6f6f70000000', 'a Solaris snoop capture'],
  ['474d4255', 'a Microsoft Network Monitor capture'],
  ['52545353', 'a Microsoft Network Monitor 1 capture'],
  ['1f8b', 'compressed by gzip'],
  ['28b52ffd', 'compressed by zstd'],
  ['fd377a585a00', 'compressed by xz'],
  ['04224d18', 'compressed by lz4'],
  ['425a68', 'compressed by bzip2'],
  ['504b0304', 'a zip archive'],
  ['7f454c46', 'an ELF object'],
  ['25504446', 'a PDF document'],
]

/** The format of a capture from its first bytes; otherwise a text that says what was found instead. */
export function identify(start: Uint8Array): Magic | string {
  const hex = Array.from(start.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const capture = start.length >= 4 ? CAPTURES[hex.slice(0, 8)] : undefined
  if (capture) return capture
  if (start.length === 0) return 'the file is empty'
  const other = OTHERS.find(([prefix]) => hex.startsWith(prefix))
  if (other) return `it is ${other[1]}`
  const text = printable(start)
  if (text) return `it starts with the text "${text}"`
  return `it starts with the bytes ${hex.replace(/..(?!$)/g, '$& ')}`
}

/** Whether bytes are compressed by gzip (RFC 1952 §2.3.1), so that whoever reads the file can inflate them first. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8
}

/** The first line, if the bytes are text: no control characters, and half of it at least ASCII. */
function printable(start: Uint8Array): string | undefined {
  if (!start.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d)) || start.includes(0x7f)) return undefined
  const line = Array.from(start, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : '?')).join('')
  if (start.filter((byte) => byte < 0x80).length * 2 < start.length) return undefined
  return line.replace(/[\r\n].*/s, '').replace(/\t/g, ' ')
}
