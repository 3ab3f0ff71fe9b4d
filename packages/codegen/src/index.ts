export { type CbpfOptions, generateCbpf } from './cbpf/index.ts'
export { type Generated, type GenerateOptions, generate } from './generate.ts'
