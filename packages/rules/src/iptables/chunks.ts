// `--chunk-types`: which chunks an SCTP packet has. Sources: iptables-extensions(8), what iptables 1.8.9 answers, and verdicts of the real tools
// (test/golden/netfilter).

import type { Diagnostics } from '@netsieve/diag'
import { and, exists, FALSE, find, type Heads, not, type Pred } from '@netsieve/ir'
import { part, split, splitAll, type Word } from '../shared/index.ts'

// biome-ignore format: one family
const CHUNKS: Readonly<Record<string, number>> = {
  DATA: 0, INIT: 1, INIT_ACK: 2, SACK: 3, HEARTBEAT: 4, HEARTBEAT_ACK: 5, ABORT: 6, SHUTDOWN: 7, SHUTDOWN_ACK: 8, ERROR: 9, COOKIE_ECHO: 10,
  COOKIE_ACK: 11, ECN_ECNE: 12, ECN_CWR: 13, SHUTDOWN_COMPLETE: 14, I_DATA: 64, RE_CONFIG: 130, PAD: 132, ASCONF: 193, ASCONF_ACK: 128, FORWARD_TSN: 192, I_FORWARD_TSN: 194,
}

/** Flags by the letters of their bits, the highest first. */
const FLAGS: Readonly<Record<string, string>> = { DATA: '----IUBE', ABORT: '-------T', SHUTDOWN_COMPLETE: '-------T' }
const HOW = ['any', 'all', 'only']

type Head = Heads['heads'][number]
const chunk = (heads: readonly Head[], none = false): Pred => exists(find('sctp', { heads, none }))

/** `any|all|only TYPE[:FLAGS],…`. Undefined after an error. */
export function readChunkTypes(how: Word, types: Word, diagnostics: Diagnostics): Pred | undefined {
  const wrong = (word: Word, message: string, expected: readonly string[]): undefined => {
    diagnostics.error('iptables/value', `\`${word.text}\` ${message}`, word.span, { expected })
    return undefined
  }
  const kind = how.text.toLowerCase()
  if (!HOW.includes(kind)) return wrong(how, 'is not any, all or only', HOW)
  const whole = types.text.toUpperCase()
  const heads = new Map<number, Head>()
  if (whole !== 'ALL' && whole !== 'NONE') {
    for (const word of splitAll(types, ',')) {
      const [name, flags] = split(word, ':')
      if (name.text === '' && !flags) continue
      const type = CHUNKS[name.text.toUpperCase()]
      if (type === undefined) return wrong(name, 'is no chunk type', [...Object.keys(CHUNKS), 'ALL', 'NONE'])
      let [mask, value] = [0, 0]
      const letters = flags?.text ?? ''
      for (let i = 0; i < letters.length; i++) {
        const letter = letters[i]!
        const at = (FLAGS[name.text.toUpperCase()] ?? '').indexOf(letter.toUpperCase())
        if (at < 0 || letter === '-') return wrong(part(flags!, i, i + 1), `is no flag of ${name.text}`, ['a flag of DATA (I, U, B, E), ABORT (T) or SHUTDOWN_COMPLETE (T)']) // biome-ignore format: one message
        mask |= 0x80 >> at
        if (letter === letter.toUpperCase()) value |= 0x80 >> at
      }
      heads.set(type, { mask: 0xff00 | mask, value: (type << 8) | value })
    }
  }
  const all = whole === 'ALL' ? [{ mask: 0, value: 0 }] : [...heads.values()]
  if (kind === 'only') return not(chunk(all, true))
  const [only, more] = all
  if (kind === 'any') return only && !more && only.mask === 0xff00 ? exists(find('sctp', only.value >> 8)) : chunk(all)
  // Every chunk is looked at, whatever comes before it; nobody has chunks of all types.
  const sound = not(chunk([]))
  return whole === 'ALL' ? and(sound, FALSE) : and(sound, ...all.map((head) => chunk([head])))
}
