// The state of a machine between and during runs: memory, registers, frames, the packet, maps and what helpers left behind.
// Interpreter, JIT and helpers all work on this one object.

import { CONTEXTS, HELPERS, helperName, type Insn, LIMITS, type MapDef, NF_HOOK_STATE, PROG_TYPES } from '@netsieve/asm'
import { Callbacks } from './callbacks.ts'
import {
  type ContextAccess,
  contextAccess,
  familyOf,
  fillSkb,
  fillSocket,
  fillXdp,
  type PacketMeta,
  protocolOf,
  timeWords,
} from './context.ts'
import { Constants, type DecodedProgram, decodeProgram, FIRST_CONSTANT } from './decode.ts'
import { type Fault, type FaultDraft, overOutput, overWork } from './fault.ts'
import { Frames, MOST_FRAMES } from './frames.ts'
import type { HelperFunction } from './helpers/helper.ts'
import { Sockets } from './helpers/sockets.ts'
import type { Tunnel } from './helpers/tunnel.ts'
import { makeMap } from './maps/make.ts'
import type { BpfMap } from './maps/map.ts'
import { AT, Memory, REGION, ROW } from './memory.ts'
import type { EngineOptions, MapChange, Output } from './options.ts'
import { accessFault } from './slow-access.ts'

/** Bytes before and after a packet that helpers may grow it into; XDP has less before it, see `place`. */
export const ROOM = { head: 4096, tail: 4096 } as const
/** XDP_PACKET_HEADROOM */
const XDP_HEADROOM = 256

/** What a helper may go through for nothing: as much as a program has stack. */
const FREE_BYTES = 512
/** What anything that is sent out costs beside its bytes. */
const OUTPUT_BYTES = 64

/** BPF_MAX_LOOPS: how often a program's `may_goto` are passed. */
export const MAY_GOTO = 8 * 1024 * 1024

/** xdp_adjust_head, xdp_adjust_meta. */
const HEAD_HELPERS: ReadonlySet<number> = new Set([44, 54])

export class Engine {
  readonly options: EngineOptions
  readonly mem: Memory
  readonly access: ContextAccess
  readonly helpers: ReadonlyMap<number, HelperFunction>
  readonly maps: readonly BpfMap[]
  readonly programs: readonly DecodedProgram[]
  /** Instructions of the programs before each. */
  readonly starts: readonly number[]
  /** Code positions of the programs before each. */
  readonly codeStarts: readonly number[]
  /** r0..r10 and the constants, low word first: a view of `mem`. */
  regs: Int32Array
  readonly regsAt: number
  /** Not the view's length: that is 0 once WebAssembly's memory has grown. */
  private readonly registerWords: number
  readonly ctxAt: number
  /** What netfilter tells its programs beside the packet: struct nf_hook_state. */
  readonly hookStateAt: number
  readonly stackAt: number
  readonly packetFrom: number
  readonly packetTo: number

  // The packet, as linear addresses.
  meta = 0
  data = 0
  end = 0
  /** Lowest address the packet may grow to. */
  roomFrom = 0
  /** Where the frame begins, and its network header: LD_ABS and relative loads start there. */
  linkAt = 0
  netAt = 0
  /** Bytes of the frame before the program's first one. */
  private skipped = 0
  /** Words of the context that say where the packet is: data and data_end, and data_meta. */
  private readonly dataWord: number
  private readonly metaWord: number
  private readonly writable: boolean
  private readonly xdp: boolean
  private readonly netfilter: boolean
  /** The program starts at the network header: one of a cgroup. All others start at the frame's first byte. */
  private readonly fromNetwork: boolean
  private readonly usesStack: boolean
  /** Whether a program may let bytes before the packet into it. */
  private readonly growsHead: boolean
  info: PacketMeta = {}
  /** The tunnel that the packet shall go into, once a program said so. */
  tunnel: Tunnel | undefined
  readonly sockets: Sockets
  timeLo = 0
  timeHi = 0

  // The run.
  programIndex = 0
  pc = 0
  used = 0
  /** Jumps of `may_goto` still not taken. */
  mayGoto = 0
  fault: Fault | undefined
  /** The program to go on with after a tail call. */
  next: number | undefined
  outputs: Output[] = []
  private sentBytes = 0
  /** Changes of maps, while a trace is made. */
  journal: MapChange[] | undefined
  readonly frames: Frames
  private random: number
  /** How helpers call functions of the program. */
  readonly callbacks: Callbacks

