// How fast the verifier is: processed instructions a second on programs of three shapes and on generated ones, beside the kernel's own
// time for the same programs where there is a kernel to ask.
//   node bench/run.mjs bench/verifier.ts

import { startKernel, whyNoKernel } from '../test/verifier/kernel.ts'
import { speedOf, WORKLOADS } from './verifier-workloads.ts'

const kernel = whyNoKernel() ? undefined : startKernel()
console.log('| programs | processed | first ms | median ms | M insn/s | kernel processed | kernel ms |')
console.log('| --- | --- | --- | --- | --- | --- | --- |')
for (const workload of WORKLOADS) {
  const { processed, firstMs, medianMs, kernel: theirs } = await speedOf(workload, kernel)
  const ours = [processed, firstMs.toFixed(0), medianMs.toFixed(0), (processed / medianMs / 1000).toFixed(2)]
  const beside = theirs ? [theirs.processed, theirs.ms.toFixed(1)] : ['', '']
  console.log(`| ${[workload.name, ...ours, ...beside].join(' | ')} |`)
}
kernel?.close()
