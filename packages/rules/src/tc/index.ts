export { type Action, readActions } from './actions.ts'
export { type Frame, readFrame, type TcHook } from './frame.ts'
export { ALL, type Base, classText, longNumber, readEtherType, shortNumber, tcNumber } from './numbers.ts'
export { atHook, byPriority, chainName, type Placed, reached } from './order.ts'
