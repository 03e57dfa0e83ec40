/** A text as a regular expression (of JavaScript) that matches nothing but it. */
export function literalPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
