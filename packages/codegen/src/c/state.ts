// What a filter keeps from packet to packet, as variables: counters, token buckets, quotas, turns. libbpf makes maps of them.

import { capacity, cost, firstTurn, type SetKey, type StateDef, type Step, type Term } from '@netsieve/ir'
import { u128 } from './prelude.ts'
import { fetcher, type Scope } from './scope.ts'
import { asked, inOrder } from './terms.ts'
import { hex, identifier, inComment } from './text.ts'
import type { Unit } from './unit.ts'
import { packetValue } from './values.ts'

/** The statement that counts a packet in a counter that has a name. */
export function countNamed(scope: Scope, name: string): string {
  const { unit } = scope
  unit.need('count', () => `/* Packets, and their bytes from the network header on. */
struct count {
	__u64 packets, bytes;
};

static __always_inline void count(struct count *count, __u64 bytes)
{
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, bytes);
}`) // biome-ignore format: C
  const def = kept(scope, name, 'counter')
  const own = unit.called(`counter ${name}`, () => {
    const variable = unit.unique(`counter_${identifier(name)}`)
    return {
      name: variable,
      text: `/* Counter ${inComment(name)} */\nstruct count ${variable} = { ${def.packets}, ${def.bytes} };`,
    }
  })
  return `count(&${own}, ${bytesOf(scope)});`
}

type Gate = Step & { readonly kind: 'limit' | 'quota' | 'nth' }

/** The condition under which a packet is not what a step allows; it is charged for it. */
export function beyond(scope: Scope, step: Gate): string {
  const { unit } = scope
  const { kind, state, over } = step
  if (step.kind === 'limit' && step.key) return beyondKeyed(scope, kept(scope, state, 'limit'), step.key, over)
  const name = unit.called(`${kind} ${state}`, () => {
    const own = unit.unique(`${kind}_${identifier(state)}`)
    return { name: `within_${own}`, text: GATES[kind](scope, own, state) }
  })
  const bytes = kind === 'quota' || (kind === 'limit' && kept(scope, state, 'limit').unit === 'bytes')
  return `${over ? '' : '!'}${name}(${bytes ? bytesOf(scope) : ''})`
}

const head = (own: string, bytes: boolean) =>
  `static __always_inline bool within_${own}(${bytes ? '__u64 bytes' : 'void'})\n{\n`

const GATES: Readonly<Record<Gate['kind'], (scope: Scope, own: string, name: string) => string>> = {
  limit(scope, own, name) {
    const def = kept(scope, name, 'limit')
    bucket(scope)
    return `/* ${titleOf(def)} */
struct bucket ${own} = { ${u64(capacity(def))}, 0 };

${head(own, def.unit === 'bytes')}	return take(&${own}, ${u64(capacity(def))}, ${priceOf(def)}, bpf_ktime_get_ns());
}`
  },
  quota(scope, own, name) {
    const def = kept(scope, name, 'quota')
    return `/* Quota ${inComment(name)}: bytes that are used */
__u64 ${own} = ${u64(def.used)};

${head(own, true)}	return __sync_fetch_and_add(&${own}, bytes) + bytes <= ${u64(def.bytes)};
}`
  },
  nth(scope, own, name) {
    const def = kept(scope, name, 'nth')
    return `/* One packet in ${def.every} of ${inComment(name)} */
${head(own, false)}	return ${turnOf(scope, name)} == 0;
}`
  },
}

/** The number of the packet's turn. */
export function turnOf(scope: Scope, name: string): string {
  const { unit } = scope
  const def = kept(scope, name, 'nth')
  const own = unit.called(`turn ${name}`, () => {
    const variable = unit.unique(`turn_${identifier(name)}`)
    return {
      name: `next_${variable}`,
      text: `/* Turns of ${inComment(name)}, from 0 to ${def.every - 1n} */
__u64 ${variable} = ${u64(firstTurn(def))};

static __always_inline __u64 next_${variable}(void)
{
	return ${variable} = ${variable} + 1 >= ${u64(def.every)} ? 0 : ${variable} + 1;
}`,
    }
  })
  return `${own}()`
}

type Limit = StateDef & { readonly kind: 'limit' }

const titleOf = ({ name, rate, unit, per, burst }: Limit): string =>
  `Limit ${inComment(name)}: ${rate} ${unit} in ${per} ns, ${burst} more at once`

/** What a packet costs: as many nanoseconds as its tokens take to come. */
const priceOf = (def: Limit): string =>
  def.unit === 'bytes' ? `bytes * ${u64(def.per)} / ${u64(def.rate)}` : u64(cost(def, 0n))

function bucket({ unit }: Scope): void {
  unit.need('struct bucket', () => `/* Tokens, in nanoseconds, and when some were taken last. */
struct bucket {
	__u64 tokens, last;
};

/* Takes tokens if there are as many; what has passed since the last time adds some, up to the most. */
static __always_inline bool take(struct bucket *bucket, __u64 most, __u64 price, __u64 now)
{
	if (now > bucket->last) {
		bucket->tokens += now - bucket->last;
		bucket->last = now;
	}
	if (bucket->tokens > most)
		bucket->tokens = most;
	if (bucket->tokens < price)
		return false;
	bucket->tokens -= price;
	return true;
}`) // biome-ignore format: C
}

