// A filter of the IR as C for clang's BPF target: a prelude that finds headers and loads bytes, a function for each rule, and the program.
// It gives the verdicts of ir's evaluate, and holds only the functions that this filter needs.

import { PROG_TYPES, type ProgTypeName, SECTION_OF_TYPE } from '@netsieve/asm'
import { Diagnostics, type Outcome } from '@netsieve/diag'
import { type Chain, type Filter, PROFILES, VIEWS, type View, type ViewName } from '@netsieve/ir'
import { contextOf, packetStruct, tagsBeside, targetOf } from './prelude.ts'
import { baseFunction, type RuleScope } from './rules.ts'
import { comment, identifier, inComment } from './text.ts'
import { Unit } from './unit.ts'

export interface GenerateCOptions {
  readonly type: ProgTypeName
  /** Where the rules are from, for the opening comment. */
  readonly from?: string
}

/**
 * A checked filter as the text of a C file, or what C has no way to say (`codegen/c`).
 * @throws Error for a filter that `check` refuses.
 */
export function generateC(filter: Filter, { type, from = 'rules' }: GenerateCOptions): Outcome<string> {
  const diags = new Diagnostics()
  const target = targetOf(type)
  if (!target) {
    diags.error('codegen/c', `unsupported: programs of type ${type} are not written in C`)
    return { diagnostics: diags.list }
  }
  const unit = new Unit()
  packetStruct(unit, type)
  if (target.header) unit.include(target.header)
  const views = [...new Set(filter.base.map(({ view }) => view))]
  const scopes = new Map(views.map((view) => [view, scopeOf(unit, type, filter, view, views.length > 1)]))
  const asked = filter.base.map(
    (base) => `	if (${baseFunction(scopes.get(base.view)!, base)}(&p) == DROP)\n		return ${target.drop};`,
  )
  // The context is read here alone: clang would move a read in a rule to where the verifier no longer knows the pointer.
  const tag = `
	if (ctx->vlan_present) {
		p.tag = bpf_ntohs(ctx->vlan_proto) << 16 | ctx->vlan_tci;
		p.size += 4;
	}`
  unit.need('SEC', () => `SEC("${SECTION_OF_TYPE[type]}")
int netsieve(${contextOf(type)} *ctx)
{
${asked.length > 0 ? `	struct packet p = { .ctx = ctx, .size = ${target.size} };\n${tagsBeside(type) ? tag : ''}\n${asked.join('\n')}` : '	(void)ctx;'}
	return ${target.pass};
}

char LICENSE[] SEC("license") = "GPL";`, 'rules') // biome-ignore format: C
  return diags.outcome(unit.text(opening(filter, type, from)))
}

function scopeOf(unit: Unit, type: ProgTypeName, filter: Filter, name: ViewName, several: boolean): RuleScope {
  const view: View = VIEWS[name]
  const chains = new Map<string, Chain>(filter.chains.map((chain) => [chain.name, chain]))
  return {
    unit,
    type,
    filter,
    view,
    name: (plain) => (several ? `${identifier(name)}_${plain}` : plain),
    absent: view.missing === 'reject' ? 'POLICY' : 'NEXT',
    chains,
    calls: callsOf(filter),
  }
}

/** From how many rules each chain is called. */
function callsOf(filter: Filter): ReadonlyMap<string, number> {
  const calls = new Map<string, number>()
  const add = (name: string) => calls.set(name, (calls.get(name) ?? 0) + 1)
  for (const { chain } of filter.base) add(chain)
  for (const { rules } of filter.chains) {
    for (const { steps } of rules) {
      for (const step of steps) if (step.kind === 'verdict' && 'chain' in step.verdict) add(step.verdict.chain)
    }
  }
  return calls
}

function opening({ syntax, profile }: Filter, type: ProgTypeName, from: string): string {
  const needs =
    PROG_TYPES[type].context === 'xdp_md' ? 'Linux 5.18 or later (bpf_xdp_load_bytes)' : 'Linux 5.3 or later'
  return comment(
    `${inComment(from)}: ${inComment(syntax)} rules, profile ${profile} (${PROFILES[profile].title}), as a program of type ${type}.`,
    'Written by netsieve. The rules are at the end, each a function; what stands before them finds headers and loads bytes.',
    '',
    `	clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c FILE.c -o FILE.o`,
    '',
    `Needs libbpf's headers, and ${needs}.`,
  )
}
