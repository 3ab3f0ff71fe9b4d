// What a pass is.

import type { Filter } from '../types.ts'

export interface Pass {
  readonly name: string
  /** What holds of a filter after it. */
  readonly after: string
  /** `rule`: every packet is decided by the same rule as before, for the same reason; `verdict`: it is decided alike, perhaps in another rule's name. */
  readonly keeps: 'rule' | 'verdict'
  /** Takes and gives a filter that `check` takes. Rules, chains and spans that do not change are the same objects. */
  run(filter: Filter): Filter
}
