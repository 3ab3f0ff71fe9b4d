export { type Linted, lintRules } from './lint.ts'
export { metadataFields, needsSidecar } from './metadata.ts'
export { objectOf } from './object.ts'
export {
  type Compiled,
  type CompiledVerdict,
  type CompileOptions,
  compile,
  type OptimizeLevel,
  type PacketVerdict,
  readRules,
  rulesById,
  Sieve,
  verifyCompiled,
} from './pipeline.ts'
export { Counter, type Hits, type Totals, table } from './report.ts'
