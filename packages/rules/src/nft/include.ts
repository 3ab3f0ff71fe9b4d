// Which files `include` names, in their order, and how far it may go: as nft 1.0.6 does it (test/rules/nft/include.golden.json).
//
// A path that begins with `/`, `./` or `../` is taken as it is, so from where the program works, not from where the file is that names it. Any other is
// looked for in folders: /etc, then those that `-I` names. Without wildcards the first folder that has it is the one. With wildcards all are taken, those
// of the last folder first, and none is fine. A folder is no file: nothing is taken from it.

import type { Diagnostic, Diagnostics, Source, Span } from '@netsieve/diag'
import type { Files, ReadOptions } from '../front.ts'
import type { Word } from '../shared/index.ts'
import { expand, isWild } from './wildcards.ts'

/** Where nft looks that is built for a distribution. */
const DEFAULT_FOLDER = '/etc'
/** Files that are read at once, each named by the one before; the first counts. */
const DEEPEST = 16
/** Our own limits, in all: files, bytes of them, names that wildcards are compared with. */
const MOST_FILES = 10_000
const MOST_BYTES = 64 << 20
const MOST_NAMES = 100_000
/** PATH_MAX. */
const LONGEST_PATH = 4096

/** Paths that are taken as they are. */
const PLACED = /^(?:\.\.?)?\//
/** What may stand before the end of a line without being a part of it. */
const NOTHING = /(?:[ \t\r]*#[^\n]*(?:\n|$))*[ \t\r]*/y

export class Includes {
  private readonly options: ReadOptions
  private readonly diagnostics: Diagnostics
  /** Where the files that are read were included; the first was not. */
  private readonly from = new WeakMap<Source, Span>()
  /** The files that are being read, the innermost last. */
  private readonly open: Source[]
  private readonly left = { files: MOST_FILES, bytes: MOST_BYTES, names: MOST_NAMES }
  /** Nothing more is included: it would not end. */
  private stopped = false
  /** The statement that the file before ended with, if nothing has ended it. */
  private unended: Span | undefined

  constructor(first: Source, options: ReadOptions, diagnostics: Diagnostics) {
    this.open = [first]
    this.options = options
    this.diagnostics = diagnostics
  }

  /** Reads each file that a statement names. Codes: `nft/include`, `nft/unsupported` where there are no files. */
  each(path: Word, statement: Span, read: (source: Source) => void): void {
    for (const name of this.named(path.text, statement)) {
      const source = this.stopped ? undefined : this.source(name, statement)
      if (!source) return
      this.from.set(source, statement)
      this.open.push(source)
      read(source)
      this.open.pop()
    }
  }

  private error(message: string, span: Span, hint?: string): undefined {
    this.diagnostics.error('nft/include', message, span, hint === undefined ? {} : { hint })
    return undefined
  }

  /** The files that a path names. */
  private named(path: string, span: Span): readonly string[] {
    const { files, includePath = [] } = this.options
    if (!files) {
      const hint = 'put the text of that file in its place'
      this.diagnostics.error('nft/unsupported', 'unsupported: `include`, where there are no files', span, { hint })
      return []
    }
    if (this.stopped) return []
    if (path.length > LONGEST_PATH) {
      this.error(`a path has at most ${LONGEST_PATH} characters`, span)
      return []
    }
    const folders = PLACED.test(path) ? undefined : [DEFAULT_FOLDER, ...includePath]
    const paths = folders?.map((folder) => `${folder}/${path}`) ?? [path]
    if (isWild(path)) return this.expanded(files, paths, span)
    const found = paths.find((each) => files.look(each) !== undefined)
    if (found !== undefined && files.look(found) === 'file') return [found]
    if (found !== undefined) {
      const hint = `\`include "${path.replace(/\/*$/, '')}/*"\` includes the files in it`
      this.diagnostics.warning('nft/include', `${found} is a folder: nothing is included`, span, { hint })
    } else this.error(`there is no file ${path}`, span, folders ? `it is looked for in ${folders.join(', ')}; -I names more folders` : path.startsWith('.') ? 'it is looked for from where netsieve runs, not beside this file' : undefined) // biome-ignore format: one message
    return []
  }

  private expanded(files: Files, patterns: readonly string[], span: Span): readonly string[] {
    const all: string[] = []
    for (const pattern of patterns.toReversed()) {
      const found = expand(files, pattern, this.left)
      if (!found) {
        this.stop(`there are more than ${MOST_NAMES} names to compare with wildcards`, span)
        return []
      }
      for (const each of found) if (files.look(each) !== 'folder') all.push(each)
    }
    return all
  }

  /** Says why nothing more is included. */
  private stop(message: string, span: Span): undefined {
    this.stopped = true
    return this.error(message, span)
  }

  private source(name: string, span: Span): Source | undefined {
    if (this.open.some((each) => each.name === name)) return this.stop(`${name} includes itself`, span)
    if (this.open.length >= DEEPEST) return this.stop(`files are included more than ${DEEPEST} deep`, span)
    if (--this.left.files < 0) return this.stop(`more than ${MOST_FILES} files are included`, span)
    const read = this.options.files!.read(name, this.left.bytes)
    if (typeof read === 'string') return this.error(`${name} ${read}`, span)
    this.left.bytes -= read.text.length
    // A file may be included at several places, so each has a source of its own.
    return { ...read }
  }

  /** A text ends in a statement that nothing ends: what follows in another file would be part of it. */
  endsIn(statement: Span): void {
    if (this.open.length > 1) this.unended = statement
  }

  /** Reading goes on at a place of a text, which must end what the file before left open. */
  goesOn({ text }: Source, from: number): void {
    if (!this.unended) return
    // Of lines that are all comment nothing is seen, not even their end.
    NOTHING.lastIndex = from
    const next = text[from + NOTHING.exec(text)![0].length]
    if (next === undefined) return
    if (next !== '\n' && next !== ';')
      this.error('this file ends within a line: what follows its `include` would be part of it', this.unended, 'end the file with a line end') // biome-ignore format: one message
    this.unended = undefined
  }

  /** A diagnostic with the places where its file was included. */
  told(diagnostic: Diagnostic): Diagnostic {
    const way: Span[] = []
    for (let { span } = diagnostic; span; span = this.from.get(span.source)) way.push(span)
    const notes = way.slice(1).map((span) => ({ message: 'included here', span }))
    return notes.length === 0 ? diagnostic : { ...diagnostic, notes: [...(diagnostic.notes ?? []), ...notes] }
  }
}
