// What a filter keeps from packet to packet, as variables: counters, token buckets, quotas, turns. libbpf makes maps of them.

import { capacity, cost, firstTurn, type StateDef, type Step } from '@netsieve/ir'
import { type Scope, Unsupported } from './scope.ts'
import { hex, identifier, inComment } from './text.ts'

/** The statement that counts a packet in a counter that has a name. */
export function countNamed(scope: Scope, name: string): string {
  const { unit } = scope
  bytesOf(scope)
  unit.need('count', () => `/* Packets, and their bytes from the network header on. */
struct count {
	__u64 packets, bytes;
};

static __always_inline void count(struct count *count, const struct packet *p)
{
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, bytes_of(p));
}`) // biome-ignore format: C
  const def = kept(scope, name, 'counter')
  const own = unit.called(`counter ${name}`, () => {
    const variable = unit.unique(`counter_${identifier(name)}`)
    return {
      name: variable,
      text: `/* Counter ${inComment(name)} */\nstruct count ${variable} = { ${def.packets}, ${def.bytes} };`,
    }
  })
  return `count(&${own}, p);`
}

/** The condition that a packet is within what a step allows; it is charged for it. */
export function within(scope: Scope, step: Step & { kind: 'limit' | 'quota' | 'nth' }): string {
  const { unit } = scope
  const { kind, state } = step
  if (step.kind === 'limit' && step.key) throw new Unsupported('a limit for each key', step.span)
  const name = unit.called(`${kind} ${state}`, () => {
    const own = unit.unique(`${kind}_${identifier(state)}`)
    return { name: `within_${own}`, text: GATES[kind](scope, own, state) }
  })
  return `${name}(p)`
}

const head = (own: string) => `static __always_inline bool within_${own}(const struct packet *p)\n{\n`

const GATES: Readonly<Record<'limit' | 'quota' | 'nth', (scope: Scope, own: string, name: string) => string>> = {
  limit(scope, own, name) {
    const def = kept(scope, name, 'limit')
    const bytes = def.unit === 'bytes'
    if (bytes) bytesOf(scope)
    const price = bytes ? `bytes_of(p) * ${u64(def.per)} / ${u64(def.rate)}` : u64(cost(def, 0n))
    return `/* Limit ${inComment(name)}: ${def.rate} ${def.unit} in ${def.per} ns, ${def.burst} more at once. Tokens are nanoseconds. */
struct {
	__u64 tokens, last;
} ${own} = { ${u64(capacity(def))}, 0 };

${head(own)}	__u64 now = bpf_ktime_get_ns(), price = ${price};

${bytes ? '' : '	(void)p;\n'}	if (now > ${own}.last) {
		${own}.tokens += now - ${own}.last;
		${own}.last = now;
	}
	if (${own}.tokens > ${u64(capacity(def))})
		${own}.tokens = ${u64(capacity(def))};
	if (${own}.tokens < price)
		return false;
	${own}.tokens -= price;
	return true;
}`
  },
  quota(scope, own, name) {
    const def = kept(scope, name, 'quota')
    bytesOf(scope)
    return `/* Quota ${inComment(name)}: bytes that are used */
__u64 ${own} = ${u64(def.used)};

${head(own)}	__u64 bytes = bytes_of(p);

	return __sync_fetch_and_add(&${own}, bytes) + bytes <= ${u64(def.bytes)};
}`
  },
  nth(scope, own, name) {
    const def = kept(scope, name, 'nth')
    return `/* One packet in ${def.every} of ${inComment(name)} */
__u64 ${own} = ${u64(firstTurn(def))};

${head(own)}	(void)p;
	${own} = ${own} + 1 >= ${u64(def.every)} ? 0 : ${own} + 1;
	return ${own} == 0;
}`
  },
}

const u64 = (value: bigint): string => (value > 0x7fffffffn ? hex(value) : `${value}`)

function bytesOf({ unit }: Scope): void {
  unit.need('bytes_of', () => `/* From the network header on, or all where there is none. */
static __always_inline __u64 bytes_of(const struct packet *p)
{
	return p->net == NONE ? p->size : p->end - p->net;
}`) // biome-ignore format: C
}

/** @throws Error for a name that is not kept, or is something else */
function kept<Kind extends StateDef['kind']>({ filter }: Scope, name: string, kind: Kind): StateDef & { kind: Kind } {
  const def = filter.state?.find((one) => one.name === name)
  if (def?.kind !== kind) throw new Error(`there is no ${kind} ${name}`)
  return def as StateDef & { kind: Kind }
}
