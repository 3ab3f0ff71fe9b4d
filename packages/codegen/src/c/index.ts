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
import type { MetadataLayout } from '@netsieve/packet'
import { leaves, localsOf, METADATA_MAP, metadataOfFilter, sourceFor } from '../metadata.ts'
import { localMembers, localsAtFirst, localsAtLast, metadataMap } from './metadata.ts'
import { type Parts, partsOf } from './parts.ts'
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
import { baseFunction, baseOfValues } from './rules.ts'
import { type Scope, Unsupported } from './scope.ts'
import { comment, identifier, inComment } from './text.ts'
import { Unit } from './unit.ts'
import { NotKept, Values } from './values.ts'

export interface GenerateCOptions {
  readonly type: ProgTypeName
  /** Where a program of a cgroup is attached. */
  readonly attach?: Side
  /** Where the rules are from, for the opening comment. */
  readonly from?: string
  /** Divide the rules into functions; by default where they are many. */
  readonly divide?: boolean
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
function write(filter: Filter, options: GenerateCOptions): string {
  const calls = callsOf(filter)
  const parts = partsOf(filter, calls, options.divide)
  if (parts) {
    try {
      return new File(filter, options, calls, parts).divided(parts)
    } catch (error) {
      if (!(error instanceof NotKept)) throw error
    }
  }
  return new File(filter, options, calls).whole()
}

/** A C file on its way. */
class File {
  private readonly unit = new Unit()
  /** Fields of the context that rules ask for. */
  private readonly context = new Set<string>()
  private readonly layout: MetadataLayout | undefined
  private readonly target: Target
  private readonly scopeFor: (base: BaseChain) => Scope
  private readonly filter: Filter
  private readonly options: GenerateCOptions
  private readonly values = new Values()

  /** @throws Unsupported */
  constructor(filter: Filter, options: GenerateCOptions, calls: ReadonlyMap<string, number>, parts?: Parts) {
    const { type } = options
    const target = targetOf(type)
    if (!target) throw new Unsupported(`a program of type ${type}`)
    this.filter = filter
    this.options = options
    this.target = target
    this.layout = metadataOfFilter(filter, type)
    const { unit } = this
    if (target.header) unit.include(target.header)
    verdicts(unit)
    if (this.layout) metadataMap(unit, this.layout)
    if (type === 'netfilter') netfilterContext(unit)
    unit.need('struct packet', () => '')
    if (parts) unit.need('struct values', () => '')
    const divided = parts && { parts, values: this.values }
    this.scopeFor = scopes(filter, { unit, type, context: this.context, calls, ...divided }, this.layout)
  }

  /** The program as one function, and those that clang does not write where they are called. */
  whole(): string {
    const { filter, target } = this
    const { type } = this.options
    const asked = filter.base.map(
      (base) => `	if (${baseFunction(this.scopeFor(base), base)}(&p) == DROP)\n		return ${target.drop};`,
    )
    const [base] = filter.base
    const scope = base && this.scopeFor(base)
    const locals = scope ? { first: localsAtFirst(scope), last: localsAtLast(scope) } : { first: [], last: [] }
    this.structs(localMembers([...localsOf(filter).keys()]))
    const value = locals.first.length > 0 ? ['	__u64 value;\n'] : []
    const lines = [...this.packet(target.drop, value), ...locals.first, ...asked, ...locals.last]
    this.program(contextOf(type), asked.length > 0 ? lines : ['	(void)ctx;'])
    return this.text(false)
  }

  /** The program as functions that are given what they ask for. */
  divided(parts: Parts): string {
    const { filter, target, values } = this
    const { type } = this.options
    const asked = filter.base.map((base, i) => {
      const scope = { ...this.scopeFor(base), values, parts }
      const opening = (): string[] => {
        const first = i === 0 ? localsAtFirst(scope) : []
        return [...this.packet('DROP', [], ['	if (!v)\n		return DROP;']), ...first]
      }
      return `	if (${baseOfValues(scope, base, opening)}(ctx, &v) == DROP)\n		return ${target.drop};`
    })
    const [base] = filter.base
    const last = base ? localsAtLast({ ...this.scopeFor(base), values }) : []
    this.structs([])
    this.unit.set('struct values', values.text())
    this.program(contextOf(type), ['	struct values v = {};\n', ...asked, ...last])
    return this.text(true)
  }

