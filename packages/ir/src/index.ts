export { ACTS, type ActName, actText } from './acts.ts'
export { compareValues } from './arithmetic.ts'
export {
  and,
  between,
  cmp,
  exists,
  FALSE,
  field,
  inPrefix,
  inRanges,
  inSet,
  joinRanges,
  load,
  masked,
  maskedEqual,
  match,
  not,
  or,
  raw,
  sure,
  TRUE,
  verdict,
} from './build.ts'
export { check } from './check.ts'
export { LAST_CONTAINED, MOST_CONTAINED, wantedBytes } from './contains.ts'
export { type DecisionGraph, decisionGraph, type TestNode, termKey, threaded, type Way } from './decisions.ts'
export { DominatorTree, type TestWays, Told } from './dominators.ts'
export { type Act, type Decision, type EvaluateOptions, evaluate } from './evaluate.ts'
export { HEADER_BITS, MOST_HEADERS, NO_NEXT, SEEN_HEADERS } from './headers.ts'
export { ENDING, initial, MIXING, type Turn, third, wordsIn } from './jhash.ts'
export { fromJson, toJson } from './json.ts'
export { lint } from './lint.ts'
export { DCCP_TYPE_BYTES, MAX_CHUNKS, MAX_OPTIONS } from './lists.ts'
export { type Located, locate, MAX_EXTENSION_HEADERS } from './locate.ts'
export { parse } from './parse.ts'
export { PASSES, type Pass, passesOf, type SimplifyOptions, simplify } from './passes/index.ts'
export { entryOf, type FieldPlace, find, listBase, placeOf, typeText } from './places.ts'
export { print, printPred, printRule, printTerm, printValue } from './print.ts'
export { headerEnd, isShort } from './reading.ts'
export { calledBy, calledIn, findElement, setsOf, verdictKey, verdictsIn } from './sets.ts'
export { type Count, capacity, cost, countsOnMatch, type FilterState, firstTurn, newState } from './state.ts'
export type {
  BaseChain,
  BinOp,
  Buckets,
  Chain,
  Contains,
  Element,
  ElementData,
  Family,
  Filter,
  Find,
  Hashed,
  Heads,
  Pred,
  Range,
  RecentStep,
  Rule,
  SetDef,
  SetKey,
  StateDef,
  Step,
  TableStep,
  Term,
  Test,
  Verdict,
} from './types.ts'
export {
  type ListView,
  PROFILES,
  type Profile,
  type ProfileName,
  samePlaces,
  VIEWS,
  type View,
  type ViewName,
} from './views.ts'
export { reachedRules, termsAt, termsIn, termsOf, termsOfField } from './walk.ts'
export { MOST_WALKED, WALKED, walkHeaders } from './walk-headers.ts'
