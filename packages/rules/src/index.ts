export type { FrontEnd, LowerOptions } from './front.ts'
