// Sizes that the kernel fixes (include/uapi/linux/bpf.h and the verifier's documentation).

export const LIMITS = {
  /** Bytes of stack of one frame, and of all frames of a call chain together. */
  stackBytes: 512,
  /** Call depth, the main program included. */
  frames: 8,
  /** Functions of a program, its own start included. */
  functions: 256,
  /** Slots of a program, and of one whose loader has no CAP_BPF. */
  programSlots: 1_000_000,
  unprivilegedSlots: 4096,
  /** Instructions that the verifier processes at most. */
  verifierInsns: 1_000_000,
  /** Tail calls a packet. */
  tailCalls: 33,
} as const
