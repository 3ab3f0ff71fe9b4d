// Which programs can be walked over records where they lie, and which leave nothing behind for the next record.

import { isCompilable } from './functions.ts'
import { CHANGING, isBuiltIn, QUIET, TAIL_CALL } from './helper-calls.ts'
import type { Jit } from './jit.ts'
import { inFrame, KIND, SOMEWHERE } from './kinds.ts'
import { baseOf, forEachInsn, type Known, sizeOf } from './needs.ts'
import { STORES } from './opcodes.ts'
import type { Target } from './target.ts'

/** Whether the programs can run on records in place: they change no packet and send nothing. */
export function canWalk(jit: Jit): boolean {
  if (jit.engine.options.mode !== 'linux' || !isCompilable(jit.engine)) return false
  const targets = jit.targets()
  if (!targets.every(isQuiet)) return false
  return stores(jit, targets, true)
}

/** Whether a program leaves the packet alone and sends nothing out. */
function isQuiet({ engine, program }: Target): boolean {
  return program.insns.every(
    ({ spec, imm }) =>
      spec.kind !== 'call' ||
      spec.call === 'local' ||
      (spec.call === 'helper' && (QUIET.has(imm) || imm === TAIL_CALL) && isBuiltIn(engine, imm)),
  )
}

/** Whether runs leave nothing behind for the next one: then packets can be divided among machines. */
export function isStateless(jit: Jit): boolean {
  // A lookup changes what is dropped next.
  if (!isCompilable(jit.engine) || jit.engine.maps.some(({ def }) => def.type.startsWith('lru'))) return false
  const targets = jit.targets()
  const changing = ({ program }: Target): boolean =>
    program.insns.some(({ spec, imm }) => spec.call === 'helper' && CHANGING.has(imm))
  return targets.every((target) => isQuiet(target) && !changing(target)) && stores(jit, targets, false)
}

/** Whether all stores go to the stack, or if that is allowed to values of maps. */
function stores(jit: Jit, targets: readonly Target[], values: boolean): boolean {
  const besides = targets.some(({ program }) =>
    program.insns.some(({ spec, dst }) => (spec.kind === 'store' || spec.kind === 'atomic') && dst !== 10),
  )
  return !besides || jit.functions().all.every((known) => storesOf(known, values))
}

/** Whether all stores of a function go to its stack, to one that it was handed, or to values of maps. */
function storesOf(known: Known, values: boolean): boolean {
  const { program, proved } = known.target
  let good = true
  forEachInsn(known, (i, op, kinds) => {
    if (STORES[op] === undefined && op !== 0xc3) return
    const base = baseOf(program.code, i)
    if (kinds[base] === KIND.stack || inFrame(kinds, base, program.code[i * 4 + 3]!, sizeOf(program, i)!)) return
    const sure = kinds[base + 11] !== SOMEWHERE || proved?.(i) === true
    if (!(values && kinds[base] === KIND.value && sure)) good = false
  })
  return good
}
