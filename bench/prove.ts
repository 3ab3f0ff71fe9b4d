// How long does a proof about two long lists of rules take, and how large are its diagrams? Five-tuples, in two syntaxes and of two kinds
// (`acl`: nested prefixes, single ports; `fw`: wide rules, ranges, many overlaps), against rewritings that mean the same and a change of one rule.
//
//   node bench/run.mjs bench/prove.ts [sizes] [seed]

import { source } from '@netsieve/diag'
import { prove } from '@netsieve/equiv'
import { check, type Filter } from '@netsieve/ir'
import { SYNTAXES } from '@netsieve/rules'
import { generator } from './filter-workloads.ts'

interface Row {
  readonly src: string
  readonly dst: string
  readonly proto: 'tcp' | 'udp' | undefined
  readonly ports: readonly [lo: number, hi: number] | undefined
  readonly drop: boolean
}

const KINDS = {
  acl: { lengths: [32, 32, 30, 28, 24, 24, 16], exact: 80, ranges: 10 },
  fw: { lengths: [16, 16, 20, 24, 32], exact: 30, ranges: 50 },
} as const
type Kind = keyof typeof KINDS

function rowsOf(kind: Kind, count: number, seed: number): Row[] {
  const random = generator(seed)
  const { lengths, exact, ranges } = KINDS[kind]
  const prefix = () => {
    const length = lengths[random(lengths.length)]!
    const address = (((10 << 24) | (random(8) << 20) | (random(16) << 8) | random(256)) & (-1 << (32 - length))) >>> 0
    return `${[24, 16, 8, 0].map((by) => (address >>> by) & 255).join('.')}/${length}`
  }
  return Array.from({ length: count }, (): Row => {
    const proto = (['tcp', 'tcp', 'udp', undefined] as const)[random(4)]
    const [roll, lo] = [random(100), random(60000)]
    const ports =
      proto === undefined || roll >= exact + ranges
        ? undefined
        : ([lo, roll < exact ? lo : lo + 1 + random(5000)] as const)
    const open = kind === 'fw' ? random(8) : 2
    const [src, dst] = [prefix(), prefix()]
    return {
      src: open === 0 ? '0.0.0.0/0' : src,
      dst: open === 1 ? '0.0.0.0/0' : dst,
      proto,
      ports,
      drop: random(2) === 1,
    }
  })
}

const WRITERS = {
  iptables: {
    rule: ({ src, dst, proto, ports, drop }: Row) =>
      `-s ${src} -d ${dst}${proto ? ` -p ${proto}` : ''}${ports ? ` --dport ${ports.join(':')}` : ''} -j ${drop ? 'DROP' : 'ACCEPT'}`,
    whole: (rules: readonly string[]) =>
      `*filter\n:INPUT DROP [0:0]\n${rules.map((rule) => `-A INPUT ${rule}\n`).join('')}COMMIT\n`,
    called: (rules: readonly string[], chain: string) =>
      `*filter\n:INPUT DROP [0:0]\n:${chain} - [0:0]\n-A INPUT -j ${chain}\n${rules.map((rule) => `-A ${chain} ${rule}\n`).join('')}COMMIT\n`,
  },
  nft: {
    rule: ({ src, dst, proto, ports, drop }: Row) =>
      `ip saddr ${src} ip daddr ${dst}${ports ? ` ${proto} dport ${ports.join('-')}` : proto ? ` meta l4proto ${proto}` : ''} ${drop ? 'drop' : 'accept'}`,
    whole: (rules: readonly string[]) =>
      `table ip t {\n chain c {\n  type filter hook input priority 0; policy drop;\n  ${rules.join('\n  ')}\n }\n}\n`,
    called: (rules: readonly string[], chain: string) =>
      `table ip t {\n chain ${chain} {\n  ${rules.join('\n  ')}\n }\n chain c {\n  type filter hook input priority 0; policy drop;\n  jump ${chain}\n }\n}\n`,
  },
} as const
type SyntaxName = keyof typeof WRITERS

function filterOf(syntax: SyntaxName, text: string): Filter {
  const { value, diagnostics } = SYNTAXES[syntax].read(source('list', text), {})
  const filter = value && check(value).value
  if (!filter) throw new Error(diagnostics[0]?.message)
  return filter
}

/** Neighbours that decide alike change places. */
function reordered(rows: readonly Row[]): Row[] {
  const out = [...rows]
  for (let i = 0; i + 1 < out.length; i++)
    if (out[i]!.drop === out[i + 1]!.drop) [out[i], out[i + 1]] = [out[i + 1]!, out[i]!]
  return out
}

/** Ranges of ports as two. */
function split(rows: readonly Row[]): Row[] {
  return rows.flatMap((row): Row[] => {
    if (!row.ports || row.ports[0] === row.ports[1]) return [row]
    const [lo, hi] = row.ports
    const middle = (lo + hi) >> 1
    return [
      { ...row, ports: [lo, middle] },
      { ...row, ports: [middle + 1, hi] },
    ]
  })
}

const flipped = (rows: readonly Row[], at: number) => rows.with(at, { ...rows[at]!, drop: !rows[at]!.drop })

const [sizes = '100,1000', seed = '1'] = process.argv.slice(2)
for (const syntax of Object.keys(WRITERS) as SyntaxName[])
  for (const kind of Object.keys(KINDS) as Kind[])
    for (const size of sizes.split(',').map(Number)) {
      const rows = rowsOf(kind, size, Number(seed))
      const { rule, whole, called } = WRITERS[syntax]
      const text = (some: readonly Row[]) => whole(some.map(rule))
      const filter = filterOf(syntax, text(rows))
      const others = {
        itself: text(rows),
        'one rule flipped, early': text(flipped(rows, size >> 4)),
        'one rule flipped, late': text(flipped(rows, size - (size >> 4) - 1)),
        'neighbours reordered': text(reordered(rows)),
        'ranges split': text(split(rows)),
        'in a called chain': called(rows.map(rule), 'other'),
        'another list': text(rowsOf(kind, size, Number(seed) + 1)),
      }
      console.log(`${syntax}, ${kind}, ${size} rules`)
      for (const [name, other] of Object.entries(others)) {
        const b = filterOf(syntax, other)
        const before = performance.now()
        const proof = prove(filter, b)
        const told = proof.status === 'unknown' ? proof.reason : `${proof.nodes} nodes`
        console.log(
          `  ${name.padEnd(24)} ${proof.status.padEnd(10)} ${((performance.now() - before) / 1000).toFixed(2).padStart(7)} s  ${told}`,
        )
      }
    }
