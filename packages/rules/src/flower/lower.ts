// tc flower filters to IR: what Linux's flow dissector finds in a frame, compared under a mask. A field that was not dissected is 0, so a
// comparison with 0 holds where the field is not there (the view `flower` reads absent fields as 0). Source: net/core/flow_dissector.c.

import { Diagnostics, type Outcome, type Span } from '@netsieve/diag'
import {
  and,
  cmp,
  FALSE,
  type Filter,
  field,
  inRanges,
  load,
  masked,
  match,
  not,
  or,
  type Pred,
  type Rule,
  type Step,
  TRUE,
} from '@netsieve/ir'
import { FIELDS, type FieldId, maxValue } from '@netsieve/packet'
import type { LowerOptions } from '../front.ts'
import { atHook, chainName, reached } from '../tc/index.ts'
import type { FlowerAst, FlowerFilter, Key } from './ast.ts'
import {
  cfmKey,
  keyValue,
  labelField,
  labelThere,
  MAX_TAGS,
  netOffset,
  pppProtocol,
  type Stack,
  session,
  stackOf,
  tagCount,
  tagKey,
  tagsThere,
} from './layers.ts'
import { inOrder } from './order.ts'
import { type IpFlag, KEYS, type KeyName, type KeyRow, LAYERS } from './words.ts'

const MPLS_IN_IP = 137n

export function lower(ast: FlowerAst, { hook = 'ingress' }: LowerOptions): Outcome<Filter> {
  const diagnostics = new Diagnostics()
  const here = atHook(ast.filters, hook, diagnostics)
  const ids = new Map(ast.filters.map((filter, id) => [filter, id]))
  const chains = reached(here, diagnostics).map((number) => ({
    name: chainName(hook, number),
    rules: inOrder(here.filter(({ chain }) => chain === number), diagnostics).map((filter): Rule => {
      return { id: ids.get(filter)!, text: filter.text, span: filter.span, steps: steps(filter, diagnostics) }
    }),
  })) // biome-ignore format: one list
  const view = here.some((filter) => stackOf(filter).tags > 0) ? 'flower-tags' : 'flower'
  return diagnostics.outcome<Filter>({
    syntax: 'flower',
    profile: 'flower',
    base: [{ chain: hook, hook, view, family: 'any', policy: 'accept' }],
    chains,
  })
}

function steps(filter: FlowerFilter, diagnostics: Diagnostics): Step[] {
  const { protocol, protocolSpan, classid, action, actionSpan, hook } = filter
  const stack = stackOf(filter)
  const out: Step[] = []
  if (protocol !== 'all') out.push(spanned(cmp('eth.type', '==', protocol), protocolSpan))
  if (filter.kind !== 'matchall') out.push(...dissected(filter, stack, diagnostics))
  for (const { words, span } of action.copies) out.push({ kind: 'log', words, span })
  const { verdict } = action
  if (verdict.kind === 'goto')
    out.push({ kind: 'verdict', verdict: { kind: 'goto', chain: chainName(hook, Number(verdict.chain)) }, span: actionSpan }) // biome-ignore format: one step
  else if (verdict.kind === 'accept' && classid !== undefined)
    out.push({ kind: 'verdict', verdict: { kind: 'act', act: 'class', args: [classid] }, span: actionSpan })
  else out.push({ kind: 'verdict', verdict, span: actionSpan })
  return out
}

/** What flower asks of a packet, beside its protocol. */
function dissected(filter: FlowerFilter, stack: Stack, diagnostics: Diagnostics): Step[] {
  const { keys, protocolSpan } = filter
  const out: Step[] = tagsThere(filter).map((pred) => spanned(pred, protocolSpan))
  if (LAYERS[Number(stack.type)] === 'pppoe') out.push(spanned(session(netOffset(stack)), protocolSpan))
  for (const key of keys.filter(isTagKey)) out.push(spanned(keyPred(key, filter, stack, diagnostics), key.span))
  const behind = behindMpls(filter, stack)
  if (behind) out.push(spanned(behind, protocolSpan))
  for (const key of keys) if (!isTagKey(key)) out.push(spanned(keyPred(key, filter, stack, diagnostics), key.span))
  return out
}

/** Keys that say what is before the network header are asked before those of what is behind. */
const isTagKey = ({ name }: Key) => name === 'num_of_vlans' || /^c?vlan_/.test(name)

function spanned(pred: Pred, span: Span): Step {
  const step = match(pred)
  return step.kind === 'match' ? { ...step, span } : step
}

/**
 * The dissector looks behind MPLS in IP (RFC 4023): for it such a packet is no longer of protocol ip, unless it is a fragment, where it
 * stops. Other tunnels are left closed.
 */
function behindMpls({ keys }: FlowerFilter, { type }: Stack): Pred | undefined {
  if (type !== 0x0800 && type !== 0x86dd) return undefined
  const proto = keys.find(({ name }) => name === 'ip_proto')?.constraint
  if (proto?.kind === 'masked' && proto.value !== MPLS_IN_IP) return undefined
  const whole = type === 0x0800 ? ipv4Fragment('==', 0) : cmp('ipv6.nexthdr', '!=', 44)
  return not(and(cmp('meta.l4proto', '==', MPLS_IN_IP), whole))
}

const ipv4Fragment = (test: '==' | '!=', value: number) => cmp(masked(field('ipv4.frag'), 0x3fffn), test, value)