  private structs(members: readonly string[]): void {
    const { unit, context, layout } = this
    const { type } = this.options
    const asked = [...context].map((member) => `__u32 ${member};`)
    unit.set('struct packet', packetStruct(type, [...asked, ...members], layout !== undefined))
    if (startsAtNetwork(type)) unit.include('linux/if_ether.h')
  }

  /** The statements that make a packet `p` of the context; \`more\` declarations come behind its own, and \`before\` other statements. */
  private packet(drop: string, more: readonly string[] = [], before: readonly string[] = []): string[] {
    const { context, target, layout } = this
    const { type } = this.options
    const netfilter = type === 'netfilter'
    // A dynamic pointer is made before anything is asked of it.
    const filled = [
      ...(netfilter ? ['.data = &data'] : ['.ctx = ctx', `.size = ${target.size}`]),
      ...(target.protocol && !netfilter ? [`.type = ${target.protocol}`] : []),
      ...[...context].map((member) => `.${member} = ctx->${member}`),
    ]
    return [
      ...(netfilter ? ['	struct bpf_dynptr data;'] : []),
      `	struct packet p = { ${filled.join(', ')} };`,
      ...more,
      ...before,
      ...(netfilter ? [DYNPTR(target, drop)] : []),
      // The context is read here alone: clang would move a read in a rule to where the verifier no longer knows the pointer.
      ...(tagsBeside(type) ? [TAG] : []),
      ...(layout ? [METADATA(drop)] : []),
    ]
  }

  private program(context: string, lines: readonly string[]): void {
    const { type, attach } = this.options
    this.unit.need('SEC', () => `SEC("${sectionOf(type, attach)}")
int netsieve(${context} *ctx)
{
${lines.join('\n')}
	return ${this.target.pass};
}

char LICENSE[] SEC("license") = "GPL";`, 'rules') // biome-ignore format: C
  }

  private text(divided: boolean): string {
    const { type, from = 'rules' } = this.options
    return this.unit.text(opening(this.filter, type, from, divided))
  }
}

const DYNPTR = (
  { size, protocol }: Target,
  drop: string,
) => `	if (bpf_dynptr_from_skb((struct __sk_buff *)ctx->skb, 0, &data))
		return ${drop};
	p.size = ${size};
	p.type = ${protocol};`

const TAG = `	if (ctx->vlan_present) {
		p.tag = bpf_ntohs(ctx->vlan_proto) << 16 | ctx->vlan_tci;
		p.size += 4;
	}`

const METADATA = (drop: string) => `	p.metadata = bpf_map_lookup_elem(&${METADATA_MAP}, &(__u32){ 0 });
	if (!p.metadata)
		return ${drop};`

/** What the functions of each base chain are written in: those that see packets alike share theirs. */
function scopes(
  filter: Filter,
  parts: Pick<Scope, 'unit' | 'type' | 'context' | 'calls' | 'values' | 'parts'>,
  layout: MetadataLayout | undefined,
): (base: BaseChain) => Scope {
  const { type } = parts
  const locals = localsOf(filter)
  const shared = {
    ...parts,
    filter,
    sets: setsOf(filter),
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

/** Global functions are given memory since then; the other contexts want later ones. */
const NEEDS_FUNCTIONS = 'Linux 5.13 or later'

function opening({ syntax, profile }: Filter, type: ProgTypeName, from: string, divided: boolean): string {
  const { context } = PROG_TYPES[type]
  return comment(
    `${inComment(from)}: ${inComment(syntax)} rules, profile ${profile} (${PROFILES[profile].title}), as a program of type ${type}.`,
    'Written by netsieve. The rules are at the end, each a function; what stands before them finds headers and loads bytes.',
    '',
    `	clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c FILE.c -o FILE.o`,
    '',
    `Needs libbpf's headers, and ${divided && context === '__sk_buff' ? NEEDS_FUNCTIONS : NEEDS[context]}.`,
  )
}
