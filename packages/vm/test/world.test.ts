import { Code, HELPERS, type HelperName } from '@netsieve/asm'
import { describe, expect, test } from 'vitest'
import { IMPLEMENTED, load, type PacketMeta, type World } from '../src/index.ts'

const PACKET = new Uint8Array(100)
const ip = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
const mac = (n: number): Uint8Array => ip(2, 0, 0, 0, 0, n)

const WORLD: World = {
  devices: [
    { ifindex: 1, mac: mac(1) },
    { ifindex: 2, mac: mac(2), mtu: 1400 },
    { ifindex: 3, mac: mac(3), forwards: false },
  ],
  routes: [
    { to: ip(10, 0, 0, 0), length: 8, ifindex: 2, source: ip(10, 0, 0, 1) },
    { to: ip(10, 1, 0, 0), length: 16, ifindex: 2, via: ip(10, 0, 0, 254), metric: 5 },
    { to: ip(10, 2, 0, 0), length: 16, ifindex: 0, kind: 'blackhole' },
    { to: ip(10, 3, 0, 0), length: 16, ifindex: 0, kind: 'unreachable' },
    { to: ip(10, 4, 0, 0), length: 16, ifindex: 0, kind: 'prohibit' },
    { to: ip(10, 5, 0, 0), length: 16, ifindex: 1, kind: 'local' },
    { to: ip(10, 6, 0, 0), length: 16, ifindex: 1, table: 100 },
  ],
  neighbours: [{ ifindex: 2, address: ip(10, 0, 0, 254), mac: mac(9) }],
  sockets: [
    { protocol: 'tcp', local: ip(0, 0, 0, 0), localPort: 80 },
    { protocol: 'tcp', local: ip(10, 0, 0, 1), localPort: 80, remote: ip(10, 9, 9, 9), remotePort: 4000, mark: 7 },
    {
      protocol: 'tcp',
      local: ip(10, 0, 0, 1),
      localPort: 80,
      remote: ip(10, 9, 9, 9),
      remotePort: 4001,
      state: 'time_wait',
    },
    { protocol: 'udp', local: ip(10, 0, 0, 1), localPort: 53, ifindex: 2 },
  ],
  task: { pid: 12, tgid: 10, uid: 1000, gid: 100, comm: 'netserver' },
  cgroup: { path: [1, 20, 300], classid: 0x10001 },
  realm: 5,
}

/** A program's r0; the context is in r6. */
function run(write: (code: Code) => void, type: 'xdp' | 'sched_cls' = 'sched_cls', meta: PacketMeta = {}) {
  const code = new Code()
  code.mov(6, { reg: 1 })
  write(code)
  code.exit()
  const results = (['interpreter', 'jit'] as const).map((engine) => {
    const run = load(code.layout(), { type, world: WORLD, engine }).run(PACKET, meta)
    return run.fault?.reason ?? run.r0Long.toString()
  })
  expect(results[1]).toBe(results[0])
  return results[0]
}

describe('fib_lookup', () => {
  /** The answer, and words of the struct afterwards, as one number each. */
  const lookup = (
    to: readonly number[],
    flags = 0,
    { ifindex = 1, totLen = 500, read = 8, size = 4 as 1 | 2 | 4 } = {},
  ) =>
    ['answer', 'field'].map((what) =>
      run((code) => {
        for (let at = -64; at < 0; at += 8) code.store(8, 10, at, 0)
        code.store(1, 10, -64, 2)
        code.store(2, 10, -58, totLen)
        code.store(4, 10, -56, ifindex)
        for (const [i, byte] of to.entries()) code.store(1, 10, -32 + i, byte)
        if (flags & 8) code.store(4, 10, -16, 100)
        code.mov(1, { reg: 6 })
        code.mov(2, { reg: 10 })
        code.alu('add', 2, -64)
        code.mov(3, 64)
        code.mov(4, flags)
        code.call(HELPERS.fib_lookup.id)
        if (what === 'field') code.load(size, 0, 10, -64 + read)
      }),
    )

  test.each([
    ['the next hop is known: its device', lookup([10, 1, 2, 3]), ['0', '2']],
    ['its address', lookup([10, 1, 2, 3], 0, { read: 58, size: 1 }), ['0', '2']],
    ['the metric', lookup([10, 1, 2, 3], 0, { read: 12 }), ['0', '5']],
    ['the MTU', lookup([10, 1, 2, 3], 0, { read: 6, size: 2 }), ['0', '1400']],
    ['no neighbour', lookup([10, 0, 2, 3]), ['7', '2']],
    ['which is not asked for', lookup([10, 0, 2, 3], 4), ['0', '2']],
    ['a source', lookup([10, 0, 2, 3], 4 | 16, { read: 19, size: 1 }), ['0', '1']],
    ['no source', lookup([10, 1, 2, 3], 16), ['9', '2']],
    ['a black hole', lookup([10, 2, 0, 1]), ['1', '1']],
    ['unreachable', lookup([10, 3, 0, 1]), ['2', '1']],
    ['prohibited', lookup([10, 4, 0, 1]), ['3', '1']],
    ['for ourselves', lookup([10, 5, 0, 1]), ['4', '1']],
    ['no route', lookup([11, 0, 0, 1]), ['4', '1']],
    ['a table of its own', lookup([10, 6, 0, 1], 1 | 4 | 8), ['0', '1']],
    ['not in the main table', lookup([10, 6, 0, 1], 1 | 4), ['0', '2']],
    ['longer than the MTU', lookup([10, 1, 2, 3], 0, { totLen: 1401, read: 6, size: 2 }), ['8', '1400']],
    ['forwarding is off', lookup([10, 1, 2, 3], 0, { ifindex: 3 }), ['5', '3']],
    ['no such device', lookup([10, 1, 2, 3], 0, { ifindex: 9 }), ['-19', '9']],
    ['no such flag', lookup([10, 1, 2, 3], 64), ['-22', '1']],
  ] as const)('%s', (_, got, expected) => expect(got).toEqual(expected))
})

