// What is around a machine, for helpers that ask for more than the packet: devices, routes, neighbours, sockets, the task and cgroup at
// work. Nothing is there by itself; who loads a program says what is. Addresses and ports are as they stand in packets: 4 or 16 bytes.

export interface Device {
  readonly ifindex: number
  readonly mac: Uint8Array
  /** Default 1500. */
  readonly mtu?: number
  /** Whether packets that came by it are forwarded. Default true. */
  readonly forwards?: boolean
}

export interface Route {
  readonly to: Uint8Array
  /** Bits of `to` that count. */
  readonly length: number
  /** Default `unicast`. */
  readonly kind?: 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit'
  /** The device it leads out of. */
  readonly ifindex: number
  /** The next hop, if it is not the destination itself. */
  readonly via?: Uint8Array
  /** The source address that packets get by it. */
  readonly source?: Uint8Array
  /** Default that of the device. */
  readonly mtu?: number
  readonly metric?: number
  /** Default 254, the main table. */
  readonly table?: number
}

export interface Neighbour {
  readonly ifindex: number
  readonly address: Uint8Array
  readonly mac: Uint8Array
}

/** BPF_TCP_*, uapi linux/bpf.h. */
export const TCP_STATE = {
  established: 1,
  syn_sent: 2,
  syn_recv: 3,
  time_wait: 6,
  close: 7,
  listen: 10,
  new_syn_recv: 12,
} as const

export interface Socket {
  readonly protocol: 'tcp' | 'udp'
  readonly local: Uint8Array
  readonly localPort: number
  /** Where it is connected to; a socket without takes packets from everywhere. */
  readonly remote?: Uint8Array
  readonly remotePort?: number
  /** Default `established` where it is connected, `listen` (TCP) or `close` (UDP) otherwise. */
  readonly state?: keyof typeof TCP_STATE
  /** The device it is bound to. */
  readonly ifindex?: number
  readonly mark?: number
  readonly priority?: number
}

export interface Task {
  readonly pid: number
  /** The process, which other interfaces call the pid. */
  readonly tgid: number
  readonly uid: number
  readonly gid: number
  readonly comm: string
}

export interface Cgroup {
  /** Ids from the root down to the group itself. */
  readonly path: readonly number[]
  /** net_cls.classid */
  readonly classid?: number
}

export interface World {
  readonly devices?: readonly Device[]
  readonly routes?: readonly Route[]
  readonly neighbours?: readonly Neighbour[]
  readonly sockets?: readonly Socket[]
  /** By default the idle task of CPU 0, which packets interrupt as a rule. */
  readonly task?: Task
  readonly cgroup?: Cgroup
  /** The realm of the packet's route. */
  readonly realm?: number
}

export const IDLE: Task = { pid: 0, tgid: 0, uid: 0, gid: 0, comm: 'swapper/0' }

/** Whether the first `length` bits of two addresses are the same. */
export function sameBits(a: Uint8Array, b: Uint8Array, length: number): boolean {
  if (a.length !== b.length) return false
  const whole = length >> 3
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false
  return (length & 7) === 0 || (a[whole]! ^ b[whole]!) >>> (8 - (length & 7)) === 0
}

/** The route that an address takes: the longest prefix, of those the least metric. */
export function routeTo({ routes = [] }: World, to: Uint8Array, table: number | undefined): Route | undefined {
  let best: Route | undefined
  for (const route of routes) {
    if (table !== undefined && (route.table ?? 254) !== table) continue
    if (!sameBits(route.to, to, route.length)) continue
    if (
      !best ||
      route.length > best.length ||
      (route.length === best.length && (route.metric ?? 0) < (best.metric ?? 0))
    )
      best = route
  }
  return best
}