function keyPred(key: Key, filter: FlowerFilter, stack: Stack, diagnostics: Diagnostics): Pred {
  const { name, constraint } = key
  const v6 = stack.type === 0x86dd
  const net = netOffset(stack)
  switch (constraint.kind) {
    case 'flags':
      return and(...constraint.flags.map((flag) => FLAG[flag]))
    case 'range':
      return inRanges(fieldOf(name as KeyName, v6), [constraint])
    case 'masked': {
      const { value, mask } = constraint
      switch (name) {
        case 'lse':
          return labelThere(key.depth!, net)
        case 'cfm_mdl':
        case 'cfm_op':
          return cfmKey(name, value, net)
        case 'num_of_vlans':
          if (value <= MAX_TAGS) return tagCount(Number(value))
          diagnostics.error('rules/unsupported', `unsupported: more than ${MAX_TAGS} tags`, key.span)
          return FALSE
        case 'mpls_label':
        case 'mpls_tc':
        case 'mpls_bos':
        case 'mpls_ttl':
          return and(labelThere(key.depth!, net), cmp(labelField(KEYS[name].field, key.depth!), '==', value))
        case 'ppp_proto':
          if (value === 0x21n || value === 0x57n)
            diagnostics.warning('flower/behind', 'Linux takes MPLS in IP in a session for MPLS: it is taken for IP here', key.span) // biome-ignore format: one message
          return pppProtocol(value)
        case 'tcp_flags':
          return tcpFlags(value, mask)
        case 'spi':
          return cmp(keyValue(filter.keys, 'ip_proto') === 51n ? 'ah.spi' : 'esp.spi', '==', value)
        case 'enc_src_ip':
        case 'enc_dst_ip': {
          // Linux compares the kind of the tunnel's addresses too: without a tunnel nothing matches.
          const id = fieldOf(name, constraint.family === 'ipv6')
          if (value !== 0n) return under(id, value, mask)
          diagnostics.error('rules/unsupported', 'unsupported: an address of a tunnel of which no bit is set', key.span)
          return FALSE
        }
        case 'src_ip':
        case 'dst_ip':
          return address(key, filter, stack, diagnostics)
      }
      if (isTagKey(key)) return tagKey(name, value)
      if (name.startsWith('arp_')) return arp(under(fieldOf(name, v6), value, mask), value, net)
      return under(fieldOf(name, v6), value, mask)
    }
  }
}

/** `field & mask == value`, where an empty mask asks nothing. */
function under(id: FieldId, value: bigint, mask: bigint): Pred {
  if (mask === 0n) return TRUE
  return mask >= maxValue(id) ? cmp(id, '==', value) : cmp(masked(field(id), mask), '==', value)
}

function fieldOf(name: KeyName, v6: boolean): FieldId {
  const row: KeyRow = KEYS[name]
  if (row.field === undefined) throw new Error(`the key ${name} has no single field`)
  return typeof row.field === 'string' ? row.field : v6 ? row.field.ipv6 : row.field.ipv4
}

/**
 * An address is compared together with "addresses of this kind were found", which is so only if the header is whole. Linux looks for
 * addresses only if some mask has a bit: with none, nothing is found and the filter never matches.
 */
function address(key: Key, filter: FlowerFilter, stack: Stack, diagnostics: Diagnostics): Pred {
  const v6 = stack.type === 0x86dd
  if (key.constraint.kind !== 'masked') throw new Error('an address is compared under a mask')
  const { value, mask } = key.constraint
  const id = fieldOf(key.name as KeyName, v6)
  if (mask === 0n) {
    const asks = ({ name, constraint }: Key) =>
      /^(src|dst)_ip$/.test(name) && constraint.kind === 'masked' && constraint.mask !== 0n
    if (filter.keys.some(asks)) return TRUE
    diagnostics.warning('flower/never', 'Linux never matches an address of which no bit is compared', key.span, {
      hint: `leave ${key.name} out to match every address`,
    })
    return FALSE
  }
  // Only a comparison with 0 could hold where there is no header.
  if (value !== 0n) return under(id, value, mask)
  const whole = v6 ? cmp({ kind: 'length' }, '>=', netOffset(stack) + 40) : cmp('ipv4.ihl', '>=', 5)
  return and(whole, under(id, value, mask))
}

/** ARP is dissected only if it is a request or reply of IPv4 over Ethernet, and whole. */
function arp(compared: Pred, value: bigint, net: number): Pred {
  const dissected = and(
    cmp({ kind: 'length' }, '>=', net + 28),
    cmp('arp.htype', '==', 1),
    cmp('arp.ptype', '==', 0x0800),
    cmp('arp.hlen', '==', 6),
    cmp('arp.plen', '==', 4),
    inRanges('arp.op', [{ lo: 1n, hi: 2n }]),
  )
  return value === 0n ? or(not(dissected), compared) : and(dissected, compared)
}

/** Twelve bits: reserved ones, NS and the eight flags; found only if the header's length is sound. */
function tcpFlags(value: bigint, mask: bigint): Pred {
  if (mask === 0n) return TRUE
  const sound = cmp('tcp.doff', '>=', 5)
  const compared = cmp(masked(load('transport', FIELDS['tcp.doff'].bit / 8, 2), mask), '==', value)
  return value === 0n ? or(not(sound), compared) : and(sound, compared)
}

/** A packet without an IPv4 header has no flags. A first fragment has offset 0 and more to come. */
const FLAG: Readonly<Record<IpFlag, Pred>> = {
  frag: ipv4Fragment('!=', 0),
  nofrag: ipv4Fragment('==', 0),
  firstfrag: ipv4Fragment('==', 0x2000),
  nofirstfrag: ipv4Fragment('!=', 0x2000),
}
