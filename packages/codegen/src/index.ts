export { type CbpfOptions, generateCbpf } from './cbpf/index.ts'
export { type Generated, type GenerateOptions, generate } from './generate.ts'
export { leaves, METADATA_MAP } from './metadata.ts'
export { COUNTER_MAP, readCounters, readState, STATE_MAP } from './state.ts'
