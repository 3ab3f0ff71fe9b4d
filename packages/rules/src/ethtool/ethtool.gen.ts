// Made from ethtool.ebnf by scripts/grammars.mjs: change the grammar there.

import type { GrammarData } from '../grammar/types.ts'

export const GRAMMAR: GrammarData = [
  {"name":"%1","alternatives":[[{"rule":"insert"}],[{"rule":"delete"}],[{"rule":"hash"}]],"begins":["f","d","r"]},
  {"name":"command","alternatives":[[{"rule":"S","min":0,"max":"many"},{"rule":"prefix","min":0},{"rule":"%1"},{"rule":"S","min":0,"max":"many"}]],"begins":["\t -defr"]},
  {"name":"%2","alternatives":[[{"lit":"ethtool"},{"rule":"S","max":"many"}]],"begins":["e"]},
  {"name":"%3","alternatives":[[{"lit":"--config-ntuple"}],[{"lit":"--config-nfc"}],[{"lit":"-N"}],[{"lit":"-U"}]],"begins":["-","-","-","-"]},
  {"name":"prefix","alternatives":[[{"rule":"%2","min":0},{"rule":"%3"},{"rule":"S","max":"many"},{"rule":"device"},{"rule":"S","max":"many"}]],"begins":["-e"]},
  {"name":"device","alternatives":[[{"rule":"value"}]]},
  {"name":"%4","alternatives":[[{"rule":"S","max":"many"},{"rule":"item"}]],"begins":["\t "]},
  {"name":"insert","alternatives":[[{"lit":"flow-type"},{"rule":"S","max":"many"},{"rule":"type"},{"rule":"%4","min":0,"max":"many"}]],"begins":["f"]},
  {"name":"type","alternatives":[[{"rule":"value"}]]},
  {"name":"%5","alternatives":[[{"rule":"S","max":"many"},{"rule":"mask"}]],"begins":["\t "]},
  {"name":"item","alternatives":[[{"rule":"name"},{"rule":"S","max":"many"},{"rule":"value"},{"rule":"%5","min":0}]],"begins":["abcdefghijklmnopqrstuvwxyz"]},
  {"name":"%6","alternatives":[[{"rule":"short"}],[{"rule":"long"}]],"begins":["m","dlpstuv"]},
  {"name":"mask","alternatives":[[{"rule":"%6"},{"rule":"S","max":"many"},{"rule":"value"}]],"begins":["dlmpstuv"]},
  {"name":"short","alternatives":[[{"lit":"m"},{"rule":"END"}]],"begins":["m"]},
  {"name":"long","alternatives":[[{"rule":"field"},{"lit":"-mask"},{"rule":"END"}]],"begins":["dlpstuv"]},
  {"name":"field","alternatives":[[{"lit":"src-ip"}],[{"lit":"dst-ip"}],[{"lit":"src-port"}],[{"lit":"dst-port"}],[{"lit":"dst-mac"}],[{"lit":"src"}],[{"lit":"dst"}],[{"lit":"proto"}],[{"lit":"tos"}],[{"lit":"tclass"}],[{"lit":"l4proto"}],[{"lit":"l4data"}],[{"lit":"spi"}],[{"lit":"vlan-etype"}],[{"lit":"vlan"}],[{"lit":"user-def"}]],"begins":["s","d","s","d","d","s","d","p","t","t","l","l","s","v","v","u"]},
  {"name":"%7","alternatives":[[{"chars":"[a-z0-9\\x2D]"}]],"begins":["-0123456789abcdefghijklmnopqrstuvwxyz"]},
  {"name":"name","alternatives":[[{"chars":"[a-z]"},{"rule":"%7","min":0,"max":"many"}]],"begins":["abcdefghijklmnopqrstuvwxyz"]},
  {"name":"delete","alternatives":[[{"lit":"delete"},{"rule":"S","max":"many"},{"rule":"value"}]],"begins":["d"]},
  {"name":"%8","alternatives":[[{"rule":"S","max":"many"},{"rule":"value"}]],"begins":["\t "]},
  {"name":"hash","alternatives":[[{"lit":"rx-flow-hash"},{"rule":"%8","min":0,"max":"many"}]],"begins":["r"]},
  {"name":"%9","alternatives":[[{"chars":"[^\\x20\\x09]"}]]},
  {"name":"value","alternatives":[[{"rule":"%9","max":"many"}]]},
  {"name":"%10","alternatives":[[{"chars":"[^\\x20\\x09]"}]]},
  {"name":"END","alternatives":[[{"rule":"%10","look":"!"}]]},
  {"name":"S","alternatives":[[{"chars":"[\\x20\\x09]"}]],"begins":["\t "]},
]
