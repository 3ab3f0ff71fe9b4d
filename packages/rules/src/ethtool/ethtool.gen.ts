// Made from ethtool.ebnf by scripts/grammars.mjs: change the grammar there.

import type { GrammarData } from '../grammar/types.ts'

export const GRAMMAR: GrammarData = [
  {"name":"%command0","alternatives":[[{"rule":"insert"}],[{"rule":"delete"}],[{"rule":"hash"}]]},
  {"name":"command","alternatives":[[{"rule":"S","min":0,"max":"many"},{"rule":"prefix","min":0},{"rule":"%command0"},{"rule":"S","min":0,"max":"many"}]]},
  {"name":"%prefix1","alternatives":[[{"lit":"ethtool"},{"rule":"S","max":"many"}]]},
  {"name":"%prefix2","alternatives":[[{"lit":"--config-ntuple"}],[{"lit":"--config-nfc"}],[{"lit":"-N"}],[{"lit":"-U"}]]},
  {"name":"prefix","alternatives":[[{"rule":"%prefix1","min":0},{"rule":"%prefix2"},{"rule":"S","max":"many"},{"rule":"device"},{"rule":"S","max":"many"}]]},
  {"name":"device","alternatives":[[{"rule":"value"}]]},
  {"name":"%insert3","alternatives":[[{"rule":"S","max":"many"},{"rule":"item"}]]},
  {"name":"insert","alternatives":[[{"lit":"flow-type"},{"rule":"S","max":"many"},{"rule":"type"},{"rule":"%insert3","min":0,"max":"many"}]]},
  {"name":"type","alternatives":[[{"rule":"value"}]]},
  {"name":"%item4","alternatives":[[{"rule":"S","max":"many"},{"rule":"mask"}]]},
  {"name":"item","alternatives":[[{"rule":"name"},{"rule":"S","max":"many"},{"rule":"value"},{"rule":"%item4","min":0}]]},
  {"name":"%mask5","alternatives":[[{"rule":"short"}],[{"rule":"long"}]]},
  {"name":"mask","alternatives":[[{"rule":"%mask5"},{"rule":"S","max":"many"},{"rule":"value"}]]},
  {"name":"short","alternatives":[[{"lit":"m"},{"rule":"END"}]]},
  {"name":"long","alternatives":[[{"rule":"field"},{"lit":"-mask"},{"rule":"END"}]]},
  {"name":"field","alternatives":[[{"lit":"src-ip"}],[{"lit":"dst-ip"}],[{"lit":"src-port"}],[{"lit":"dst-port"}],[{"lit":"dst-mac"}],[{"lit":"src"}],[{"lit":"dst"}],[{"lit":"proto"}],[{"lit":"tos"}],[{"lit":"tclass"}],[{"lit":"l4proto"}],[{"lit":"l4data"}],[{"lit":"spi"}],[{"lit":"vlan-etype"}],[{"lit":"vlan"}],[{"lit":"user-def"}]]},
  {"name":"%name6","alternatives":[[{"chars":"[a-z0-9\\x2D]"}]]},
  {"name":"name","alternatives":[[{"chars":"[a-z]"},{"rule":"%name6","min":0,"max":"many"}]]},
  {"name":"delete","alternatives":[[{"lit":"delete"},{"rule":"S","max":"many"},{"rule":"value"}]]},
  {"name":"%hash7","alternatives":[[{"rule":"S","max":"many"},{"rule":"value"}]]},
  {"name":"hash","alternatives":[[{"lit":"rx-flow-hash"},{"rule":"%hash7","min":0,"max":"many"}]]},
  {"name":"%value8","alternatives":[[{"chars":"[^\\x20\\x09]"}]]},
  {"name":"value","alternatives":[[{"rule":"%value8","max":"many"}]]},
  {"name":"%END9","alternatives":[[{"chars":"[^\\x20\\x09]"}]]},
  {"name":"END","alternatives":[[{"rule":"%END9","look":"!"}]]},
  {"name":"S","alternatives":[[{"chars":"[\\x20\\x09]"}]]},
]
