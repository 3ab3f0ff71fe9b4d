// Files by wildcards, as glob(7) finds them where bytes are characters: `*`, `?` and `[a-z]`, none of which stands for `/` or for the point that a
// name begins with. A backslash is a character like any other: nft 1.0.6 takes it so (test/rules/nft/include.golden.json).

import type { Files } from '../front.ts'

/** Whether a path asks for whatever there is, so that nothing is an answer too. */
export const isWild = (path: string): boolean => /[*?[]/.test(path)

/**
 * The paths that a pattern stands for, in the order of their bytes.
 * @param left how many names may still be looked at
 * @returns undefined if there are more
 */
export function expand(files: Files, pattern: string, left: { names: number }): string[] | undefined {
  const parts = pattern.split('/')
  let found = ['']
  for (const [i, part] of parts.entries()) {
    const slash = i < parts.length - 1 ? '/' : ''
    if (!isWild(part)) {
      found = found.map((before) => before + part + slash)
      if (!slash) found = found.filter((path) => files.look(path) !== undefined)
      continue
    }
    const matches = matcher(part)
    const next: string[] = []
    for (const before of found) {
      const names = files.list(before || '.')
      left.names -= 1 + names.length
      if (left.names < 0) return undefined
      for (const name of names) if (matches(name)) next.push(before + name + slash)
    }
    found = next
  }
  const keyed = found.map((path) => ({ path, key: bytesOf(path) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ path }) => path)
}

/** A text as one character for each of its bytes. */
function bytesOf(text: string): string {
  const whole = text.replace(/\p{Surrogate}/gu, '\ufffd')
  return encodeURIComponent(whole).replace(/%(..)/g, (_, byte: string) =>
    String.fromCharCode(Number.parseInt(byte, 16)),
  )
}

/** What one place of a name may be: a byte of some, or any number of bytes. */
type Place = '*' | ((byte: string) => boolean)

/** Whether names match a pattern; in time by the product of their lengths, whatever the pattern is. */
function matcher(pattern: string): (name: string) => boolean {
  const places = placesOf(bytesOf(pattern))
  return (name) => (!name.startsWith('.') || pattern.startsWith('.')) && fits(places, bytesOf(name))
}

/** A `*` takes as little as it can; of several, only the last one may have to take more. */
function fits(places: readonly Place[], name: string): boolean {
  let [at, place, star, from] = [0, 0, -1, 0]
  while (at < name.length) {
    const here = places[place]
    if (here === '*') [star, from] = [place++, at]
    else if (here?.(name[at]!)) [at, place] = [at + 1, place + 1]
    else if (star < 0) return false
    else [at, place] = [++from, star + 1]
  }
  return places.slice(place).every((each) => each === '*')
}

const CLASS = /\[[!^]?\]?(?:\[:[a-z]+:\]|[^\]])*\]/y

function placesOf(pattern: string): Place[] {
  const places: Place[] = []
  for (let i = 0; i < pattern.length; ) {
    CLASS.lastIndex = i
    const char = pattern[i]!
    const set = char === '[' ? CLASS.exec(pattern)?.[0] : undefined
    places.push(char === '*' ? '*' : char === '?' ? () => true : set ? classOf(set) : (byte) => byte === char)
    i += set?.length ?? 1
  }
  return places
}

const NAMED: Readonly<Record<string, RegExp>> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  digit: /[0-9]/,
  lower: /[a-z]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t-\r ]/,
  blank: /[\t ]/,
  graph: /[!-~]/,
  print: /[ -~]/,
}

/** `[a-z]`, `[!0-9]`, `[[:digit:]x]`. A range that ends before it begins holds nothing. */
function classOf(text: string): (byte: string) => boolean {
  const not = /^\[[!^]/.test(text)
  const inside = text.slice(not ? 2 : 1, -1)
  const parts = [...inside.matchAll(/\[:([a-z]+):\]|(.)-(.)|./gs)]
  const holds = (byte: string) =>
    parts.some(([one, name, lo, hi]) =>
      name !== undefined
        ? (NAMED[name]?.test(byte) ?? false)
        : lo !== undefined
          ? lo <= byte && byte <= hi!
          : one === byte,
    )
  return (byte) => holds(byte) !== not
}
