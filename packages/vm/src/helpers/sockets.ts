// Helpers that find sockets and look at them: those of the machine's world, as struct bpf_sock and bpf_tcp_sock in memory.

import type { HelperName } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { ERRNO } from '../maps/map.ts'
import { REGION } from '../memory.ts'
import { type Socket, sameBits, TCP_STATE } from '../world.ts'
import { flagsArg, type HelperFunction, return64, uarg } from './helper.ts'

/** struct bpf_sock, uapi linux/bpf.h. */
const SOCK = {
  size: 80, ifindex: 0, family: 4, type: 8, protocol: 12, mark: 16, priority: 20, localIp4: 24, localIp6: 28, localPort: 44,
  remotePort: 48, remoteIp4: 52, remoteIp6: 56, state: 72, rxQueue: 76,
} as const // biome-ignore format: one struct
const TCP_SOCK_SIZE = 112
/** Between one socket and the next, so that nothing past the end of one is of the next. */
const GAP = 16
const [AF_INET, AF_INET6] = [2, 10]
const [SOCK_STREAM, SOCK_DGRAM] = [1, 2]
const [IPPROTO_TCP, IPPROTO_UDP] = [6, 17]

/** All sockets of a world, one after the other. */
export class Sockets {
  private readonly engine: Engine
  private readonly all: readonly Socket[]
  private readonly at: number
  private readonly tcpAt: number
  private readonly tcpRegion: number

  constructor(engine: Engine, all: readonly Socket[]) {
    this.engine = engine
    this.all = all
    this.at = engine.mem.alloc(all.length * (SOCK.size + GAP))
    this.tcpAt = engine.mem.alloc(all.length * (TCP_SOCK_SIZE + GAP))
    this.tcpRegion = all.length > 0 ? this.regions() : 0
    for (const [i, socket] of all.entries()) this.write(socket, this.at + i * (SOCK.size + GAP))
  }

  private regions(): number {
    const { mem } = this.engine
    const spec = (name: string, from: number, size: number) => ({ name, from, to: from + this.all.length * (size + GAP), write: false, stride: size + GAP, size }) // biome-ignore format: one row
    mem.setRegion(REGION.sock, spec('socket', this.at, SOCK.size))
    return mem.addRegion(spec('tcp_sock', this.tcpAt, TCP_SOCK_SIZE)) ?? 0
  }

  private write(socket: Socket, at: number): void {
    const { bytes, view } = this.engine.mem
    const set = (field: number, value: number): void => view.setUint32(at + field, value, true)
    const four = socket.local.length === 4
    const tcp = socket.protocol === 'tcp'
    set(SOCK.ifindex, socket.ifindex ?? 0)
    set(SOCK.family, four ? AF_INET : AF_INET6)
    set(SOCK.type, tcp ? SOCK_STREAM : SOCK_DGRAM)
    set(SOCK.protocol, tcp ? IPPROTO_TCP : IPPROTO_UDP)
    set(SOCK.mark, socket.mark ?? 0)
    set(SOCK.priority, socket.priority ?? 0)
    bytes.set(socket.local, at + (four ? SOCK.localIp4 : SOCK.localIp6))
    if (socket.remote) bytes.set(socket.remote, at + (four ? SOCK.remoteIp4 : SOCK.remoteIp6))
    // The local port in the machine's byte order, the remote one in the network's.
    set(SOCK.localPort, socket.localPort)
    view.setUint16(at + SOCK.remotePort, socket.remotePort ?? 0, false)
    set(SOCK.state, TCP_STATE[stateOf(socket)])
    set(SOCK.rxQueue, 0xffffffff)
  }

  /** A pointer to a socket by its number in the world, or 0. */
  pointer(i: number | undefined): { lo: number; hi: number } {
    return i === undefined || !this.all[i] ? { lo: 0, hi: 0 } : { lo: this.at + i * (SOCK.size + GAP), hi: REGION.sock }
  }

  tcpPointer(i: number): { lo: number; hi: number } {
    return { lo: this.tcpAt + i * (TCP_SOCK_SIZE + GAP), hi: this.tcpRegion }
  }

  /** The number of the socket that a register points to; undefined, and a fault, if it points to none. 0 is taken for none. */
  numberOf(register: number): number | 'none' | undefined {
    const { regs } = this.engine
    const [lo, hi] = [regs[register * 2]!, regs[register * 2 + 1]!]
    if (lo === 0 && hi === 0) return 'none'
    for (const [from, size, region] of [[this.at, SOCK.size, REGION.sock], [this.tcpAt, TCP_SOCK_SIZE, this.tcpRegion]] as const) {
      const i = (lo - from) / (size + GAP)
      if (hi === region && Number.isInteger(i) && this.all[i]) return i
    } // biome-ignore format: two rows
    this.engine.fail({ kind: 'helper-argument', reason: `r${register} is no socket` })
    return undefined
  }

  one(i: number): Socket {
    return this.all[i]!
  }

