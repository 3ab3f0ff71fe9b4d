// A filter of the IR as C for clang's BPF target: a prelude that finds headers and loads bytes, a function for each rule, and the program.
// It gives the verdicts of ir's evaluate, and holds only the functions that this filter needs.

import { type ContextName, PROG_TYPES, type ProgTypeName, type Side, sectionOf } from '@netsieve/asm'
import { Diagnostics, type Outcome } from '@netsieve/diag'
import {
  type BaseChain,
  type Chain,
  calledBy,
  type Filter,
  PROFILES,
  setsOf,
  VIEWS,
  type View,
  type ViewName,
} from '@netsieve/ir'
import { leaves, localsOf, METADATA_MAP, metadataOfFilter, sourceFor } from '../metadata.ts'
import { localMembers, localsAtFirst, localsAtLast, metadataMap } from './metadata.ts'
import {
  contextOf,
  netfilterContext,
  packetStruct,
  startsAtNetwork,
  type Target,
  tagsBeside,
  targetOf,
  verdicts,
} from './prelude.ts'
import { baseFunction } from './rules.ts'
import { type Scope, Unsupported } from './scope.ts'
import { comment, identifier, inComment } from './text.ts'
import { Unit } from './unit.ts'

export interface GenerateCOptions {
  readonly type: ProgTypeName
  /** Where a program of a cgroup is attached. */
  readonly attach?: Side
  /** Where the rules are from, for the opening comment. */
  readonly from?: string
}

/**
 * A checked filter as the text of a C file, or what C has no way to say (`codegen/c`).
 * @throws Error for a filter that `check` refuses.
 */
export function generateC(filter: Filter, options: GenerateCOptions): Outcome<string> {
  try {
    return { value: write(filter, options), diagnostics: [] }
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    const diags = new Diagnostics()
    diags.error('codegen/c', `unsupported: ${error.message} is not written in C`, error.span)
    return { diagnostics: diags.list }
  }
}

/** @throws Unsupported */
function write(filter: Filter, { type, attach, from = 'rules' }: GenerateCOptions): string {
  const target = targetOf(type)
  if (!target) throw new Unsupported(`a program of type ${type}`)
  const unit = new Unit()
  const context = new Set<string>()
  const layout = metadataOfFilter(filter, type)
  if (target.header) unit.include(target.header)
  verdicts(unit)
  if (layout) metadataMap(unit, layout)
  unit.need('struct packet', () => '')
  const scopeFor = scopes(unit, type, filter, context)
  const asked = filter.base.map(
    (base) => `	if (${baseFunction(scopeFor(base), base)}(&p) == DROP)\n		return ${target.drop};`,
  )
  const [base] = filter.base
  const scope = base && scopeFor(base)
  const locals = scope ? { first: localsAtFirst(scope), last: localsAtLast(scope) } : { first: [], last: [] }
  const members = [...[...context].map((member) => `__u32 ${member};`), ...localMembers([...localsOf(filter).keys()])]
  unit.set('struct packet', packetStruct(type, members, layout !== undefined))
  if (type === 'netfilter') netfilterContext(unit)
  if (startsAtNetwork(type)) unit.include('linux/if_ether.h')
  // A dynamic pointer is made before anything is asked of it.
  const filled = [
    ...(type === 'netfilter' ? ['.data = &data'] : ['.ctx = ctx', `.size = ${target.size}`]),
    ...(target.protocol && type !== 'netfilter' ? [`.type = ${target.protocol}`] : []),
    ...[...context].map((member) => `.${member} = ctx->${member}`),
  ]
  const lines = [
    ...(type === 'netfilter' ? ['	struct bpf_dynptr data;'] : []),
    `	struct packet p = { ${filled.join(', ')} };`,
    ...(type === 'netfilter' ? [DYNPTR(target)] : []),
    ...(locals.first.length > 0 ? ['	__u64 value;\n'] : []),
    // The context is read here alone: clang would move a read in a rule to where the verifier no longer knows the pointer.
    ...(tagsBeside(type) ? [TAG] : []),
    ...(layout ? [METADATA.replace('DROP', target.drop)] : []),
    ...[...locals.first, ...asked, ...locals.last],
  ]
  unit.need('SEC', () => `SEC("${sectionOf(type, attach)}")
int netsieve(${contextOf(type)} *ctx)
{
${asked.length > 0 ? lines.join('\n') : '	(void)ctx;'}
	return ${target.pass};
}

char LICENSE[] SEC("license") = "GPL";`, 'rules') // biome-ignore format: C
  return unit.text(opening(filter, type, from))
}

