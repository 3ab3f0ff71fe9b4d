// `netsieve equiv`: are two rulesets the same filter? Frames made from the constants of both are tried, and the smallest that tells them
// apart is shown; if none is found, a proof that their meanings are the same is tried.

import { position } from '@netsieve/diag'
import { compare, type Decided, prove, type Side } from '@netsieve/equiv'
import type { Filter } from '@netsieve/ir'
import { printPacket, writeCapture } from '@netsieve/packet'
import { type Command, Option } from 'commander'
import { type Compiled, rulesById, Sieve } from '../pipeline.ts'
import { err, numberOf, out, readText, Trouble, writeOutput } from './io.ts'
import { compileOptions, compileOrEnd, type NameFlags, PROG_NAMES, withNameOptions } from './rules.ts'

export interface EquivFlags extends NameFlags {
  readonly syntax?: string
  readonly syntaxB?: string
  readonly prog: string
  readonly hook?: string
  readonly profile?: string
  readonly onMatch?: string
  readonly write?: string
  readonly seed: string
  readonly runs: string
  readonly plain?: boolean
  readonly json?: boolean
}

export function define(command: Command, done: (exitCode: number) => void): void {
  withNameOptions(command)
    .argument('<a>', 'file of rules')
    .argument('<b>', 'file of rules')
    .option('-s, --syntax <name>', 'syntax of both; by default what each looks like')
    .option('--syntax-b <name>', 'syntax of the second')
    .addOption(new Option('--prog <type>', 'program type').choices(PROG_NAMES).default('xdp'))
    .option('--hook <name>', 'the hook whose packets these are')
    .option('--profile <name>', 'whose meaning the rules have')
    .addOption(
      new Option('--on-match <verdict>', 'pcap expressions: what becomes of packets that match').choices([
        'pass',
        'drop',
      ]),
    )
    .option('-w, --write <capture>', 'write the packet that tells them apart')
    .option('--seed <n>', 'of the packets tried', '1')
    .option('--runs <n>', 'how many packets to try', '20000')
    .option('--plain', 'only whole, sound, untagged frames without options, extension headers and fragments')
    .option('--json', 'one object')
    .addHelpText('after', '\nExit code: 0 proved equal or no difference found, 1 different, 2 trouble.')
    .action((a: string, b: string, flags: EquivFlags) => done(equivCommand(a, b, flags)))
}

/** @returns exit code: 0 proved equal or no difference found, 1 different */
export function equivCommand(a: string, b: string, flags: EquivFlags): number {
  const { syntaxB, ...first } = flags
  const sides = [
    compileOrEnd(readText(a), compileOptions(first)),
    compileOrEnd(readText(b), compileOptions(syntaxB === undefined ? first : { ...first, syntax: syntaxB })),
  ] as const
  const [sideA, sideB] = [side(sides[0]), side(sides[1])]
  const [runs, seed] = [numberOf(flags.runs, '--runs'), numberOf(flags.seed, '--seed')]
  const profiles = profilesOf(sides)
  const told = profileLine(sides)
  if (sides.some(({ filter }) => (filter?.state ?? []).some(({ kind }) => kind !== 'counter')))
    err('note: some rules go by the packets before: every frame is taken for the first [cli/equiv]\n')
  const found = compare(sideA, sideB, { runs, seed, frames: flags.plain ? 'plain' : 'any' })
  if (found.status === 'different') {
    const { frame, odd, path, runs: tried } = found
    return tell(
      flags,
      sides,
      { frame, odd, a: found.a, b: found.b, how: `after ${tried} frames (seed ${seed})` },
      { seed, path, runs: tried },
    )
  }
  const proof = flags.plain ? undefined : prove(sideA.filter, sideB.filter, { seed })
  if (proof?.status === 'different') {
    const { frame } = proof
    return tell(
      flags,
      sides,
      { frame, odd: [], a: sideA.decide(frame), b: sideB.decide(frame), how: 'by proof' },
      { nodes: proof.nodes },
    )
  }
  if (proof?.status === 'equal') {
    if (flags.json) out(`${JSON.stringify({ v: 1, status: 'equal', profiles, nodes: proof.nodes, runs, seed })}\n`)
    else out(`equal: the rules mean the same for every frame (proved; the programs agree on ${runs} frames)\n${told}`)
    return 0
  }
  const why = proof === undefined ? 'only plain frames were tried' : proof.reason
  if (flags.json) out(`${JSON.stringify({ v: 1, status: 'none-found', profiles, why, runs, seed })}\n`)
  else out(`no difference found in ${runs} frames (seed ${seed}); this is no proof: ${why}\n${told}`)
  return 0
}

