// Programs of filters in the running kernel against their meaning: what the tests here have in common.

import { decisionOf } from '@netsieve/asm'
import type { Generated } from '@netsieve/codegen'
import { evaluate, type Filter, print } from '@netsieve/ir'
import { askKernel, programOf } from './oracle.ts'

/**
 * Runs programs over frames in the kernel. @returns how many frames it judged: its test run does not take every frame. @throws Error where it does not
 * accept a program, or decides otherwise than the filter means
 */
export function judgeInKernel(
  programs: readonly { readonly filter: Filter; readonly generated: Generated }[],
  frames: readonly Uint8Array[],
): number {
  const hex = frames.map((frame) => Buffer.from(frame).toString('hex'))
  const replies = askKernel(
    programs.map(({ generated }) => ({ op: 'run', type: generated.type, ...programOf(generated), frames: hex })),
  )
  let judged = 0
  for (const [i, reply] of replies.entries()) {
    const { filter, generated } = programs[i]!
    if (!reply.accepted)
      throw new Error(`the kernel rejects (${reply.errno ?? '?'}): ${reply.reason}\n${print(filter)}`)
    for (const [j, r0] of (reply.run?.retvals ?? []).entries()) {
      if (r0 === null || r0 < -1) continue
      judged++
      const want = evaluate(filter, frames[j]!).decision
      if (decisionOf(generated.type, r0) !== want)
        throw new Error(`kernel ${generated.type}: ${r0}, meaning: ${want}\n${print(filter)}\nframe ${hex[j]}`)
    }
  }
  return judged
}
