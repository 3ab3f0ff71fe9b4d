// Tables that rules add keys to and look into, and lists of when packets of a key came, as functions and maps.

import type { RecentStep, StateDef, TableStep } from '@netsieve/ir'
import { type Scope, Unsupported } from './scope.ts'
import { kept, keyParts, u64 } from './state.ts'
import { asked, inOrder } from './terms.ts'
import { identifier, inComment } from './text.ts'

type Table = Extract<StateDef, { kind: 'table' }>
type Recent = Extract<StateDef, { kind: 'recent' }>

/** The condition under which a step does not hold. */
export function fails(scope: Scope, step: TableStep | RecentStep): string {
  const { over, key } = step
  const name = step.kind === 'table' ? tableFunction(scope, step) : recentFunction(scope, step)
  const terms = step.kind === 'recent' && step.ttl ? [...key, step.ttl] : key
  const last = step.kind === 'recent' ? lastArguments(step) : step.does === 'add' || step.does === 'update' ? [u64(step.timeout)] : [] // biome-ignore format: one choice
  const call = inOrder(scope, terms, (values) => `${name}(${[...values, ...last].join(', ')})`, asked)
  return step.kind === 'table' && over ? call : `!${call}`
}

function tableFunction(scope: Scope, { state, does }: TableStep): string {
  const { unit } = scope
  const def = kept(scope, state, 'table')
  const own = unit.called(`table ${state}`, () => {
    const name = unit.unique(`table_${identifier(state)}`)
    return { name, text: tableText(scope, def, name) }
  })
  return unit.called(`table ${state} ${does}`, () => {
    const name = unit.unique(`${does}_${own}`)
    return { name, text: DOES[does](scope, def, own, name) }
  })
}

function tableText({ unit }: Scope, { name, keys, size, elements }: Table, own: string): string {
  if (elements.length > 0) throw new Unsupported(`keys that ${name} has from the start`)
  const { struct, type } = keyParts(unit, own, keys)
  return `/* Keys of ${inComment(name)}, with the time at which each is forgotten */
${struct}struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, ${type});
	__type(value, __u64);
	__uint(max_entries, ${size});
} ${own} SEC(".maps");`
}

const DOES: Readonly<Record<TableStep['does'], (scope: Scope, def: Table, own: string, name: string) => string>> = {
  has({ unit }, { keys }, own, name) {
    const { given, declared } = keyParts(unit, own, keys)
    return `static __always_inline bool ${name}(${declared.join(', ')})
{
${given}	__u64 *until = bpf_map_lookup_elem(&${own}, &key);

	return until && bpf_ktime_get_ns() < *until;
}`
  },
  delete({ unit }, { keys }, own, name) {
    const { given, declared } = keyParts(unit, own, keys)
    return `static __always_inline bool ${name}(${declared.join(', ')})
{
${given}	bpf_map_delete_elem(&${own}, &key);
	return true;
}`
  },
  add: (scope, def, own, name) => adding(scope, def, own, name, 'now >= *until', 'then'),
  update: (scope, def, own, name) =>
    adding(scope, def, own, name, '*until != NEVER', 'timeout || now >= *until ? then : now'),
}

function adding({ unit }: Scope, { keys }: Table, own: string, name: string, when: string, anew: string): string {
  unit.need('NEVER', () => `/* The time of what is not forgotten. */\n#define NEVER 0xffffffffffffffffULL`)
  const { given, declared } = keyParts(unit, own, keys)
  return `static __always_inline bool ${name}(${[...declared, '__u64 timeout'].join(', ')})
{
${given}	__u64 now = bpf_ktime_get_ns(), then = timeout ? now + timeout : NEVER, *until;

	until = bpf_map_lookup_elem(&${own}, &key);
	if (!until)
		return bpf_map_update_elem(&${own}, &key, &then, BPF_NOEXIST) == 0;
	if (${when})
		*until = ${anew};
	return true;
}`
}

const lastArguments = ({ does, within, hits, over }: RecentStep): string[] => [
  ...(does === 'check' || does === 'update' ? [u64(within), String(hits)] : []),
  String(over),
]