interface Difference {
  readonly frame: Uint8Array
  readonly odd: readonly string[]
  readonly a: Decided
  readonly b: Decided
  readonly how: string
}

/** Shows a frame that the two judge differently. @returns exit code 1 */
function tell(flags: EquivFlags, sides: readonly [Compiled, Compiled], found: Difference, more: object): number {
  const { frame, odd, how } = found
  if (flags.write !== undefined) {
    writeOutput(flags.write, writeCapture([{ data: frame, linkType: 1 }], { format: 'pcap' }))
  }
  const hex = [...frame].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const packet = printPacket(1, frame)
  if (flags.json) {
    const told = { a: answer(sides[0], found.a), b: answer(sides[1], found.b) }
    const profiles = profilesOf(sides)
    out(`${JSON.stringify({ v: 1, status: 'different', profiles, ...told, packet, odd, frame: hex, ...more })}\n`)
    return 1
  }
  out(`different, ${how}: a frame of ${frame.length} bytes${odd.length > 0 ? `, with ${odd.join(', ')}` : ''}\n`)
  for (const [compiled, decided] of [
    [sides[0], found.a],
    [sides[1], found.b],
  ] as const) {
    const { verdict, by, file = compiled.source.name, place } = answer(compiled, decided)
    out(`  ${file}${place ? `:${place}` : ''}: ${verdict}, by ${by}\n`)
  }
  out(`  ${packet}\n  ${hex}\n`)
  if (flags.write !== undefined) out(`  written to ${flags.write}\n`)
  out(profileLine(sides))
  return 1
}

/** Whose meaning each side has. */
const profilesOf = (sides: readonly Compiled[]) => sides.map((compiled) => filterOf(compiled).profile)
const profileLine = (sides: readonly Compiled[]) => `  under the profiles ${profilesOf(sides).join(' and ')}\n`

function side(compiled: Compiled): Required<Side> {
  const sieve = new Sieve(compiled)
  return {
    filter: filterOf(compiled),
    decide(frame) {
      sieve.forget()
      const { verdict, rule, act, fault } = sieve.judge(frame)
      if (fault !== undefined) throw new Error(`the program for ${compiled.source.name} faults: ${fault}`)
      return { decision: verdict, ...(rule !== null && { rule }), ...(act !== undefined && { act }) }
    },
  }
}

/** @throws Trouble for a program without rules: its constants are not known */
function filterOf({ filter, syntax }: Compiled): Filter {
  if (!filter) throw new Trouble(`error: unsupported: ${syntax} has no rules to make packets from [cli/syntax]`)
  return filter
}

/** A decision in the user's words. */
function answer(
  compiled: Compiled,
  { decision, rule, act }: Decided,
): { verdict: string; rule: number | null; by: string; file?: string; place?: number } {
  const found = rule === undefined ? undefined : rulesById(filterOf(compiled)).get(rule)
  if (!found) return { verdict: decision, rule: null, by: 'no rule (the policy, or a frame that no chain is given)' }
  const { span } = found
  return {
    verdict: act ?? decision,
    rule: found.id,
    by: found.text,
    ...(span && span.source.name !== compiled.source.name && { file: span.source.name }),
    ...(span && { place: position(span.source, span.start).line }),
  }
}
