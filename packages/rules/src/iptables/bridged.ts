// `-m physdev`: the ports of a bridge that a packet came in by and leaves by, and `-m policy`: whether it was decrypted. Sources:
// iptables-extensions(8), and what the programs and the kernel answer.

import type { Diagnostics, Span } from '@netsieve/diag'
import { and, cmp, maskedEqual, not, or, type Pred } from '@netsieve/ir'
import type { Word } from '../shared/index.ts'
import type { Match } from './ast.ts'
import type { Option } from './matches.ts'
import { readInterface } from './metadata.ts'

const OPTIONS = ['physdev-in', 'physdev-out', 'physdev-is-in', 'physdev-is-out', 'physdev-is-bridged']

/** No port: the packet did not come, or does not leave, by a bridge. */
const none = (field: 'meta.physin' | 'meta.physout'): Pred => cmp(field, '==', 0)

/** The match, from all its options. Undefined after an error. */
export function readPhysdev(options: readonly Option[], span: Span, diagnostics: Diagnostics): Match | undefined {
  const preds: Pred[] = []
  for (const { name, negated, values } of options) {
    if (name.startsWith('physdev-is-')) {
      // What is bridged leaves by a port.
      const missing = none(name === 'physdev-is-in' ? 'meta.physin' : 'meta.physout')
      preds.push(negated ? missing : not(missing))
      continue
    }
    const port = readInterface(values[0]!, diagnostics)
    if (!port) return undefined
    preds.push(portPred(name === 'physdev-in' ? 'meta.physin' : 'meta.physout', port, negated))
  }
  if (preds.length > 0) return pred(and(...preds), 'physdev', span)
  diagnostics.error('iptables/match', 'physdev needs one of its options', span, { expected: OPTIONS.map((name) => `--${name}`) }) // biome-ignore format: one message
  return undefined
}

/** A packet without a port to come in by passes `--physdev-in` where it leaves by one; negated, all pass that have no port at all. */
function portPred(
  field: 'meta.physin' | 'meta.physout',
  { value, mask }: { readonly value: bigint; readonly mask: bigint },
  negated: boolean,
): Pred {
  const [here, missing] = [maskedEqual(field, value, mask), none(field)]
  if (field === 'meta.physin')
    return negated ? or(missing, not(here)) : or(and(not(missing), here), and(missing, not(none('meta.physout'))))
  return negated ? or(and(not(missing), not(here)), and(missing, none('meta.physin'))) : and(not(missing), here)
}

/** The match, from all its options: what is not told of a packet is which associations it was decrypted by. */
export function readPolicy(options: readonly Option[], span: Span, diagnostics: Diagnostics): Match | undefined {
  const wrong = (message: string, at: Span, expected: readonly string[]): undefined => {
    diagnostics.error('iptables/match', message, at, { expected })
    return undefined
  }
  const given = (name: string): Word | undefined => options.find((each) => each.name === name)?.values[0]
  const [dir, policy] = [given('dir'), given('pol')]
  if (!dir) return wrong('policy needs --dir', span, ['--dir in', '--dir out'])
  if (dir.text !== 'in' && dir.text !== 'out') return wrong(`\`${dir.text}\` is no direction`, dir.span, ['in', 'out'])
  if (policy && policy.text !== 'ipsec' && policy.text !== 'none')
    return wrong(`\`${policy.text}\` is no policy`, policy.span, ['ipsec', 'none'])
  if (dir.text === 'out') return { kind: 'unsupported', what: 'what is done with packets behind the rules (--dir out)', span: dir.span } // biome-ignore format: one value
  const other = options.find(({ name }) => name !== 'dir' && name !== 'pol')
  if (other) return { kind: 'unsupported', what: `how a packet was decrypted (--${other.name})`, span: other.span }
  return pred(cmp('meta.ipsec', '==', policy?.text === 'none' ? 0 : 1), 'policy', span)
}

const pred = (asked: Pred, module: string, span: Span): Match => ({ kind: 'header', module, tests: [{ kind: 'pred', pred: asked }], span }) // biome-ignore format: one value
