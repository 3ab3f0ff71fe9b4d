// Sets of IR text: what stands in their first line, and their elements. The grammar is in parse.ts.

import { VALUE_KINDS } from '@netsieve/packet'
import type { Scan } from './scan.ts'
import type { ElementData, Range, SetDef, SetKey, Verdict } from './types.ts'

export type SetHead = Pick<SetDef, 'name' | 'keys' | 'data'>

/** `NAME 32:ipv4 . 16:port`; of a map with what it holds behind an arrow. @throws Fault */
export function readSetHead(scan: Scan, map: boolean): SetHead {
  const name = scan.name()
  const keys = readKeys(scan)
  if (!map) return { name, keys }
  needArrow(scan)
  const data = scan.word('verdict') ? 'verdict' : { bits: scan.integer('a number of bits') }
  return { name, keys, data }
}

/** `32:ipv4 . 16:port`. */
export function readKeys(scan: Scan): SetKey[] {
  const keys = [readComponent(scan)]
  while (scan.mark('.')) keys.push(readComponent(scan))
  return keys
}

function readComponent(scan: Scan): SetKey {
  const bits = scan.integer('a number of bits')
  return scan.mark(':') ? { bits, kind: scan.oneOf(VALUE_KINDS, 'kind of values') } : { bits }
}

/** An element with what the set is to hold for it; no key: the catch-all. @throws Fault */
export function readElement(
  scan: Scan,
  { data }: SetHead,
  readVerdict: (scan: Scan) => Verdict,
): ElementData & { readonly key?: readonly Range[] } {
  const start = scan.offset
  const key: Range[] = []
  const all = scan.mark('*')
  if (!all) {
    key.push(scan.range())
    while (scan.mark('.')) key.push(scan.range())
  }
  if (data) needArrow(scan)
  const held = data === 'verdict' ? { verdict: readVerdict(scan) } : data ? { value: scan.needValue() } : {}
  return { ...(!all && { key }), ...held, span: scan.span(start) }
}

function needArrow(scan: Scan): void {
  if (!scan.mark('→')) scan.needMark('->')
}
