// Fields of the link layer and of what stands between it and the network header: Ethernet, LLC and SNAP (IEEE 802.2), VLAN tags (IEEE 802.1Q),
// MPLS labels (RFC 3032), PPPoE (RFC 2516), ARP (RFC 826).

import { header, joined } from './rows.ts'

//  tag: tpid 16 | pcp 3, dei 1, id 12 (together: tci) | the type of what follows 16
const TAG = {
  tpid: [0, 16, 'ethertype'],
  tci: [16, 16, 'hex'],
  pcp: [16, 3, 'uint'],
  dei: [19, 1, 'uint'],
  id: [20, 12, 'uint'],
  type: [32, 16, 'ethertype'],
} as const

const LABEL = { label: [0, 20, 'uint'], tc: [20, 3, 'uint'], bos: [23, 1, 'uint'], ttl: [24, 8, 'uint'] } as const

export const LINK_FIELDS = joined(
  header('eth', {
    dst: [0, 48, 'mac'],
    src: [48, 48, 'mac'],
    type: [96, 16, 'ethertype'],
    length: [96, 16, 'uint'], // the same bits: a length up to 1500, a type above
  }),
  header('llc', { dsap: [0, 8, 'hex'], ssap: [8, 8, 'hex'], control: [16, 8, 'hex'] }),
  header('snap', { oui: [0, 24, 'hex'], pid: [24, 16, 'ethertype'] }),
  // The outermost tag, and those behind it.
  header('vlan', TAG),
  header('vlan1', TAG),
  header('vlan2', TAG),
  header('vlan3', TAG),
  // The top label, and those below it.
  header('mpls', LABEL),
  header('mpls1', LABEL),
  header('mpls2', LABEL),
  header('mpls3', LABEL),
  header('mpls4', LABEL),
  header('mpls5', LABEL),
  header('mpls6', LABEL),
  header('pppoe', {
    version: [0, 4, 'uint'],
    type: [4, 4, 'uint'],
    code: [8, 8, 'hex'],
    sid: [16, 16, 'uint'],
    length: [32, 16, 'uint'],
  }),
  header('ppp', { protocol: [0, 16, 'hex'] }),
  header('arp', {
    htype: [0, 16, 'uint'],
    ptype: [16, 16, 'ethertype'],
    hlen: [32, 8, 'uint'],
    plen: [40, 8, 'uint'],
    op: [48, 16, 'arpop'],
    sha: [64, 48, 'mac'],
    sip: [112, 32, 'ipv4'],
    tha: [144, 48, 'mac'],
    tip: [192, 32, 'ipv4'],
  }),
)
