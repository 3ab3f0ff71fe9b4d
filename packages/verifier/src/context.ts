// What a load or store of the context gives, by asm's table of who may touch which field; and the same for sockets.

import { CONTEXTS, type ContextField, PROG_TYPES } from '@netsieve/asm'
import type { Settings } from './env.ts'
import type { Access } from './needs.ts'
import type { RegType } from './reg.ts'

/** What a load from the context gives. */
export interface Loaded {
  readonly type: RegType
  readonly nullable: boolean
}

const NUMBER: Loaded = { type: 'scalar', nullable: false }
const POINTERS: Partial<Record<ContextField['kind'], Loaded>> = {
  data: { type: 'pkt', nullable: false },
  data_end: { type: 'pkt_end', nullable: false },
  data_meta: { type: 'pkt_meta', nullable: false },
  sock: { type: 'sock_common', nullable: true },
  sk_buff: { type: 'trusted_ptr_sk_buff', nullable: false },
  nf_hook_state: { type: 'trusted_ptr_nf_hook_state', nullable: false },
}

/** Undefined if programs of this type and loader may not do this. */
export function contextAccess(
  { type, unprivileged }: Pick<Settings, 'type' | 'unprivileged'>,
  access: Access,
  off: number,
  size: number,
  signed: boolean,
): Loaded | undefined {
  const layout = CONTEXTS[PROG_TYPES[type].context]
  if (off < 0 || off >= layout.size || off % size !== 0) return undefined
  const field: ContextField | undefined = Object.values<ContextField>(layout.fields).find(
    (f) => off >= f.offset && off < f.offset + f.size * (f.count ?? 1),
  )
  const allowed = access === 'read' ? field?.read : field?.write
  if (!field || !allowed?.includes(type) || (unprivileged && field.privileged === access)) return undefined
  const pointer = POINTERS[field.kind]
  if (pointer) return size === field.size && off === field.offset && !(signed && size === 4) ? pointer : undefined
  if (field.bytes) return off + size <= field.offset + field.size * (field.count ?? 1) ? NUMBER : undefined
  if (size === field.size) return NUMBER
  return access === 'read' && field.narrow && size < field.size ? NUMBER : undefined
}

const BPF_SOCK_SIZE = 80
const BPF_TCP_SOCK_SIZE = 112

/** Fields of struct bpf_sock that may be read in part: [first byte, one past the last]. */
const NARROW_SOCK_FIELDS = [[4, 8], [8, 12], [12, 16], [24, 44], [44, 48], [52, 72], [72, 76], [76, 80]] as const // biome-ignore format: one row

/** Whether a program may load from a socket pointer (uapi struct bpf_sock, bpf_tcp_sock, bpf_xdp_sock). */
export function socketAccess(type: RegType, off: number, size: number): boolean {
  if (off < 0 || off % size !== 0) return false
  if (type === 'tcp_sock') return off < BPF_TCP_SOCK_SIZE && size === (off === 80 || off === 88 ? 8 : 4)
  if (type === 'xdp_sock') return off === 0 && size === 4
  if (off >= BPF_SOCK_SIZE || (type === 'sock_common' && off >= 8 && off < 24)) return false
  // dst_port is 16 bits wide with padding behind it, which reads as part of a whole word only.
  if (off >= 48 && off < 50) return size <= 2 || (off === 48 && size === 4)
  if (off >= 50 && off < 52) return false
  const narrow = NARROW_SOCK_FIELDS.some(([from, to]) => off >= from && off < to)
  return narrow ? size <= 4 : size === 4
}
