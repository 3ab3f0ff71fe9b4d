// A simulated Linux verifier: what the kernel would say of an eBPF program, and why.

export type { Cause } from './causes.ts'
export type { LoaderName } from './env.ts'
export { type Explanation, explain, renderExplanation } from './explain.ts'
export type { Facts, Known, Visit } from './facts.ts'
export { type Stats, type Verdict, type VerifyOptions, verify, verifyBytes } from './verify.ts'
