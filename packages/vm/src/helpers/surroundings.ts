// Helpers that ask for the task, the cgroup and the kernel around the program. Packets mostly come while the idle task runs; of the
// kernel's memory there is only what the program has, and there is no performance counter, nobody to signal.

import type { HelperName } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { ERRNO } from '../maps/map.ts'
import { SlotArray } from '../maps/slots.ts'
import { REGION } from '../memory.ts'
import { IDLE } from '../world.ts'
import { arg, flagsArg, type HelperFunction, return64, uarg } from './helper.ts'
import { ancestorId, cgroupId } from './sockets.ts'

/** TASK_COMM_LEN */
const COMM_BYTES = 16
const BPF_F_CURRENT_CPU = 0xffffffff

function comm(engine: Engine): number | undefined {
  const size = uarg(engine, 2)
  const at = engine.memArg(1, size, true)
  if (at === undefined) return undefined
  const text = (engine.options.world.task ?? IDLE).comm.slice(0, Math.min(size, COMM_BYTES) - 1)
  for (let i = 0; i < size; i++) engine.mem.bytes[at + i] = i < text.length ? text.charCodeAt(i) : 0
  return 0
}

/**
 * Bytes from an address of the kernel. Of its memory there is what the program itself has; other addresses of the kernel cannot be read,
 * addresses of processes are refused. `text`: up to the first 0, and the length is told.
 */
function probeKernel(engine: Engine, text: boolean): number | undefined {
  const size = uarg(engine, 2)
  const to = engine.memArg(1, size, true)
  if (to === undefined) return undefined
  const { bytes } = engine.mem
  const [from, region] = [engine.regs[6]!, engine.regs[7]!]
  if (from < 0 || region === REGION.ctx || !engine.mem.inside(region, from, text ? 1 : size, false)) {
    bytes.fill(0, to, to + size)
    return region >> 15 === -1 ? ERRNO.EFAULT : ERRNO.ERANGE
  }
  if (!text) {
    bytes.copyWithin(to, from, from + size)
    return 0
  }
  let length = 0
  while (length < size - 1 && engine.mem.inside(region, from + length, 1, false) && bytes[from + length] !== 0) length++
  bytes.copyWithin(to, from, from + length)
  if (size > 0) bytes[to + length] = 0
  return Math.min(length + 1, size)
}

/** No process has any memory here. */
function probeUser(engine: Engine): number | undefined {
  const size = uarg(engine, 2)
  const at = engine.memArg(1, size, true)
  if (at === undefined) return undefined
  engine.mem.bytes.fill(0, at, at + size)
  return ERRNO.EFAULT
}

/** A place of a map of perf events: no counter is ever there. */
function perfEventRead(engine: Engine): number | undefined {
  const map = engine.mapArg(1)
  if (!map) return undefined
  const [lo, hi] = [engine.regs[4]!, engine.regs[5]!]
  if (hi !== 0) return ERRNO.EINVAL
  const index = lo >>> 0 === BPF_F_CURRENT_CPU ? engine.options.cpu : lo >>> 0
  return index >= map.def.maxEntries ? ERRNO.E2BIG : ERRNO.ENOENT
}

/** The same with a place for the value, which gets zeros. */
function perfEventReadValue(engine: Engine): number | undefined {
  const size = uarg(engine, 4)
  const at = engine.memArg(3, size, true)
  if (at === undefined) return undefined
  engine.mem.bytes.fill(0, at, at + size)
  return size === 24 ? perfEventRead(engine) : ERRNO.EINVAL
}

/** Whether the cgroup in a place of a map is the one at work, or around it. */
function underCgroup(engine: Engine, mapRegister: number, index: number): number | undefined {
  const map = engine.mapArg(mapRegister)
  if (!map) return undefined
  if (index >= map.def.maxEntries) return ERRNO.E2BIG
  const id = map instanceof SlotArray ? map.slot(index) : undefined
  if (id === undefined) return ERRNO.EAGAIN
  return engine.options.world.cgroup?.path.includes(id) ? 1 : 0
}

/** The packet goes out by a device, with what the neighbour's address makes of its link header: recorded. */
function redirectTo(engine: Engine, to: 'neighbour' | 'peer', bad: boolean): number | undefined {
  if (bad) return TC_ACT_SHOT
  const sent = engine.send({ kind: 'redirect', to, target: arg(engine, 1), flags: 0 }, 0)
  return sent ? TC_ACT_REDIRECT : undefined
}
const TC_ACT_SHOT = 2
const TC_ACT_REDIRECT = 7
/** struct bpf_redir_neigh */
const REDIR_NEIGH_BYTES = 20

function redirectNeigh(engine: Engine): number | undefined {
  const size = uarg(engine, 3)
  if (size > 0 && engine.memArg(2, size, false) === undefined) return undefined
  return redirectTo(engine, 'neighbour', (size > 0 && size < REDIR_NEIGH_BYTES) || flagsArg(engine, 4) !== 0)
}

function classId(engine: Engine): number | undefined {
  return engine.ctxArg(1) ? (engine.options.world.cgroup?.classid ?? 0) : undefined
}

const task = (engine: Engine) => engine.options.world.task ?? IDLE

export const SURROUNDINGS_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  get_current_pid_tgid: (engine) => return64(engine, task(engine).pid | 0, task(engine).tgid | 0),
  get_current_uid_gid: (engine) => return64(engine, task(engine).uid | 0, task(engine).gid | 0),
  get_current_comm: comm,
  get_current_cgroup_id: cgroupId,
  get_current_ancestor_cgroup_id: (engine) => ancestorId(engine, uarg(engine, 1)),
  get_cgroup_classid: classId,
  skb_cgroup_classid: classId,
  skb_cgroup_id: (engine) => (engine.ctxArg(1) ? cgroupId(engine) : undefined),
  skb_ancestor_cgroup_id: (engine) => (engine.ctxArg(1) ? ancestorId(engine, uarg(engine, 2)) : undefined),
  skb_under_cgroup: (engine) => (engine.ctxArg(1) ? underCgroup(engine, 2, uarg(engine, 3)) : undefined),
  current_task_under_cgroup: (engine) => underCgroup(engine, 1, uarg(engine, 2)),
  get_route_realm: (engine) => (engine.ctxArg(1) ? (engine.options.world.realm ?? 0) : undefined),
  get_netns_cookie: () => 1,
  probe_read_user: probeUser,
  probe_read_user_str: probeUser,
  probe_read_kernel: (engine) => probeKernel(engine, false),
  probe_read_kernel_str: (engine) => probeKernel(engine, true),
  perf_event_read: perfEventRead,
  perf_event_read_value: perfEventReadValue,
  // Signals cannot be sent to kernel threads, and the idle task is one.
  send_signal: () => ERRNO.EPERM,
  send_signal_thread: () => ERRNO.EPERM,
  redirect_neigh: redirectNeigh,
  redirect_peer: (engine) => redirectTo(engine, 'peer', flagsArg(engine, 2) !== 0),
}