describe('sockets', () => {
  const tuple = (code: Code, remotePort: number, localPort: number): void => {
    const bytes = [10, 9, 9, 9, 10, 0, 0, 1, remotePort >> 8, remotePort & 255, localPort >> 8, localPort & 255]
    for (const [i, byte] of bytes.entries()) code.store(1, 10, -16 + i, byte)
    code.mov(1, { reg: 6 })
    code.mov(2, { reg: 10 })
    code.alu('add', 2, -16)
    code.mov(3, 12)
    code.mov(4, -1)
    code.mov(5, 0)
  }
  /** A field of the socket found; -1 if none is. */
  const field = (helper: HelperName, remotePort: number, localPort: number, at: number, then?: HelperName) =>
    run((code) => {
      const none = code.label()
      const end = code.label()
      tuple(code, remotePort, localPort)
      code.call(HELPERS[helper].id)
      if (then) {
        code.mov(1, { reg: 0 })
        code.call(HELPERS[then].id)
      }
      code.jump('jeq', 0, 0, none)
      code.load(4, 0, 0, at)
      code.goto(end)
      code.bind(none)
      code.mov(0, -1)
      code.bind(end)
    })

  test.each([
    ['the connected one', field('sk_lookup_tcp', 4000, 80, 16), '7'],
    ['its state', field('sk_lookup_tcp', 4000, 80, 72), '1'],
    ['its local port', field('sk_lookup_tcp', 4000, 80, 44), '80'],
    ['its remote port, in network order', field('sk_lookup_tcp', 4000, 80, 48), String(0xa00f)],
    ['the one that listens', field('sk_lookup_tcp', 5000, 80, 72), '10'],
    ['no full one', field('sk_lookup_tcp', 4001, 80, 72), '-1'],
    ['but the rest of one', field('skc_lookup_tcp', 4001, 80, 72), '6'],
    ['the rest is not full', field('skc_lookup_tcp', 4001, 80, 72, 'sk_fullsock'), '-1'],
    ['UDP', field('sk_lookup_udp', 1, 53, 0), '2'],
    ['none', field('sk_lookup_udp', 1, 54, 0), '-1'],
    ['a listener', field('sk_lookup_tcp', 5000, 80, 4, 'get_listener_sock'), '2'],
    ['no listener', field('sk_lookup_tcp', 4000, 80, 4, 'get_listener_sock'), '-1'],
    ['what TCP knows of it', field('sk_lookup_tcp', 4000, 80, 0, 'tcp_sock'), '0'],
    ['nothing of UDP', field('sk_lookup_udp', 1, 53, 0, 'tcp_sock'), '-1'],
    ['past its end', field('sk_lookup_tcp', 4000, 80, 80), 'out of a value of socket by 4 bytes at insn 21'],
  ])('%s', (_, got, expected) => expect(got).toBe(expected))

  test('the packet may have one', () => {
    const mark = (meta: PacketMeta) =>
      run(
        (code) => {
          const none = code.label()
          code.load(8, 0, 6, 168)
          code.jump('jeq', 0, 0, none)
          code.load(4, 0, 0, 16)
          code.bind(none)
        },
        'sched_cls',
        meta,
      )
    expect(mark({ socket: 1 })).toBe('7')
    expect(mark({})).toBe('0')
  })

  test('what is no socket cannot be released', () => {
    const release = (code: Code): void => {
      code.mov(1, { reg: 10 })
      code.call(HELPERS.sk_release.id)
    }
    expect(run(release)).toBe('r1 is no socket at insn 2')
  })
})

test.each([
  ['get_current_pid_tgid', String(10 * 2 ** 32 + 12)],
  ['get_current_uid_gid', String(100 * 2 ** 32 + 1000)],
  ['get_current_cgroup_id', '300'],
  ['skb_cgroup_id', '300'],
  ['get_cgroup_classid', String(0x10001)],
  ['get_route_realm', '5'],
] as const)('%s', (name, expected) => {
  expect(run((code) => code.call(HELPERS[name].id))).toBe(expected)
})

test('helpers that the verifier lets programs call, and that are not here, are those that need more of a kernel', () => {
  const absent = (Object.keys(HELPERS) as HelperName[]).filter((name) => {
    const row: { types: readonly string[]; unmodelled?: string; sleeps?: boolean } = HELPERS[name]
    return row.types.length > 0 && !row.unmodelled && !row.sleeps && !IMPLEMENTED.includes(name)
  })
  expect(absent).toEqual([
    'get_current_task',
    'get_local_storage',
    'tcp_check_syncookie',
    'sk_storage_get',
    'sk_storage_delete',
    'tcp_gen_syncookie',
    'get_ns_current_pid_tgid',
    'get_branch_snapshot',
    'tcp_raw_gen_syncookie_ipv4',
    'tcp_raw_gen_syncookie_ipv6',
    'tcp_raw_check_syncookie_ipv4',
    'tcp_raw_check_syncookie_ipv6',
  ])
})