function recentFunction(scope: Scope, { state, does, ttl }: RecentStep): string {
  const { unit } = scope
  const def = kept(scope, state, 'recent')
  const own = unit.called(`recent ${state}`, () => {
    const name = unit.unique(`recent_${identifier(state)}`)
    return { name, text: recentText(scope, def, name) }
  })
  return unit.called(`recent ${state} ${does} ${ttl !== undefined}`, () => {
    const name = unit.unique(`${does}_${own}`)
    return { name, text: asking(scope, def, own, name, does, ttl !== undefined) }
  })
}

/** The list, and the functions that look for a key and that write the time down. */
function recentText({ unit }: Scope, { name, keys, size, stamps }: Recent, own: string): string {
  const { struct, type, same } = keyParts(unit, own, keys)
  return `/* Keys of ${inComment(name)}, each with the last ${stamps} times of its packets; turn: of the last one, 0 in a free place */
${struct}struct ${own}_place {
	__u64 turn, count, ttl, times[${stamps}];
	${type} key;
};

struct {
	__u64 written;
	struct ${own}_place places[${size}];
} ${own};

/* The number of a key's place, or ${size} if it has none. */
__noinline __u64 find_${own}(const ${type} *key, __u64 ttl)
{
	__u64 i;

	if (!key)
		return ${size};
	for (i = 0; i < ${size}; i++) {
		struct ${own}_place *place = &${own}.places[i];

		if (place->turn && ${same('place->key')} &&
		    (!ttl || !place->ttl || place->ttl == ttl))
			return i;
	}
	return ${size};
}`
}

function asking(
  { unit }: Scope,
  { keys, size, stamps }: Recent,
  own: string,
  name: string,
  does: RecentStep['does'],
  withTtl: boolean,
): string {
  // biome-ignore format: one head
  const { given, declared } = keyParts(unit, own, keys)
  if (does === 'set') unit.called(`oldest ${own}`, () => ({ name: `oldest_${own}`, text: oldestText(own, size) }))
  if (does === 'set' || does === 'update')
    unit.called(`write ${own}`, () => ({ name: `write_${own}`, text: writeText(own, stamps) }))
  const checks = does === 'check' || does === 'update'
  const parameters = [
    ...declared,
    ...(withTtl ? ['__u64 ttl'] : []),
    ...(checks ? ['__u64 within', '__u32 hits'] : []),
    'bool over',
  ]
  const now = does === 'remove' ? '' : '	__u64 now = bpf_ktime_get_ns();\n'
  const ttl = withTtl ? 'ttl' : '0'
  const none = does === 'set' ? `{
		at = oldest_${own}();
		if (at >= ${size})
			return false;
		place = &${own}.places[at];
		place->key = key;
		place->count = 0;
		write_${own}(place, now, ${ttl});
		return !over;
	}` : '\n		return over;' // biome-ignore format: C
  const found = {
    set: `	write_${own}(place, now, ${ttl});\n	return !over;`,
    remove: `	place->turn = 0;\n	return !over;`,
    check: '	return enough != over;',
    update: `	if (enough != over)\n		write_${own}(place, now, ${ttl});\n	return enough != over;`,
  }[does]
  const enough = checks
    ? `	enough = place->count >= hits &&
		 (!within || (__s64)(now - place->times[(place->count - hits) & ${stamps - 1}]) <= (__s64)within);
`
    : ''
  return `static __always_inline bool ${name}(${parameters.join(', ')})
{
${given}${now}	struct ${own}_place *place;
${checks ? '	bool enough;\n' : ''}	__u64 at = find_${own}(&key, ${does === 'set' ? '0' : ttl});

	if (at >= ${size})${does === 'set' ? ' ' : ''}${none}
	place = &${own}.places[at];
${enough}${found}
}`
}

const oldestText = (own: string, size: number): string => `/* The number of the place that a new key is to have. */
__noinline __u64 oldest_${own}(void)
{
	__u64 least = ${own}.places[0].turn;
	__u64 i;

	for (i = 1; i < ${size}; i++)
		if (${own}.places[i].turn < least)
			least = ${own}.places[i].turn;
	for (i = 0; i < ${size}; i++)
		if (${own}.places[i].turn == least)
			return i;
	return 0;
}`

const writeText = (
  own: string,
  stamps: number,
): string => `static __always_inline void write_${own}(struct ${own}_place *place, __u64 now, __u64 ttl)
{
	place->times[place->count++ & ${stamps - 1}] = now;
	place->ttl = ttl;
	place->turn = ++${own}.written;
}`
