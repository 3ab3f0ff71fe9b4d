// ethtool receive filters (ntuple rules), as an ideal device would apply them.

import type { FrontEnd } from '../front.ts'
import type { EthtoolAst } from './ast.ts'
import { lower } from './lower.ts'
import { parse } from './parse.ts'

export type { EthtoolAst, EthtoolDelete, EthtoolRule, FieldMatch } from './ast.ts'
export { FLOW_TYPES } from './words.ts'

export const ethtool: FrontEnd<EthtoolAst> = {
  title: 'ethtool receive filters (ethtool 6.1, an ideal device)',
  profiles: ['ethtool'],
  parse,
  lower,
}
