// Verdicts that are more than to pass or to drop: what becomes of the packet as far as a filter decides it, and what its arguments are.

export interface Act {
  readonly title: string
  /** The class it has where only passing and dropping are told apart. */
  readonly decision: 'pass' | 'drop'
  /** What its arguments are, in words. */
  readonly args: readonly string[]
}

export const ACTS = {
  reject: { title: 'dropped, and the sender is told', decision: 'drop', args: ['answer'] },
  queue: { title: 'given to a program, and dropped where none listens', decision: 'drop', args: ['queues'] },
  'queue-bypass': { title: 'given to a program, and accepted where none listens', decision: 'pass', args: ['queues'] },
  steer: { title: 'received by a queue of the device', decision: 'pass', args: ['queue'] },
  class: { title: 'sent by a class of the queueing discipline', decision: 'pass', args: ['class'] },
  redirect: { title: 'sent by another device', decision: 'pass', args: ['device', 'direction'] },
  trap: { title: 'handed to the processor by the device', decision: 'pass', args: [] },
  rewrite: { title: 'changed, and accepted', decision: 'pass', args: ['change'] },
} as const satisfies Record<string, Act>

export type ActName = keyof typeof ACTS

/** `reject(icmp port-unreachable)`. */
export function actText({ act, args }: { readonly act: ActName; readonly args: readonly string[] }): string {
  return `${act}(${args.join(', ')})`
}
