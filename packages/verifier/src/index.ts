// A simulated Linux verifier: what the kernel would say of an eBPF program, and why.

export { type Stats, type Verdict, type VerifyOptions, verify, verifyBytes } from './verify.ts'
