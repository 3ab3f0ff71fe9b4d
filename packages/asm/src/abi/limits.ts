// Sizes that the kernel fixes (include/uapi/linux/bpf.h and the verifier's documentation).

export const LIMITS = {
  /** Bytes of stack of one frame, and of all frames of a call chain together. */
  stackBytes: 512,
  /** Call depth, the main program included. */
  frames: 8,
  /** Slots of a program of a privileged loader. */
  programSlots: 1_000_000,
  /** Instructions that the verifier processes at most. */
  verifierInsns: 1_000_000,
  /** Tail calls a packet. */
  tailCalls: 33,
} as const