  /** The socket that a packet between two ends belongs to: connected ones first, then those bound to the address, then to any. */
  find(protocol: Socket['protocol'], remote: End, local: End): number | undefined {
    const score = (socket: Socket): number => {
      if (socket.protocol !== protocol || socket.localPort !== local.port) return 0
      if (socket.local.length !== local.address.length) return 0
      const any = socket.local.every((byte) => byte === 0)
      if (!any && !sameBits(socket.local, local.address, local.address.length * 8)) return 0
      if (!socket.remote) return any ? 1 : 2
      const same =
        socket.remotePort === remote.port && sameBits(socket.remote, remote.address, remote.address.length * 8)
      return same ? 3 : 0
    }
    let best: number | undefined
    this.all.forEach((socket, i) => {
      if (score(socket) > (best === undefined ? 0 : score(this.all[best]!))) best = i
    })
    return best
  }
}

interface End {
  readonly address: Uint8Array
  readonly port: number
}

function stateOf({ state, protocol, remote }: Socket): keyof typeof TCP_STATE {
  return state ?? (remote ? 'established' : protocol === 'tcp' ? 'listen' : 'close')
}

/** Whether it is more than the rest or the beginning of a connection. */
function isFull(socket: Socket): boolean {
  const state = stateOf(socket)
  return state !== 'time_wait' && state !== 'new_syn_recv'
}

function give(engine: Engine, { lo, hi }: { lo: number; hi: number }): undefined {
  return return64(engine, lo, hi)
}
const NONE = { lo: 0, hi: 0 }

/** struct bpf_sock_tuple: the remote address, the local one, their ports. `full`: only full sockets; listeners stand for beginnings. */
function lookup(engine: Engine, protocol: Socket['protocol'], full: boolean): undefined {
  if (!engine.ctxArg(1)) return undefined
  const length = uarg(engine, 3)
  const at = engine.memArg(2, length, false)
  if (at === undefined) return undefined
  // The network namespace is a number of 31 bits, or -1 for the packet's own.
  const [lo, hi] = [engine.regs[8]!, engine.regs[9]!]
  const netns = (hi === -1 && lo < 0) || (hi === 0 && lo >= 0)
  const size = length === 12 ? 4 : length === 36 ? 16 : undefined
  if (size === undefined || !netns || flagsArg(engine, 5) !== 0) return give(engine, NONE)
  const { bytes, view } = engine.mem
  const end = (n: number): End => ({
    address: bytes.slice(at + n * size, at + (n + 1) * size),
    port: view.getUint16(at + size * 2 + n * 2, false),
  })
  const found = engine.sockets.find(protocol, end(0), end(1))
  return give(
    engine,
    found === undefined || (full && !isFull(engine.sockets.one(found))) ? NONE : engine.sockets.pointer(found),
  )
}

/** Calls with the number of r1's socket; r0 = 0 where there is none. */
function withSocket(engine: Engine, what: (i: number) => { lo: number; hi: number }): undefined {
  const i = engine.sockets.numberOf(1)
  if (i === undefined) return undefined
  return give(engine, i === 'none' ? NONE : what(i))
}

export const SOCKET_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  sk_lookup_tcp: (engine) => lookup(engine, 'tcp', true),
  sk_lookup_udp: (engine) => lookup(engine, 'udp', true),
  skc_lookup_tcp: (engine) => lookup(engine, 'tcp', false),
  sk_release: (engine) => (engine.sockets.numberOf(1) === undefined ? undefined : 0),
  sk_fullsock: (engine) =>
    withSocket(engine, (i) => (isFull(engine.sockets.one(i)) ? engine.sockets.pointer(i) : NONE)),
  tcp_sock: (engine) =>
    withSocket(engine, (i) => {
      const socket = engine.sockets.one(i)
      return socket.protocol === 'tcp' && isFull(socket) ? engine.sockets.tcpPointer(i) : NONE
    }),
  get_listener_sock: (engine) =>
    withSocket(engine, (i) => (stateOf(engine.sockets.one(i)) === 'listen' ? engine.sockets.pointer(i) : NONE)),
  // The packet goes to the socket: recorded.
  sk_assign: (engine) => {
    if (!engine.ctxArg(1)) return undefined
    const i = engine.sockets.numberOf(2)
    if (i === undefined) return undefined
    if (flagsArg(engine, 3) !== 0 || (i !== 'none' && !isFull(engine.sockets.one(i)))) return ERRNO.EINVAL
    const target = i === 'none' ? -1 : i
    return engine.send({ kind: 'redirect', to: 'socket', target, flags: 0 }, 0) ? 0 : undefined
  },
  sk_cgroup_id: (engine) => cgroupId(engine),
  sk_ancestor_cgroup_id: (engine) => ancestorId(engine, uarg(engine, 2)),
}

/** The id of the cgroup at work; 0 if none is known. */
export function cgroupId(engine: Engine): undefined {
  return number64(engine, engine.options.world.cgroup?.path.at(-1) ?? 0)
}

/** The id of its ancestor, the root being at level 0. */
export function ancestorId(engine: Engine, level: number): undefined {
  return number64(engine, engine.options.world.cgroup?.path[level] ?? 0)
}

function number64(engine: Engine, value: number): undefined {
  return return64(engine, value | 0, Math.floor(value / 2 ** 32))
}
