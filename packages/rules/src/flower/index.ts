// tc flower filters, as Linux 6.18 decides them in software.

import type { FrontEnd } from '../front.ts'
import type { FlowerAst } from './ast.ts'
import { lower } from './lower.ts'
import { parse } from './parse.ts'

export type { Constraint, FlowerAst, FlowerFilter, Key } from './ast.ts'
export { KEYS } from './words.ts'

export const flower: FrontEnd<FlowerAst> = {
  title: 'tc flower (iproute2 6.1, Linux 6.18)',
  profiles: ['flower'],
  parse,
  lower,
}
