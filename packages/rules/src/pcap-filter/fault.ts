// The one fault that ends the reading of an expression; index.ts turns it into a diagnostic. Never leaves this folder.

import type { Diagnostic, Span } from '@netsieve/diag'

export type FaultExtra = Pick<Diagnostic, 'expected' | 'hint' | 'notes'>

export class Fault extends Error {
  readonly diagnostic: Diagnostic

  constructor(code: string, message: string, span?: Span, extra: FaultExtra = {}) {
    super(message)
    this.diagnostic = { severity: 'error', code, message, ...(span && { span }), ...extra }
  }
}
