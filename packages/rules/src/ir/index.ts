// The intermediate representation itself as a rule language: its canonical text, or its JSON, as `compile` prints them.

import type { Outcome, Source } from '@netsieve/diag'
import { type Filter, fromJson, PROFILES, type ProfileName, parse } from '@netsieve/ir'
import type { FrontEnd } from '../front.ts'

export const ir: FrontEnd<Filter> = {
  title: 'intermediate representation (text or JSON)',
  profiles: Object.keys(PROFILES) as [ProfileName, ...ProfileName[]],
  parse: (source) => (/^\s*\{/.test(source.text) ? parseJson(source) : parse(source)),
  lower: (value) => ({ value, diagnostics: [] }),
}

/** The value of `--emit ir-json`, or the `ir` of what `--emit json` prints. */
function parseJson(source: Source): Outcome<Filter> {
  const span = { source, start: 0, end: 0 }
  let value: unknown
  try {
    value = JSON.parse(source.text)
  } catch (error) {
    const message = `this is no JSON: ${error instanceof Error ? error.message : String(error)}`
    return { diagnostics: [{ severity: 'error', code: 'ir/json', message, span }] }
  }
  const whole = value as { readonly v?: unknown; readonly ir?: unknown }
  const { value: filter, diagnostics } = fromJson(whole.v === 1 && whole.ir !== undefined ? whole.ir : value)
  return { ...(filter && { value: filter }), diagnostics: diagnostics.map((one) => ({ ...one, span })) }
}