const DYNPTR = ({ drop, size, protocol }: Target) => `	if (bpf_dynptr_from_skb((struct __sk_buff *)ctx->skb, 0, &data))
		return ${drop};
	p.size = ${size};
	p.type = ${protocol};`

const TAG = `	if (ctx->vlan_present) {
		p.tag = bpf_ntohs(ctx->vlan_proto) << 16 | ctx->vlan_tci;
		p.size += 4;
	}`

const METADATA = `	p.metadata = bpf_map_lookup_elem(&${METADATA_MAP}, &(__u32){ 0 });
	if (!p.metadata)
		return DROP;`

/** What the functions of each base chain are written in: those that see packets alike share theirs. */
function scopes(unit: Unit, type: ProgTypeName, filter: Filter, context: Set<string>): (base: BaseChain) => Scope {
  const layout = metadataOfFilter(filter, type)
  const locals = localsOf(filter)
  const shared = {
    ...{ unit, type, filter, context, sets: setsOf(filter), calls: callsOf(filter) },
    chains: new Map<string, Chain>(filter.chains.map((chain) => [chain.name, chain])),
  }
  const made = new Map<string, Scope>()
  const scope = (base: BaseChain, viewName: ViewName): Scope => {
    // Packets on their way out have their device at another place of the context.
    const key = `${viewName}${leaves(base.hook) ? ' out' : ''}`
    const before = made.get(key)
    if (before) return before
    const view: View = VIEWS[viewName]
    const mark = made.size > 0 ? `${identifier(key)}_` : ''
    const one: Scope = {
      ...shared,
      view,
      metadata: sourceFor(type, base, { layout, map: 0, locals }),
      name: (plain) => `${mark}${plain}`,
      absent: view.missing === 'reject' ? 'POLICY' : 'NEXT',
      seenAs: (other) => scope(base, other),
    }
    made.set(key, one)
    return one
  }
  return (base) => scope(base, base.view)
}

/** From how many rules each chain is called. */
function callsOf(filter: Filter): ReadonlyMap<string, number> {
  const calls = new Map<string, number>()
  const add = (name: string) => calls.set(name, (calls.get(name) ?? 0) + 1)
  const sets = setsOf(filter)
  for (const { chain } of filter.base) add(chain)
  for (const { rules } of filter.chains) {
    for (const { steps } of rules) for (const step of steps) calledBy(step, sets).forEach(add)
  }
  return calls
}

const NEEDS: Readonly<Record<ContextName, string>> = {
  xdp_md: 'Linux 5.18 or later (bpf_xdp_load_bytes)',
  __sk_buff: 'Linux 5.3 or later',
  bpf_nf_ctx: 'Linux 6.4 or later with libbpf 1.2 (netfilter programs)',
}

function opening({ syntax, profile }: Filter, type: ProgTypeName, from: string): string {
  return comment(
    `${inComment(from)}: ${inComment(syntax)} rules, profile ${profile} (${PROFILES[profile].title}), as a program of type ${type}.`,
    'Written by netsieve. The rules are at the end, each a function; what stands before them finds headers and loads bytes.',
    '',
    `	clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c FILE.c -o FILE.o`,
    '',
    `Needs libbpf's headers, and ${NEEDS[PROG_TYPES[type].context]}.`,
  )
}
