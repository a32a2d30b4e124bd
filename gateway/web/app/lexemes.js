// @ts-check
/** The flat pieces of a message's text, as `docs/protocol.md` gives them, in one pass: each search starts where the last piece ended. */

/** @typedef {{kind: "text" | "code" | "block" | "quote" | "mention" | "link" | "mark", text: string, canOpen?: boolean, canClose?: boolean,
 *   isSecond?: boolean, language?: string, inner?: Lexeme[]}} Lexeme `***` is two marks; the later one `isSecond`, and the two may change places */

const MAX_NAME = 32;
const NO_LINK = "\\x00-\\x20\"<>`|\\u00a0\\u1680\\u2000-\\u200d\\u2028\\u2029\\u202f\\u205f\\u2060\\u3000\\ufeff";
export const UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
const PIECE = new RegExp([
  "\\\\[*~`|>@]|`+|\\*+|~+|\\|+",
  "@(?<![0-9A-Za-z_/@\\u00c0-\\u024f]@)[0-9A-Za-z][0-9A-Za-z_.-]*",
  `[Hh](?<![0-9A-Za-z][Hh])[Tt][Tt][Pp][Ss]?:\\/\\/[^${NO_LINK}]+`,
  `\\/(?<![0-9A-Za-z_./~-]\\/)tracks\\/${UUID}(?![0-9A-Za-z_/-])(?:[?#][^${NO_LINK}]*)?`,
].join("|"), "g");
const QUOTE_LINE = /(?<![^\n])>(?: |(?![^\n]))/g;
const QUOTE = /(?:> [^\n]*(?:\n|$)|>(?:\n|$))+/y;
const QUOTE_SIGN = /(?<![^\n])> ?/g;
const LANGUAGE = /^([0-9A-Za-z_+#.-]{1,20})\n/;
const BLANK = " \t\n";
const LINK_END = ".,;:!?'*~)]}\\";
const AFTER_NAME = /[0-9A-Za-z_@\u00c0-\u024f]/;
const WORD = /[0-9A-Za-z]/;
const FENCE = 3;

/** Cuts a text into its pieces. @param {string} text @returns {Lexeme[]} */
export const lexemes = (text) => new Scanner(text, false).pieces();

class Scanner {
  /** @param {string} text @param {boolean} isQuoted */
  constructor(text, isQuoted) {
    this.text = text;
    this.isQuoted = isQuoted;
    this.partner = tickPartners(text);
    /** Where the plain text begins that waits for its end. */
    this.from = 0;
    /** @type {Lexeme[]} */
    this.out = [];
  }

  pieces() {
    let piece = next(PIECE, this.text, 0);
    let quoteAt = this.nextQuote(0);
    while (piece || quoteAt < Infinity) {
      const start = piece?.index ?? Infinity;
      const at = piece && start < quoteAt ? this.take(start, start + piece[0].length) : this.quote(quoteAt);
      if (piece && start < at) piece = next(PIECE, this.text, at);
      if (quoteAt < at) quoteAt = this.nextQuote(at);
    }
    this.plain(this.text.length);
    return this.out;
  }

  /** @param {number} at @returns {number} */
  nextQuote(at) {
    return this.isQuoted ? Infinity : next(QUOTE_LINE, this.text, at)?.index ?? Infinity;
  }

  /** @param {number} end */
  plain(end) {
    if (end > this.from) this.out.push({ kind: "text", text: this.text.slice(this.from, end) });
  }

  /** @param {Lexeme} lexeme @param {number} start @param {number} end */
  add(lexeme, start, end) {
    this.plain(start);
    this.out.push(lexeme);
    this.from = end;
    return end;
  }

  /** What stands on lines of its own: the break before and after it is not shown. @param {Lexeme} lexeme @param {number} start @param {number} end */
  addApart(lexeme, start, end) {
    return this.add(lexeme, start > this.from && this.text[start - 1] === "\n" ? start - 1 : start, end);
  }

  /** @param {number} start @param {number} end */
  take(start, end) {
    const sign = this.text[start];
    if ("*~|".includes(sign)) return this.mark(start, end);
    if (sign === "`") return this.code(start, end);
    if (sign === "@") return this.mention(start, end);
    if (sign === "\\") return this.add({ kind: "text", text: this.text[start + 1] }, start, end);
    return this.link(start, end);
  }

  /** @param {number} start */
  quote(start) {
    const whole = next(QUOTE, this.text, start)?.[0] ?? "";
    const inner = without("\n", whole.replace(QUOTE_SIGN, ""));
    if (isBlank(inner)) return start + whole.length;
    const quoted = new Scanner(inner, true).pieces();
    return this.addApart({ kind: "quote", text: inner, inner: quoted }, start, start + whole.length);
  }

  /** Code goes to the next run of just as many backticks, on one line unless there are three. @param {number} start @param {number} end */
  code(start, end) {
    const length = end - start;
    const close = this.partner(end, length);
    let body = close < Infinity ? this.text.slice(end, close) : "";
    if (length >= FENCE && !this.isQuoted) return this.block(body, start, end);
    if (body.includes("\n") || isBlank(body)) return end;
    if (body[0] === " " && body.at(-1) === " ") body = body.slice(1, -1);
    return this.add({ kind: "code", text: body }, start, close + length);
  }

  /** @param {string} body @param {number} start @param {number} end of the opening backticks */
  block(body, start, end) {
    const named = LANGUAGE.exec(body);
    const rest = body.slice(named ? named[0].length : 0);
    const text = without("\n", rest.startsWith("\n") ? rest.slice(1) : rest);
    if (isBlank(text)) return end;
    const after = end + body.length + end - start;
    const language = named?.[1] ?? "";
    return this.addApart({ kind: "block", text, language }, start, this.text[after] === "\n" ? after + 1 : after);
  }

  /** @param {number} start @param {number} stop */
  mention(start, stop) {
    const end = trimmedEnd(this.text, start, stop, ".-");
    const length = end - start - 1;
    if (length < 2 || length > MAX_NAME || AFTER_NAME.test(this.text[end] ?? "")) return end;
    return this.add({ kind: "mention", text: this.text.slice(start + 1, end) }, start, end);
  }

  /** @param {number} start @param {number} stop */
  link(start, stop) {
    const end = trimmedEnd(this.text, start, stop, LINK_END);
    const text = this.text.slice(start, end);
    if (/^https?:\/\/$/i.test(text)) return end;
    return this.add({ kind: "link", text }, start, end);
  }

  /** @param {number} start @param {number} end */
  mark(start, end) {
    const sign = this.text[start];
    const length = end - start;
    if (length > (sign === "*" ? 3 : 2) || (sign !== "*" && length < 2)) return end;
    const before = this.text[start - 1] ?? " ";
    const after = this.text[end] ?? " ";
    const isLoose = sign === "|";
    const canOpen = !BLANK.includes(after) && (isLoose || !WORD.test(before));
    const canClose = !BLANK.includes(before) && (isLoose || !WORD.test(after));
    if (!canOpen && !canClose) return end;
    this.add({ kind: "mark", text: this.text.slice(start, Math.min(end, start + 2)), canOpen, canClose }, start, end);
    if (length === 3) this.out.push({ kind: "mark", text: sign, canOpen, canClose, isSecond: true });
    return end;
  }
}

/** @param {RegExp} pattern @param {string} text @param {number} at */
function next(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/**
 * Finds the next run of as many backticks; asked from left to right, it looks at each run once.
 * @param {string} text @returns {(at: number, length: number) => number}
 */
function tickPartners(text) {
  /** @type {Map<number, number[]>} */
  const runs = new Map();
  /** How many of them lie behind. @type {Map<number, number>} */
  const seen = new Map();
  for (const run of text.matchAll(/`+/g)) {
    const { length } = run[0];
    if (!runs.get(length)?.push(run.index)) runs.set(length, [run.index]);
  }
  return (at, length) => {
    const left = runs.get(length) ?? [];
    while (left[seen.get(length) ?? 0] < at) seen.set(length, (seen.get(length) ?? 0) + 1);
    return left[seen.get(length) ?? 0] ?? Infinity;
  };
}

/** @param {string} text @param {number} start @param {number} end @param {string} chars */
function trimmedEnd(text, start, end, chars) {
  let at = end;
  while (at > start && chars.includes(text[at - 1])) at -= 1;
  return at;
}

/** @param {string} end @param {string} text */
export const without = (end, text) => (text.endsWith(end) ? text.slice(0, -end.length) : text);

/** @param {string} text */
const isBlank = (text) => !/[^ \t\n]/.test(text);
