// Numbers that options take.

import { Trouble } from './io.ts'

/** A number of packets. @throws Trouble */
export function countOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new Trouble(`error: -c ${text}: a number of packets from 1 on is expected [cli/count]`)
  return Number(text)
}

/** A number of threads: 1 if none is asked for. @throws Trouble */
export function threadsOf(text = '1'): number {
  if (!/^[1-9]\d?$/.test(text)) throw new Trouble(`error: -j ${text}: 1 to 99 threads are expected [cli/threads]`)
  return Number(text)
}
