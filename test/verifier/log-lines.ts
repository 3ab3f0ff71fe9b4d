// The lines of a log that both verifiers print alike.

/** Addresses and names of maps, and the notes of passes that we print otherwise or not at all, do not count. */
export function comparable(log: string): string[] {
  return log
    .replace(/(.)processed \d+ insns.*/g, '$1')
    .split('\n')
    .filter(
      (line) =>
        !/^(mark_precise|force_precise|frame \d+: prop|\([\d,]+\) (frame|live)|SCC|processed|func#)|^$/.test(line),
    )
    .map((line) =>
      line
        .replace(/\(18\) (r\d) = (map\[.*?\]|0xffff[0-9a-f]+)/, '(18) $1 = MAP')
        .replace(/map=\w*,/g, '')
        .replace(/ +;/g, ' ;')
        .trimEnd(),
    )
}
