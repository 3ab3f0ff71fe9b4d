import type { Engine } from '../engine.ts'
export class Jit {
  readonly engine: Engine
  constructor(engine: Engine) {
    this.engine = engine
  }
  run(): void {}
  callback(_insn: number): boolean {
    return false
  }
}
