export { code, type Diagnostic, Diagnostics, type Note, type Outcome, type Severity } from './diagnostic.ts'
export { nearWords } from './near.ts'
export { render, renderAll } from './render.ts'
export { at, cover, lineText, type Position, position, type Source, type Span, source, spanText } from './source.ts'
