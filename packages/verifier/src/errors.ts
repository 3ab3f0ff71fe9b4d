// How verification ends early: the program is wrong (in the kernel's words), or it uses what this verifier has not got.

/** The program is rejected. The message is the kernel's; further lines of it follow after newlines. */
export class Rejection extends Error {
  override readonly name = 'Rejection'
  /** Refused even where only a speculative path leads: the limits of the verifier itself. */
  readonly always: boolean
  constructor(message: string, always = false) {
    super(message)
    this.always = always
  }
}

/** Neither accepted nor rejected: `feature` is not modelled. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported'
  constructor(feature: string) {
    super(`unsupported by this verifier: ${feature}`)
  }
}
