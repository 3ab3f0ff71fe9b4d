// What a word that nobody knows may have been meant to be.

/** The words that are one letter away: one more, one less, another. At most three; words of one letter are near to nothing. */
export function nearWords<Word extends string>(word: string, words: readonly Word[]): readonly Word[] {
  return words.filter((each) => each.length > 1 && isNear(word, each)).slice(0, 3)
}

function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let i = 0
  while (i < a.length && a[i] === b[i]) i++
  return a.slice(i + 1) === b.slice(i + 1) || a.slice(i) === b.slice(i + 1) || a.slice(i + 1) === b.slice(i)
}
