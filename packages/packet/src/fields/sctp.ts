// Fields of SCTP and of its chunks (RFC 9260 §3, 3758, 5061, 3168).

import { header, joined } from './rows.ts'

const CHUNK = { type: [0, 8, 'chunktype'], flags: [8, 8, 'hex'], length: [16, 16, 'uint'] } as const
const INIT = {
  ...CHUNK,
  tag: [32, 32, 'hex'],
  rwnd: [64, 32, 'uint'],
  outbound: [96, 16, 'uint'],
  inbound: [112, 16, 'uint'],
  tsn: [128, 32, 'uint'],
} as const

export const SCTP_FIELDS = joined(
  header('sctp', { sport: [0, 16, 'port'], dport: [16, 16, 'port'], vtag: [32, 32, 'hex'], checksum: [64, 32, 'hex'] }), // biome-ignore format: one header
  header('sctp_data', {
    ...CHUNK,
    tsn: [32, 32, 'uint'],
    stream: [64, 16, 'uint'],
    ssn: [80, 16, 'uint'],
    ppid: [96, 32, 'uint'],
  }),
  header('sctp_init', INIT),
  header('sctp_initack', INIT),
  header('sctp_sack', {
    ...CHUNK,
    cumtsn: [32, 32, 'uint'],
    rwnd: [64, 32, 'uint'],
    gaps: [96, 16, 'uint'],
    dups: [112, 16, 'uint'],
  }),
  header('sctp_heartbeat', CHUNK),
  header('sctp_heartbeatack', CHUNK),
  header('sctp_abort', CHUNK),
  header('sctp_shutdown', { ...CHUNK, cumtsn: [32, 32, 'uint'] }),
  header('sctp_shutdownack', CHUNK),
  header('sctp_error', CHUNK),
  header('sctp_cookieecho', CHUNK),
  header('sctp_cookieack', CHUNK),
  header('sctp_ecne', { ...CHUNK, tsn: [32, 32, 'uint'] }),
  header('sctp_cwr', { ...CHUNK, tsn: [32, 32, 'uint'] }),
  header('sctp_shutdowncomplete', CHUNK),
  header('sctp_asconfack', { ...CHUNK, seqno: [32, 32, 'uint'] }),
  header('sctp_forwardtsn', { ...CHUNK, cumtsn: [32, 32, 'uint'] }),
  header('sctp_asconf', { ...CHUNK, seqno: [32, 32, 'uint'] }),
)
