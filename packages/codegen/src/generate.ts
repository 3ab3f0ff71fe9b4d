// A filter of the IR as an eBPF program.

import { type Insn, type MapDef, PROG_TYPES, type ProgType, type ProgTypeName } from '@netsieve/asm'
import { type BaseChain, type Filter, type Pred, type Term, VIEWS, type View } from '@netsieve/ir'
import { FIELDS, PROTOCOLS } from '@netsieve/packet'
import { accessFor } from './access.ts'
import { Emitter, NOTHING, R } from './emitter.ts'
import { dispatch, type Needs } from './headers.ts'
import { baseChain } from './rules.ts'

export interface GenerateOptions {
  readonly type: ProgTypeName
}

/** A generated program with what it needs beside it. */
export interface Generated {
  readonly type: ProgTypeName
  readonly insns: readonly Insn[]
  readonly maps: readonly MapDef[]
}

/**
 * Compiles a checked filter. Each instruction's `origin` tells the rule, policy or header it is for; the origin of the exit that ends a
 * run is what decided the packet.
 * @throws Error for a filter that `check` refuses.
 */
export function generate(filter: Filter, { type }: GenerateOptions): Generated {
  const progType: ProgType = PROG_TYPES[type]
  if (progType.firstHeader !== 'link')
    throw new Error(`programs of type ${type} start at the network header: not generated`)
  const e = new Emitter()
  const access = accessFor(type)
  e.origin = { text: 'program start' }
  access.prologue(e)
  const starts = filter.base.map(() => e.label('base'))
  const pass = e.label('pass')
  for (const [i, base] of filter.base.entries()) {
    e.bind(starts[i]!)
    if (!e.reachable) break
    e.flow = { ...e.flow, net: NOTHING.net, transport: NOTHING.transport, avail: NOTHING.avail, located: false }
    const view: View = VIEWS[base.view]
    const last = i === filter.base.length - 1
    const onward = last ? pass : starts[i + 1]!
    dispatch({
      e,
      access,
      view,
      needs: needsOf(filter, base),
      wants: {
        ipv4: base.family !== 'ipv6',
        ipv6: base.family !== 'ipv4',
        other: base.family === 'any',
      },
      unseen: onward,
      rules: (path, netRef) =>
        baseChain({ e, access, path, netRef, filter, base, type: progType, onAccept: last ? undefined : onward }),
    })
    // What this base chain put off to the end must stand before the next one starts: its accepts jump forward.
    e.runDeferred()
  }
  e.bind(pass)
  e.origin = { text: 'not seen by any chain' }
  e.put((c) => c.mov(R.RET, progType.returns.pass))
  e.exit()
  return { type, insns: e.finish(), maps: [] }
}

/** What the rules that a base chain can reach ask of a packet. */
function needsOf(filter: Filter, base: BaseChain): Needs {
  const needs = { network: base.family !== 'any', transport: false, l4proto: false, longTransport: false }
  const seen = new Set<string>()
  const chain = (name: string): void => {
    if (seen.has(name)) return
    seen.add(name)
    for (const rule of filter.chains.find((candidate) => candidate.name === name)?.rules ?? []) {
      for (const step of rule.steps) {
        if (step.kind === 'match') pred(step.pred)
        else if (step.kind === 'verdict' && 'chain' in step.verdict) chain(step.verdict.chain)
      }
    }
  }
  const pred = (node: Pred): void => {
    switch (node.kind) {
      case 'const':
        return
      case 'and':
      case 'or':
        return node.args.forEach(pred)
      case 'not':
        return pred(node.arg)
      case 'cmp':
      case 'in':
        return term(node.term)
      case 'relation':
        term(node.left)
        return term(node.right)
    }
  }
  const term = (node: Term): void => {
    switch (node.kind) {
      case 'const':
      case 'length':
        return
      case 'mask':
        return term(node.term)
      case 'bin':
        term(node.left)
        return term(node.right)
      case 'load':
        if (node.index) term(node.index)
        return use(node.base, node.offset * 8, node.bytes * 8)
      case 'field': {
        const { proto, bit, bits } = FIELDS[node.field]
        if (node.field === 'meta.l4proto') needs.l4proto = true
        return use(PROTOCOLS[proto].base, bit, bits)
      }
    }
  }
  const use = (from: 'link' | 'net' | 'transport' | 'meta', bit: number, bits: number): void => {
    if (from !== 'link') needs.network = true
    if (from !== 'transport') return
    needs.transport = true
    const first = bit >> 3
    const bytes = ((bit + bits + 7) >> 3) - first
    if (!(bytes === 1 || bytes === 2 || bytes === 4) || first % bytes !== 0) needs.longTransport = true
  }
  chain(base.chain)
  return needs
}
