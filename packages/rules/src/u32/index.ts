// tc u32 filters, as Linux 6.18 decides them in software.

import type { FrontEnd } from '../front.ts'
import type { U32Ast } from './ast.ts'
import { lower } from './lower.ts'
import { parse } from './parse.ts'

export type { Key, U32Ast, U32Filter } from './ast.ts'

export const u32: FrontEnd<U32Ast> = {
  title: 'tc u32 (iproute2 6.1, Linux 6.18)',
  profiles: ['u32'],
  parse,
  lower,
}
