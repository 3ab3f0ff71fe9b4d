// Whether the arguments of a helper call are what the helper takes.

import type { ArgKind, Helper, MapDef } from '@netsieve/asm'
import { isKnown } from './domain/num.ts'
import { toUnsigned, uapprox } from './domain/wide.ts'
import { proveDynptr } from './dynptr.ts'
import type { Env } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import type { Access } from './needs.ts'
import { markPrecise } from './precision.ts'
import { bitsText } from './print.ts'
import {
  proveFixedPointer,
  proveMapFlags,
  proveMapValue,
  provePacket,
  proveReadable,
  proveRegion,
  proveStackSpan,
} from './prove.ts'
import { isNull, isPacketPointer, isPointer, type Reg, type RegType, typeName } from './reg.ts'
import { constantKey, frameOf, helperTouches, reserve, stackSpan } from './stack.ts'
import { byteType, EMPTY_SLOT, hasSpill, MISC, ZEROED } from './state.ts'

/** What the arguments of one call tell each other. */
export interface Call {
  readonly id: number
  readonly helper: Helper
  map?: MapDef
  /** The register of memory that the helper writes and that need not be initialised, and how many bytes. */
  raw?: { readonly reg: number; readonly size: number }
  refId: number
  released: boolean
  memSize: number
  /** Largest value of the last size argument. */
  maxSize: number
  constKey: number | undefined
  subprog: number
}

export const MEM_TYPES: readonly RegType[] = ['fp', 'pkt', 'pkt_meta', 'map_key', 'map_value', 'mem', 'ringbuf_mem']
const SOCK_TYPES: readonly RegType[] = ['sock_common', 'sock', 'tcp_sock', 'xdp_sock']

interface Kind {
  readonly types: readonly RegType[]
  /** How the message lists them; the kernel names kinds that programs of our types never hold. */
  readonly expected: string
}

const kind = (types: readonly RegType[], more = ''): Kind => ({ types, expected: types.join(', ') + more })
const MEM = kind(MEM_TYPES, ', buf, trusted_ptr_')
const SIZE = kind(['scalar'])

/** Those of `skb` and `dynptrUninit` are of kernel functions (dynptr.ts). */
type CheckedKind = Exclude<ArgKind, 'anything' | 'unchecked' | 'skb' | 'dynptrUninit'>

const KINDS: Record<CheckedKind, Kind> = {
  ctx: kind(['ctx']),
  ctxOrNull: kind(['ctx']),
  mapPtr: kind(['map_ptr']),
  mapKey: MEM,
  mapValue: MEM,
  mapValueOrNull: MEM,
  mapValueUninit: MEM,
  mem: MEM,
  memOrNull: MEM,
  memWrite: MEM,
  memUninit: MEM,
  memUninitOrNull: MEM,
  fixedMem: MEM,
  fixedMemUninit: MEM,
  size: SIZE,
  sizeOrZero: SIZE,
  constAllocSize: SIZE,
  func: kind(['func']),
  dynptr: kind(['fp'], ', dynptr_ptr'),
  stackOrNull: kind(['fp']),
  sockCommon: kind(SOCK_TYPES),
  btfSockCommon: kind(SOCK_TYPES, ', ptr_, trusted_ptr_'),
  allocMem: kind(['ringbuf_mem']),
  spinLock: kind(['map_value'], ', ptr_'),
  constStr: kind(['map_value']),
}

const MAP_PEEK = 89
/** Helpers that take packet pointers for memory. */
const PACKET_READERS: ReadonlySet<number> = new Set([1, 2, 3, 87, 195, 28, 84, 85, 99, 100, 110, 204, 205, 206, 207])
const RELEASES: ReadonlySet<number> = new Set([86, 132, 133])
const WRITES: ReadonlySet<ArgKind> = new Set([
  'memWrite',
  'memUninit',
  'memUninitOrNull',
  'fixedMemUninit',
  'mapValueUninit',
])
const UNINIT: ReadonlySet<ArgKind> = new Set(['memUninit', 'memUninitOrNull', 'fixedMemUninit', 'mapValueUninit'])
const OR_NULL: ReadonlySet<ArgKind> = new Set([
  'memOrNull',
  'memUninitOrNull',
  'mapValueOrNull',
  'ctxOrNull',
  'stackOrNull',
])

