// nftables rulesets and nft command lines.

import type { FrontEnd } from '../front.ts'
import type { Ruleset } from './ast.ts'
import { lower, NFT_PROFILES } from './lower.ts'
import { parse } from './parse.ts'

export const nft: FrontEnd<Ruleset> = {
  title: 'nftables rulesets and nft command lines',
  profiles: NFT_PROFILES,
  parse,
  lower,
}
