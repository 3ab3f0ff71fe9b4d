// Fields of the network layer: IPv4 and its options (RFC 791, 2113), IPv6 and its extension headers (RFC 8200, 8754, 6275, 4302).

import { header, joined } from './rows.ts'

const ROUTE = { type: [0, 8, 'uint'], length: [8, 8, 'uint'], ptr: [16, 8, 'uint'], addr: [24, 32, 'ipv4'] } as const
const EXTENSION = { nexthdr: [0, 8, 'ipproto'], length: [8, 8, 'uint'] } as const
const ROUTING = { ...EXTENSION, type: [16, 8, 'uint'], left: [24, 8, 'uint'] } as const

export const NETWORK_FIELDS = joined(
  header('ipv4', {
    version: [0, 4, 'uint'],
    ihl: [4, 4, 'uint'],
    tos: [8, 8, 'hex'],
    dscp: [8, 6, 'dscp'],
    ecn: [14, 2, 'uint'],
    length: [16, 16, 'uint'],
    id: [32, 16, 'uint'],
    frag: [48, 16, 'hex'], // reserved, DF, MF and the offset together
    rf: [48, 1, 'uint'],
    df: [49, 1, 'uint'],
    mf: [50, 1, 'uint'],
    fragoff: [51, 13, 'uint'],
    ttl: [64, 8, 'uint'],
    protocol: [72, 8, 'ipproto'],
    checksum: [80, 16, 'hex'],
    src: [96, 32, 'ipv4'],
    dst: [128, 32, 'ipv4'],
  }),
  header('ip_rr', ROUTE),
  header('ip_lsrr', ROUTE),
  header('ip_ssrr', ROUTE),
  header('ip_ra', { type: [0, 8, 'uint'], length: [8, 8, 'uint'], value: [16, 16, 'uint'] }),
  header('ip_timestamp', {
    type: [0, 8, 'uint'],
    length: [8, 8, 'uint'],
    ptr: [16, 8, 'uint'],
    overflow: [24, 4, 'uint'],
    flag: [28, 4, 'uint'],
  }),
  header('ip_security', { type: [0, 8, 'uint'], length: [8, 8, 'uint'], level: [16, 8, 'hex'] }),
  header('ip_cipso', { type: [0, 8, 'uint'], length: [8, 8, 'uint'], doi: [16, 32, 'uint'] }),
  header('ip_sid', { type: [0, 8, 'uint'], length: [8, 8, 'uint'], value: [16, 16, 'uint'] }),
  header('ipv6', {
    version: [0, 4, 'uint'],
    tclass: [4, 8, 'hex'],
    dscp: [4, 6, 'dscp'],
    ecn: [10, 2, 'uint'],
    flowlabel: [12, 20, 'hex'],
    plen: [32, 16, 'uint'],
    nexthdr: [48, 8, 'ipproto'],
    hoplimit: [56, 8, 'uint'],
    src: [64, 128, 'ipv6'],
    dst: [192, 128, 'ipv6'],
  }),
  header('hopopt', EXTENSION),
  header('dstopts', EXTENSION),
  header('routing', ROUTING),
  // Routing headers by their type: source route, home address, segments.
  header('routing0', { reserved: [32, 32, 'hex'], addr: [64, 128, 'ipv6'] }),
  header('routing2', { reserved: [32, 32, 'hex'], addr: [64, 128, 'ipv6'] }),
  header('srh', { last: [32, 8, 'uint'], flags: [40, 8, 'hex'], tag: [48, 16, 'hex'], sid: [64, 128, 'ipv6'] }),
  header('fragment', {
    nexthdr: [0, 8, 'ipproto'],
    reserved: [8, 8, 'hex'],
    fragoff: [16, 13, 'uint'],
    reserved2: [29, 2, 'uint'],
    mf: [31, 1, 'uint'],
    id: [32, 32, 'hex'],
  }),
  header('mobility', { ...EXTENSION, type: [16, 8, 'uint'], reserved: [24, 8, 'hex'], checksum: [32, 16, 'hex'] }),
  // AH as one of IPv6's extension headers; `ah` is AH as a transport header.
  header('ah6', { ...EXTENSION, reserved: [16, 16, 'hex'], spi: [32, 32, 'hex'], seq: [64, 32, 'uint'] }),
)
