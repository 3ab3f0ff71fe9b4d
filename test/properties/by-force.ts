// Filters as programs that are divided though they need not be: into functions, and into several programs.

import { type Generated, type GenerateOptions, generate, type Plan, programsOf, TooLong } from '@netsieve/codegen'
import type { Filter } from '@netsieve/ir'
import { type Verdict, verify } from '@netsieve/verifier'

/** The program under a plan; where its programs would be too many, or could not hand on what they must, as one program. */
export function byForce(filter: Filter, options: GenerateOptions, plan: Plan): Generated {
  try {
    return generate(filter, { ...options, plan })
  } catch (long) {
    if (!(long instanceof TooLong)) throw long
    return generate(filter, { ...options, plan: { ...plan, program: 1_000_000 } })
  }
}

/** What is said of the first program that is not accepted, or of the first. */
export function verifyAll(generated: Generated): Verdict {
  const verdicts = programsOf(generated).map(({ insns, functions }) => {
    const { type, maps } = generated
    return verify(insns, { type, maps, ...(functions && { functions }) })
  })
  return verdicts.find(({ status }) => status !== 'accepted') ?? verdicts[0]!
}