/** Checks the argument in register `index + 1`. */
export function proveArg(env: Env, call: Call, index: number): void {
  const regno = index + 1
  const declared = call.helper.args[index]!
  if (declared === 'unchecked' || declared === 'skb' || declared === 'dynptrUninit') return
  proveReadable(env, regno)
  const reg = env.reg(regno)
  if (declared === 'anything') {
    if (env.settings.strict && isPointer(reg)) throw new Rejection(`R${regno} leaks addr into helper function`)
    return
  }
  if (isPacketPointer(reg) && !PACKET_READERS.has(call.id))
    throw new Rejection('helper access to the packet is not allowed')
  const arg = onMap(call, declared)
  const skipsType = isNull(reg) && OR_NULL.has(arg)
  if (!skipsType) {
    proveType(regno, reg, arg)
    proveOffset(regno, reg, arg, call.id)
  }
  if (index === 0 && RELEASES.has(call.id)) {
    if (reg.refId === 0 && !isNull(reg))
      throw new Rejection(`R${regno} must be referenced when passed to release function`)
    call.released = true
  }
  if (reg.refId !== 0) {
    if (call.refId) throw new Rejection(`more than one arg with ref_obj_id R${regno} ${reg.refId} ${call.refId}`)
    call.refId = reg.refId
  }
  proveKind(env, call, index, regno, reg, arg)
}

const MAP_VALUES: ReadonlySet<ArgKind> = new Set(['mapValue', 'mapValueOrNull', 'mapValueUninit'])

/** What an argument is once the map is known: maps of sockets hold no bytes, and a bloom filter only reads what it is asked for. */
function onMap(call: Call, arg: CheckedKind): CheckedKind {
  if (!MAP_VALUES.has(arg)) return arg
  const type = call.map?.type
  if (type === 'bloom_filter' && call.id === MAP_PEEK) return 'mapValue'
  if (type !== 'sockmap' && type !== 'sockhash') return arg
  if (arg === 'mapValue') return 'btfSockCommon'
  throw new Rejection('invalid arg_type for sockmap/sockhash')
}

function proveType(regno: number, reg: Reg, arg: CheckedKind): void {
  const { types, expected } = KINDS[arg]
  if (types.includes(reg.type) && (!reg.nullable || (reg.type === 'map_value' && arg === 'mapValueOrNull'))) return
  throw new Rejection(`R${regno} type=${typeName(reg)} expected=${expected}`)
}

function proveOffset(regno: number, reg: Reg, arg: ArgKind, id: number): void {
  if (RELEASES.has(id) && (arg === 'btfSockCommon' || arg === 'allocMem')) {
    if (reg.off !== 0)
      throw new Rejection(`R${regno} must have zero offset when passed to release func or trusted arg to kfunc`)
    return proveFixedPointer(regno, reg)
  }
  if (!MEM_TYPES.includes(reg.type) && reg.type !== 'scalar') proveFixedPointer(regno, reg)
}

function proveKind(env: Env, call: Call, index: number, regno: number, reg: Reg, arg: CheckedKind): void {
  switch (arg) {
    case 'mapPtr':
      call.map = reg.map!
      return
    case 'mapKey':
      proveBuffer(env, regno, mapOf(call).keySize, 'read', false, undefined)
      if (mapOf(call).type === 'array' || mapOf(call).type === 'percpu_array')
        call.constKey = constantKey(env, reg, mapOf(call).keySize)
      return
    case 'mapValue':
    case 'mapValueOrNull':
    case 'mapValueUninit':
      if (isNull(reg) && OR_NULL.has(arg)) return
      return proveBuffer(
        env,
        regno,
        mapOf(call).valueSize,
        WRITES.has(arg) ? 'write' : 'read',
        false,
        UNINIT.has(arg) ? call : undefined,
      )
    case 'fixedMem':
    case 'fixedMemUninit':
      return proveFixed(env, call, index, regno, reg, arg)
    case 'size':
    case 'sizeOrZero':
      return proveSize(env, call, regno, reg, call.helper.args[index - 1]!, arg === 'sizeOrZero')
    case 'constAllocSize':
      if (!isKnown(reg.num)) throw new Rejection(`R${regno} is not a known constant'`)
      call.memSize = uapprox(reg.num.bits.vh, reg.num.bits.vl)
      return markPrecise(env, regno)
    case 'func':
      call.subprog = reg.subprog
      return
    case 'dynptr':
      return proveDynptr(env, regno, index)
    case 'constStr':
      throw new Unsupported('constant strings')
    default:
  }
}

/** The map of a call that has had its map argument. */
function mapOf({ map, helper }: Call): MapDef {
  if (!map) throw new Error(`no map before the other arguments of ${helper.id}`)
  return map
}

