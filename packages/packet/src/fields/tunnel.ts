// Fields of tunnel headers: GRE (RFC 2784, 2890), VXLAN (RFC 7348), Geneve (RFC 8926), GTP-U (3GPP TS 29.281), L2TPv3 over IP (RFC 3931).

import { header, joined } from './rows.ts'

export const TUNNEL_FIELDS = joined(
  header('gre', {
    flags: [0, 16, 'hex'],
    version: [13, 3, 'uint'],
    protocol: [16, 16, 'ethertype'],
  }),
  // Parts that are there where a flag says so.
  header('gre_checksum', { value: [0, 16, 'hex'] }),
  header('gre_key', { value: [0, 32, 'uint'] }),
  header('gre_seq', { value: [0, 32, 'uint'] }),
  header('vxlan', { flags: [0, 8, 'hex'], group: [16, 16, 'uint'], vni: [32, 24, 'uint'] }),
  header('geneve', {
    version: [0, 2, 'uint'],
    optlen: [2, 6, 'uint'],
    control: [8, 1, 'uint'],
    critical: [9, 1, 'uint'],
    protocol: [16, 16, 'ethertype'],
    vni: [32, 24, 'uint'],
  }),
  header('gtpu', {
    version: [0, 3, 'uint'],
    flags: [0, 8, 'hex'],
    type: [8, 8, 'uint'],
    length: [16, 16, 'uint'],
    teid: [32, 32, 'hex'],
  }),
  header('gtpu_optional', { seq: [0, 16, 'uint'], npdu: [16, 8, 'uint'], next: [24, 8, 'hex'] }),
  header('l2tp3', { sid: [0, 32, 'uint'] }),
)
