export { flower } from './flower/index.ts'
export type { FrontEnd, LowerOptions } from './front.ts'
export { iptables } from './iptables/index.ts'