  constructor(
    options: EngineOptions,
    programs: readonly (readonly Insn[])[],
    maps: readonly MapDef[],
    helpers: ReadonlyMap<number, HelperFunction>,
  ) {
    this.options = options
    this.helpers = helpers
    this.access = contextAccess(options.type)
    const goOn = programs.some((insns) =>
      insns.some(({ spec, imm }) => spec.call === 'helper' && imm === HELPERS.tail_call.id),
    )
    const frames = goOn ? MOST_FRAMES : options.callDepth
    const stackBytes = frames * LIMITS.stackBytes
    const packetBytes = ROOM.head + options.packetBytes + ROOM.tail
    this.mem = new Memory(4096 + stackBytes + packetBytes, options.memoryBytes)
    this.ctxAt = this.mem.alloc(256)
    this.hookStateAt = this.ctxAt + CONTEXTS.__sk_buff.size
    this.stackAt = this.mem.alloc(stackBytes)
    this.packetFrom = this.mem.alloc(packetBytes, 64)
    this.packetTo = this.packetFrom + packetBytes
    this.maps = maps.map((def, index) => makeMap(this, def, index))
    this.sockets = new Sockets(this, options.world.sockets ?? [])
    const constants = new Constants()
    this.programs = programs.map((insns) => decodeProgram(insns, constants, (insn) => this.resolve(insn)))
    const before = (lengths: readonly number[]): number[] =>
      lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0))
    this.starts = before(programs.map(({ length }) => length))
    this.codeStarts = before(this.programs.map(({ code }) => code.length))
    this.usesStack = this.programs.some((program) => program.usesStack)
    this.growsHead = programs.some((insns) =>
      insns.some(({ spec, imm }) => spec.call === 'helper' && HEAD_HELPERS.has(imm)),
    )
    const registerBytes = FIRST_CONSTANT * 8 + constants.words.length * 4
    this.regsAt = this.mem.alloc(registerBytes)
    this.registerWords = registerBytes / 4
    this.regs = new Int32Array(this.mem.bytes.buffer as ArrayBuffer, this.regsAt, registerBytes / 4)
    this.regs.set(constants.words, FIRST_CONSTANT * 2)
    const ctxTo = this.ctxAt + this.access.size
    this.frames = new Frames(this, frames)
    this.callbacks = new Callbacks(this)
    const { mode, type } = options
    this.xdp = PROG_TYPES[type].context === 'xdp_md'
    this.fromNetwork = mode === 'linux' && PROG_TYPES[type].firstHeader === 'net'
    this.netfilter = PROG_TYPES[type].context === 'bpf_nf_ctx'
    const fields = this.xdp ? CONTEXTS.xdp_md.fields : CONTEXTS.__sk_buff.fields
    this.dataWord = (this.ctxAt + fields.data.offset) >> 2
    this.metaWord = (this.ctxAt + fields.data_meta.offset) >> 2
    this.writable = mode === 'rfc9669' || this.xdp || type === 'sched_cls'
    this.mem.setRegion(REGION.packet, { name: 'packet', from: 0, to: 0, write: this.writable })
    this.mem.setRegion(REGION.ctx, { name: 'ctx', from: this.ctxAt, to: ctxTo, write: true, slow: true })
    if (this.netfilter) {
      const [from, to] = [this.hookStateAt, this.hookStateAt + NF_HOOK_STATE.size]
      this.mem.setRegion(REGION.hookState, { name: 'nf_hook_state', from, to, write: false })
      // Nothing in a buffer is told: it is a name for the packet.
      this.mem.setRegion(REGION.skb, { name: 'sk_buff', from: this.ctxAt, to: this.ctxAt, write: false })
    }
    this.random = options.seed | 0 || 1
  }

  /** After memory moved: the register file's view again. */
  refreshRegs(): void {
    const buffer = this.mem.bytes.buffer as ArrayBuffer
    if (this.regs.buffer !== buffer) this.regs = new Int32Array(buffer, this.regsAt, this.registerWords)
  }

  /** The number that an LD_IMM64 loads, where it stands for something of this machine. */
  private resolve(insn: Insn): { lo: number; hi: number } | undefined {
    const high = insn.imm64?.high ?? 0
    const map = this.maps[insn.imm]
    switch (insn.spec.imm64) {
      case 'value':
        return { lo: insn.imm, hi: high }
      case 'map_fd':
      case 'map_index':
        return map && { lo: insn.imm, hi: REGION.map }
      case 'map_value':
      case 'map_index_value':
        return map?.directValue(high)
      default:
        return undefined
    }
  }

  // ---- the packet ----

  /** Puts a packet in place and fills the context. False (and a fault) if it is too long. */
  setPacket(packet: Uint8Array, meta: PacketMeta): boolean {
    if (packet.length > this.options.packetBytes) {
      const reason = `a packet of ${packet.length} bytes is longer than ${this.options.packetBytes}`
      this.fault = { kind: 'packet', insn: 0, slot: 0, reason }
      return false
    }
    const at = this.packetFrom + ROOM.head
    // What lies before a packet is anything in the kernel; here it is 0, so that runs repeat.
    if (this.growsHead) this.mem.bytes.fill(0, at - XDP_HEADROOM, at)
    this.mem.bytes.set(packet, at)
    this.place(at, packet.length, meta)
    return true
  }

  /** Makes the bytes at an address the packet, where they are. */
  place(at: number, length: number, meta: PacketMeta): void {
    const metaLength = this.xdp ? (meta.metaLength ?? 0) : 0
    this.info = meta
    this.tunnel = undefined
    this.linkAt = at
    this.netAt = at + Math.min(meta.linkHeader ?? 14, length)
    const first = this.fromNetwork ? this.netAt : at
    this.skipped = first - at
    this.roomFrom = at - (this.xdp ? XDP_HEADROOM : ROOM.head)
    this.meta = first - metaLength
    if (metaLength > 0) this.mem.bytes.fill(0, this.meta, first)
    this.data = first
    this.end = at + length
    const { timestampNs } = meta
    if (timestampNs === undefined) this.timeLo = this.timeHi = 0
    else {
      const { lo, hi } = timeWords(timestampNs)
      this.timeLo = lo
      this.timeHi = hi
    }
    if (this.xdp) fillXdp(this.mem.words, this.ctxAt, meta)
    else this.fillSkb(length)
    this.packetMoved()
  }

  private fillSkb(frameLength: number): void {
    const { words, bytes } = this.mem
    const frame = { bytes, at: this.linkAt, length: frameLength }
    fillSkb(words, this.ctxAt, this, frame, this.info, { lo: this.timeLo, hi: this.timeHi })
    if (this.options.type === 'cgroup_skb') {
      const { netAt, end, info, options } = this
      const protocol = info.protocol ?? protocolOf(bytes, this.linkAt, frameLength)
      const socket = info.socket === undefined ? undefined : options.world.sockets?.[info.socket]
      fillSocket(bytes, this.ctxAt, { netAt, end, protocol }, info, socket)
    }
    if (!this.netfilter) return
    bytes[this.hookStateAt + NF_HOOK_STATE.hook] = this.info.hook ?? 0
    bytes[this.hookStateAt + NF_HOOK_STATE.pf] = familyOf(
      this.info.protocol ?? protocolOf(bytes, this.linkAt, frameLength),
    )
  }

  /** Tells the region table and the context where the packet is now. */
  packetMoved(): void {
    const { words } = this.mem
    const row = (AT.regions >> 2) + REGION.packet * ROW.words
    words[row] = this.meta
    words[row + 1] = this.end
    words[row + 2] = this.writable ? this.meta : 0
    words[row + 3] = this.writable ? this.end : 0
    words[row + 4] = this.meta
    words[row + 5] = this.end
    words[this.dataWord] = this.data
    words[this.dataWord + 1] = this.end
    words[this.metaWord] = this.meta
  }

  /** Whether the packet is another than the one given to `setPacket`. */
  packetDiffers(packet: Uint8Array): boolean {
    const { bytes } = this.mem
    const { data } = this
    const { skipped } = this
    if (packet.length - skipped !== this.end - data) return true
    for (let i = skipped; i < packet.length; i++) if (bytes[data + i - skipped] !== packet[i]) return true
    return false
  }

  /** The packet as it is now: a copy. */
  packetBytes(): Uint8Array {
    return this.mem.bytes.slice(this.data, this.end)
  }

  // ---- a run ----

  /** Everything a run starts with: registers, one stack frame, budgets. */
  reset(): void {
    const { regs, mem } = this
    // A loop: so few words are cleared sooner than `fill` is called. Four at a time: JavaScript engines look at the view anew each time round.
    for (let i = 0; i < FIRST_CONSTANT * 2; i += 4) {
      regs[i] = 0
      regs[i | 1] = 0
      regs[i | 2] = 0
      regs[i | 3] = 0
    }
    this.fault = undefined
    this.programIndex = 0
    this.pc = 0
    this.used = 0
    this.frames.reset()
    this.mayGoto = MAY_GOTO
    this.tailCalls = 0
    mem.words[AT.returned >> 2] = 0
    mem.words[AT.spent >> 2] = 0
    if (this.outputs.length > 0) this.outputs = []
    this.sentBytes = 0
    this.next = undefined
    this.callbacks.entered = false
    if (this.usesStack) mem.bytes.fill(0, this.stackAt, this.stackAt + LIMITS.stackBytes)
    regs[20] = this.stackAt + LIMITS.stackBytes
    regs[21] = REGION.stack
  }

  /** The arguments of the program, once the packet is in place. */
  enterProgram(): void {
    const { regs, options } = this
    if (options.mode === 'rfc9669') {
      regs[2] = this.data
      regs[3] = REGION.packet
      regs[4] = this.end - this.data
    } else {
      regs[2] = this.ctxAt
      regs[3] = REGION.ctx
    }
  }

  /** Functions that the current one was called through. */
  get depth(): number {
    return this.frames.depth
  }

  get tailCalls(): number {
    return this.mem.words[AT.tailCalls >> 2]!
  }

  set tailCalls(count: number) {
    this.mem.words[AT.tailCalls >> 2] = count
  }

  /** Index of the instruction that ended the run, counted through all programs; of the function's that returned what ended it, where an exit only hands that on. */
  get decidedAt(): number {
    return this.mem.words[AT.returned >> 2]!
  }

  /** The program that this instruction is of. */
  get decidedIn(): number {
    return within(this.starts, this.decidedAt)
  }

  /** Goes to a code position, counted through all programs. Returns the program's code. */
  goTo(position: number): Int32Array {
    this.programIndex = within(this.codeStarts, position)
    this.pc = position - this.codeStarts[this.programIndex]!
    return this.programs[this.programIndex]!.code
  }

  /** A seeded number, the same in every run of the machine (xorshift32). */
  nextRandom(): number {
    let x = this.random
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.random = x
    return x
  }

  get randomState(): number {
    return this.random
  }

  seed(seed: number): void {
    this.random = seed | 0 || 1
  }

  // ---- faults ----

  /** Stops the run at `pc`. Always false. */
  fail(draft: FaultDraft): boolean {
    if (this.fault) return false
    const program = this.programs[this.programIndex]!
    const at = this.pc >> 2
    // Places after the program stand for the jump that led there.
    const insn = at < program.insns.length ? at : (program.code[this.pc + 1] ?? 0)
    const reason = `${draft.reason} at insn ${insn}`
    const where = this.programIndex > 0 ? { program: this.programIndex } : {}
    this.fault = { ...draft, insn, slot: program.slots[insn] ?? 0, ...where, reason }
    return false
  }

  /** The fault of an access that is not inside any region. Always false. */
  failAccess(region: number, lo: number, off: number, size: number, write: boolean): boolean {
    return this.fail(accessFault(this.mem, { region, lo, off, size, write }))
  }

  // ---- what helpers use ----

  private valueRoom = { at: 0, length: 0 }
  private readonly keyRooms: { lo: number; hi: number }[] = []

  /** Copies a value from JavaScript to where maps can read it. */
  valueBuffer(value: Uint8Array): number {
    if (this.valueRoom.length < value.length) {
      this.valueRoom = { at: this.mem.alloc(value.length), length: value.length }
      this.refreshRegs()
    }
    this.mem.bytes.set(value, this.valueRoom.at)
    return this.valueRoom.at
  }

  /** A region for the key that a callback is given: another for each that is called inside one. Undefined after a fault. */
  keyRegion(length: number): { lo: number; hi: number } | undefined {
    const { depth } = this
    let room = this.keyRooms[depth]
    if (!room) {
      if (!this.mem.hasRoom(512)) {
        this.fail({ kind: 'budget', reason: `no room for a key in ${this.options.memoryBytes} bytes of memory` })
        return undefined
      }
      const lo = this.mem.alloc(512)
      this.refreshRegs()
      const spec = { name: 'key', from: lo, to: lo + length, write: false }
      room = { lo, hi: this.mem.addRegion(spec) ?? 0 }
      this.keyRooms[depth] = room
    }
    const { lo, hi } = room
    this.mem.setRegion(hi, { name: 'key', from: lo, to: lo + length, write: false })
    return room
  }

  /** The byte at an offset from a pointer in a register; undefined after a fault. */
  byteOf(register: number, offset: number): number | undefined {
    const lo = this.regs[register * 2]! + offset
    const hi = this.regs[register * 2 + 1]!
    if (lo >= 0 && hi !== REGION.ctx && this.mem.inside(hi, lo, 1, false)) return this.mem.bytes[lo]
    this.failAccess(hi, lo, 0, 1, false)
    return undefined
  }

  /** The linear address of `length` readable (or writable) bytes that a register points to; undefined after a fault. */
  memArg(register: number, length: number, write: boolean): number | undefined {
    const lo = this.regs[register * 2]!
    const hi = this.regs[register * 2 + 1]!
    if (length === 0) return lo
    if (length > 0 && lo >= 0 && hi !== REGION.ctx && this.mem.inside(hi, lo, length, write))
      return length <= FREE_BYTES || this.spend(length) ? lo : undefined
    this.failAccess(hi, lo, 0, length, write)
    return undefined
  }

  /** A helper goes through so many bytes. False, and a fault, if that is more than a run may have. */
  spend(bytes: number): boolean {
    const { words } = this.mem
    const { helperBytes } = this.options
    const spent = words[AT.spent >> 2]! + bytes
    if (spent > helperBytes) return this.fail(overWork(helperBytes))
    words[AT.spent >> 2] = spent
    return true
  }

  /** Sends something out of the program, of so many bytes. False, and a fault, if that is more than a run may send; then nothing was made. */
  send(output: Output | (() => Output), bytes: number): boolean {
    const { outputBytes } = this.options
    this.sentBytes += bytes + OUTPUT_BYTES
    if (this.sentBytes > outputBytes) return this.fail(overOutput(outputBytes))
    this.outputs.push(typeof output === 'function' ? output() : output)
    return true
  }

  /** The map that a register points to; undefined after a fault. */
  mapArg(register: number): BpfMap | undefined {
    const map = this.regs[register * 2 + 1] === REGION.map ? this.maps[this.regs[register * 2]!] : undefined
    if (!map) this.fail({ kind: 'helper-argument', reason: `r${register} is no map` })
    return map
  }

  /** Whether a register points to the context; a fault if not. */
  ctxArg(register: number): boolean {
    if (this.regs[register * 2 + 1] === REGION.ctx && this.regs[register * 2] === this.ctxAt) return true
    return this.fail({ kind: 'helper-argument', reason: `r${register} is not the context` })
  }

  /** Calls helper `id`. False after a fault. */
  callHelper(id: number): boolean {
    const helper = this.helpers.get(id)
    if (!helper) return this.fail({ kind: 'unknown-helper', reason: unknownHelper(id) })
    const result = helper(this)
    this.refreshRegs()
    if (typeof result === 'number') {
      this.regs[0] = result
      this.regs[1] = result >> 31
    }
    return this.fault === undefined
  }
}

/** Which of the programs, whose starts are given, a place is in. */
function within(starts: readonly number[], place: number): number {
  let program = starts.length - 1
  while (starts[program]! > place) program--
  return program
}

function unknownHelper(id: number): string {
  if (id < 0) return 'a kernel function that is not known here'
  const name = helperName(id)
  return name ? `helper bpf_${name} (${id}) is not implemented` : `there is no helper ${id}`
}
