// A filter of the IR as an eBPF program.

import { type Insn, type MapDef, PROG_TYPES, type ProgType, type ProgTypeName } from '@netsieve/asm'
import { type BaseChain, type Filter, isShort, listBase, placeOf, setsOf, type Term, termsAt, termsOfField, VIEWS, type View } from '@netsieve/ir' // biome-ignore format: one line
import { type Base, isMetadata, type MetadataLayout } from '@netsieve/packet'
import { accessFor } from './access.ts'
import { FILL, type Needs } from './dispatch.ts'
import { Emitter, NOTHING, R } from './emitter.ts'
import { dispatch, LINK } from './headers.ts'
import { keptOf } from './kept.ts'
import { Maps } from './lookup/maps.ts'
import { localsOf, metadataMap, metadataOfFilter, sourceFor } from './metadata.ts'
import { baseChain } from './rules.ts'
import { stateFor } from './state.ts'
import { fillLocals } from './terms.ts'
import { beyondType } from './type.ts'

export interface GenerateOptions {
  readonly type: ProgTypeName
  /** Count packets and bytes of each rule, in the map `netsieve_counters`. */
  readonly counters?: boolean
  /** Compile rules one after the other even where they are a list that one decision stands for. */
  readonly oneByOne?: boolean
}

/** A generated program with what it needs beside it. */
export interface Generated {
  readonly type: ProgTypeName
  readonly insns: readonly Insn[]
  readonly maps: readonly MapDef[]
  /** What is to be written to the map `netsieve_meta` before each packet; absent if the program reads nothing from there. */
  readonly metadata?: MetadataLayout
}

/**
 * Compiles a checked filter. Each instruction's `origin` tells the rule, policy or header it is for; the origin of the exit that ends a
 * run is what decided the packet.
 * @throws Error for a filter that `check` or `beyondType` refuses.
 */
export function generate(filter: Filter, { type, counters = false, oneByOne = false }: GenerateOptions): Generated {
  const progType: ProgType = PROG_TYPES[type]
  const beyond = beyondType(filter, type)
  if (beyond.length > 0) throw new Error(beyond[0]!.message)
  const maps = new Maps()
  const layout = metadataOfFilter(filter, type)
  const map = layout ? maps.add(metadataMap(layout)) : -1
  const locals = localsOf(filter)
  const state = stateFor(filter, counters, maps)
  const e = new Emitter()
  const access = accessFor(type)
  const sets = setsOf(filter)
  const kept = keptOf(filter)
  e.origin = { text: 'program start' }
  access.prologue(e)
  for (const [field, slot] of locals) {
    const [base] = filter.base
    if (!base) break
    const metadata = sourceFor(type, base, { layout, map, locals })
    const path = { ...FILL, kind: 'other', view: VIEWS[base.view] } as const
    fillLocals({ e, access, path, netRef: LINK, metadata, state, maps, sets, kept }, field, slot)
  }
  const starts = filter.base.map(() => e.label('base'))
  const pass = e.label('pass')
  for (const [i, base] of filter.base.entries()) {
    e.bind(starts[i]!)
    if (!e.reachable) break
    e.flow = { ...NOTHING, link: e.flow.link }
    const view: View = VIEWS[base.view]
    const last = i === filter.base.length - 1
    const onward = last ? pass : starts[i + 1]!
    const metadata = sourceFor(type, base, { layout, map, locals })
    dispatch({
      e,
      access,
      view,
      needs: needsOf(filter, base, counters || countsBytes(filter)),
      wants: {
        ipv4: base.family !== 'ipv6',
        ipv6: base.family !== 'ipv4',
        other: base.family === 'any',
      },
      unseen: onward,
      tagsBeside: progType.context === '__sk_buff',
      rules: (path, netRef) =>
        baseChain({
          ...{ e, access, path, netRef, metadata, state, maps, sets, kept, filter, base, type: progType, oneByOne },
          onAccept: last ? undefined : onward,
        }),
    })
    // What this base chain put off to the end must stand before the next one starts: its accepts jump forward.
    e.runDeferred()
  }
  e.bind(pass)
  e.origin = { text: 'not seen by any chain' }
  e.put((c) => c.mov(R.RET, progType.returns.pass))
  e.exit()
  return { type, insns: e.finish(), maps: maps.finish(), ...(layout && { metadata: layout }) }
}

/** Whether some step asks for the packet's length. */
function countsBytes({ chains, state = [] }: Filter): boolean {
  const bytes = new Set(
    state
      .filter((def) => def.kind === 'quota' || (def.kind === 'limit' && def.unit === 'bytes'))
      .map(({ name }) => name),
  )
  return chains.some(({ rules }) =>
    rules.some(({ steps }) =>
      steps.some(
        (step) => (step.kind === 'count' && step.counter !== undefined) || ('state' in step && bytes.has(step.state)),
      ),
    ),
  )
}

/** What the rules that a base chain can reach ask of a packet. */
function needsOf(filter: Filter, base: BaseChain, counts: boolean): Needs {
  const needs = {
    network: base.family !== 'any' || counts,
    pastAddresses: false,
    transport: false,
    l4proto: false,
    fragments: false,
  }
  const use = (from: Base, bit: number, bits: number, indexed = false): void => {
    if (from !== 'link') needs.network = true
    else if (bit + bits > 96 || indexed) needs.pastAddresses = true
    if (from !== 'transport') return
    needs.transport = true
    if (indexed || !isShort(bit, bits)) needs.fragments = true
  }
  const visit = (term: Term): void => {
    switch (term.kind) {
      case 'length':
      case 'walk':
        needs.pastAddresses = true
        return
      case 'load':
        return use(term.base, term.offset * 8, term.bytes * 8, term.index !== undefined)
      case 'raw':
        return use(term.base, term.bit, term.bits, term.index !== undefined)
      case 'find':
        use(listBase(term.list), 0, 0, true)
        if (listBase(term.list) === 'transport') needs.l4proto = true
        return
      case 'field': {
        if (isMetadata(term.field)) return
        if (term.field === 'meta.l4proto') needs.l4proto = true
        const place = placeOf(term.field)
        for (const part of termsOfField(term.field)) visit(part)
        return place ? use(place.base, place.bit, place.bits, place.index !== undefined) : use('meta', 0, 0)
      }
    }
  }
  for (const { step, term } of termsAt(filter, [base.chain])) {
    if (step.kind === 'match' && step.view) needs.fragments = true
    visit(term)
  }
  return needs
}