/** The same of a limit that has a bucket for each key. */
function beyondKeyed(scope: Scope, def: Limit, terms: readonly Term[], over: boolean): string {
  const { unit } = scope
  const name = unit.called(`limit ${def.name}`, () => {
    const own = unit.unique(`limit_${identifier(def.name)}`)
    return { name: `ask_${own}`, text: keyed(scope, def, own) }
  })
  const bytes = def.unit === 'bytes' ? [bytesOf(scope)] : []
  return `${inOrder(scope, terms, (values) => `${name}(${[...values, ...bytes].join(', ')})`, asked)} != ${over ? 'BEYOND' : 'WITHIN'}`
}

/** A key of some components: its type, with the struct's definition where it is one, a function's parameters, and the variable `key` made of them. */
export function keyParts(unit: Unit, own: string, keys: readonly SetKey[]) {
  const types = keys.map(({ bits }) => (bits > 64 ? u128(unit) : bits > 32 ? '__u64' : '__u32'))
  const names = keys.map((_, i) => (keys.length === 1 ? 'key' : `key${i + 1}`))
  const single = keys.length === 1 && keys[0]!.bits <= 64
  const members = types.map((type, i) => `	${type} ${names[i]};\n`).join('')
  // Without holes: all bytes of a key are compared.
  const struct = single ? '' : `struct ${own}_key {\n${members}} __attribute__((packed, aligned(4)));\n\n`
  const parameters = single || keys.length > 1 ? names : ['wide']
  return {
    struct,
    type: single ? types[0]! : `struct ${own}_key`,
    declared: types.map((each, i) => `${each} ${parameters[i]}`),
    /** Whether a key is the one that `key` points to. */
    same: (place: string) =>
      single ? `${place} == *key` : names.map((name) => `${place}.${name} == key->${name}`).join(' && '),
    given: single ? '' : `	struct ${own}_key key = { ${parameters.join(', ')} };\n`,
  }
}

/** A hash table of buckets, and the function `(keys…[, bytes])` that looks one up, or makes it. */
function keyed(scope: Scope, def: Limit, own: string): string {
  const { unit } = scope
  const { keys, size, timeout, refreshed } = def.each!
  bucket(scope)
  unit.need('enum asked', () => `/* What a limit says that has a bucket for each key; FULL: there is no room for another one. */
enum asked {
	FULL,
	WITHIN,
	BEYOND,
};

/* A bucket that runs out. */
struct key_bucket {
	struct bucket bucket;
	__u64 until;
};`) // biome-ignore format: C
  const { struct, type, given, declared: key } = keyParts(unit, own, keys)
  const old = refreshed ? `	else\n		found->until = now + ${u64(timeout)};\n` : ''
  const runsOut = timeout > 0n ? `	if (now >= found->until)\n		*found = fresh;\n${old}` : ''
  const declared = [...key, ...(def.unit === 'bytes' ? ['__u64 bytes'] : [])].join(', ')
  return `/* ${titleOf(def)}; a bucket for each key */
${struct}struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, ${type});
	__type(value, struct key_bucket);
	__uint(max_entries, ${size});
} ${own} SEC(".maps");

static __always_inline enum asked ask_${own}(${declared})
{
${given}	__u64 now = bpf_ktime_get_ns();
	struct key_bucket fresh = { { ${u64(capacity(def))}, now }, now + ${u64(timeout)} }, *found;

	found = bpf_map_lookup_elem(&${own}, &key);
	if (!found) {
		if (bpf_map_update_elem(&${own}, &key, &fresh, BPF_NOEXIST))
			return FULL;
		found = bpf_map_lookup_elem(&${own}, &key);
		if (!found)
			return FULL;
	}
${runsOut}	return take(&found->bucket, ${u64(capacity(def))}, ${priceOf(def)}, now) ? WITHIN : BEYOND;
}`
}

export const u64 = (value: bigint): string => (value > 0x7fffffffn ? hex(value) : `${value}`)

/** A packet's bytes. */
function bytesOf(scope: Scope): string {
  const { unit } = scope
  unit.need('bytes_of', () => `/* From the network header on, or all where there is none. */
static __always_inline __u64 bytes_of(const struct packet *p)
{
	return p->net == NONE ? p->size : p->end - p->net;
}`) // biome-ignore format: C
  if (!scope.values) return 'bytes_of(p)'
  return packetValue(scope, 32, () => ({ name: fetchBytes(unit), args: [], wide: false }))
}

const fetchBytes = (unit: Unit): string =>
  unit.need('packet_bytes', () => `${fetcher('packet_bytes', '__u64')}\n{\n	*value = bytes_of(p);\n	return 0;\n}`)

/** @throws Error for a name that is not kept, or is something else */
export function kept<Kind extends StateDef['kind']>(
  { filter }: Scope,
  name: string,
  kind: Kind,
): StateDef & { kind: Kind } {
  const def = filter.state?.find((one) => one.name === name)
  if (def?.kind !== kind) throw new Error(`there is no ${kind} ${name}`)
  return def as StateDef & { kind: Kind }
}