function proveFixed(env: Env, call: Call, index: number, regno: number, reg: Reg, arg: ArgKind): void {
  const nth = call.helper.args.slice(0, index).filter((a) => a === 'fixedMem' || a === 'fixedMemUninit').length
  const size = call.helper.fixedSizes![nth]!
  const written = arg === 'fixedMemUninit' || call.id === 163
  proveBuffer(env, regno, size, written ? 'write' : 'read', false, arg === 'fixedMemUninit' ? call : undefined)
  if (!written || size === 1 || reg.type !== 'fp') return
  const at = reg.off + reg.num.bits.vl
  if (((at | reg.num.bits.ml) & (size - 1)) !== 0)
    throw new Rejection(`misaligned stack access off ${bitsText(reg.num)}+${reg.off}+0 size ${size}`)
}

/** A size, and the memory in the register before it. */
function proveSize(env: Env, call: Call, regno: number, reg: Reg, memory: ArgKind, zeroAllowed: boolean): void {
  const { num } = reg
  const max = uapprox(num.umaxH, num.umaxL)
  call.maxSize = max
  if (num.sminH < 0) throw new Rejection(`R${regno} min value is negative, either use unsigned or 'var &= const'`)
  if (num.uminH === 0 && num.uminL === 0 && !zeroAllowed)
    throw new Rejection(
      `R${regno} invalid zero-sized read: u64=[${toUnsigned(num.uminH, num.uminL)},${toUnsigned(num.umaxH, num.umaxL)}]`,
    )
  if (max >= 1 << 29) throw new Rejection(`R${regno} unbounded memory access, use 'var &= const' or 'if (var < const)'`)
  const raw = UNINIT.has(memory) && isKnown(num) ? call : undefined
  proveBuffer(env, regno - 1, max, WRITES.has(memory) ? 'write' : 'read', zeroAllowed, raw)
  markPrecise(env, regno)
}

/** Memory of `size` bytes for a helper. `raw`: it will be written and need not be initialised. */
export function proveBuffer(
  env: Env,
  regno: number,
  size: number,
  access: Access,
  zeroAllowed: boolean,
  raw: Call | undefined,
): void {
  const reg = env.reg(regno)
  switch (reg.type) {
    case 'pkt':
    case 'pkt_meta':
      return provePacket(regno, reg, reg.off, size, zeroAllowed)
    case 'map_key':
      if (access === 'write') throw new Rejection(`R${regno} cannot write into map_key`)
      return proveRegion(regno, reg, reg.off, size, reg.map!.keySize, false)
    case 'map_value':
      proveMapFlags(reg, reg.off, size, access)
      return proveMapValue(regno, reg, reg.off, size, zeroAllowed)
    case 'mem':
    case 'ringbuf_mem':
      return proveRegion(regno, reg, reg.off, size, reg.memSize, zeroAllowed)
    case 'fp':
      return proveStackBuffer(env, regno, reg, size, access, zeroAllowed, raw)
    default:
      if (zeroAllowed && size === 0 && isNull(reg)) return
      throw new Rejection(`R${regno} type=${typeName(reg)} expected=fp`)
  }
}

function proveStackBuffer(
  env: Env,
  regno: number,
  reg: Reg,
  size: number,
  access: Access,
  zeroAllowed: boolean,
  raw: Call | undefined,
): void {
  if (size === 0 && !zeroAllowed) throw new Rejection('invalid zero-sized read')
  proveStackSpan(env, regno, reg, 0, size, access, access === 'read' ? ' read from' : ' write to')
  const frame = frameOf(env, reg)
  const fixed = isKnown(reg.num)
  const [min, max] = fixed ? [reg.off + reg.num.bits.vl, reg.off + reg.num.bits.vl] : stackSpan(reg, 0)
  reserve(env, frame, min)
  if (raw && fixed) {
    raw.raw = { reg: regno, size }
    return
  }
  if (env.settings.strict) proveInitialised(regno, reg, frame.stack, min, max + size, fixed, size)
  helperTouches(env, frame, min, max + size, access === 'write')
}

function proveInitialised(
  regno: number,
  reg: Reg,
  stack: readonly { types: number; reg: Reg }[],
  min: number,
  end: number,
  fixed: boolean,
  size: number,
): void {
  for (let off = min; off < end; off++) {
    const at = -off - 1
    const slot = stack[at >> 3] ?? EMPTY_SLOT
    const type = byteType(slot, at & 7)
    // Beside a number spilled in part of a slot the rest of it counts as written, too.
    if (type === MISC || type === ZEROED || (hasSpill(slot) && slot.reg.type === 'scalar')) continue
    const where = fixed ? `off ${min}+${off - min}` : `var_off ${bitsText(reg.num)}+${off - min}`
    throw new Rejection(`invalid read from stack R${regno} ${where} size ${size}`)
  }
}
