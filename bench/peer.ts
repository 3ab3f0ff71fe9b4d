// A program in C that measures the other side: built with gcc, asked a line at a time.

import { execFileSync, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Builds a C file; false, and says why, where that is not possible. */
export function buildPeer(source: string, binary: string, libraries: readonly string[] = []): boolean {
  try {
    execFileSync('gcc', ['-O2', '-o', binary, source, ...libraries], { stdio: 'pipe' })
    return true
  } catch (error) {
    console.log(`peers are missing: gcc does not build ${source} (${(error as Error).message.split('\n')[0]})`)
    return false
  }
}

export class Peer {
  private readonly child
  private readonly lines: AsyncIterator<string>

  constructor(binary: string, args: readonly string[]) {
    this.child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.child.stdin.on('error', () => undefined)
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }
  /** The next line it says; undefined at its end. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.lines.next()
    return done ? undefined : value
  }
  /** Its answer to a line. @throws Error if it ended */
  async ask(line: string): Promise<string> {
    this.child.stdin.write(`${line}\n`)
    const answer = await this.line()
    if (answer === undefined) throw new Error(`the peer ended (${this.child.exitCode ?? this.child.signalCode})`)
    return answer
  }
  close(): void {
    this.child.stdin.end()
  }
}
