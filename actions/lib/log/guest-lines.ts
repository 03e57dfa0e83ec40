/**
 * What a guest prints arrives in pieces that end anywhere. Makes whole lines of them, and takes out what would move
 * the reader's cursor, colour the screen or ring the bell.
 */
export interface GuestLines {
  /** The lines that `text` completed. */
  push(text: string): string[]
  /** The unfinished line, if there is one. */
  flush(): string[]
}

/** A line that never ends is shown in parts of this many characters. */
const LONGEST = 4000

export function guestLines(): GuestLines {
  let pending = ''
  return {
    push(text) {
      const lines = (pending + text).split('\n')
      pending = lines.pop()!
      while (pending.length > LONGEST) {
        lines.push(pending.slice(0, LONGEST))
        pending = pending.slice(LONGEST)
      }
      return lines.map(plainLine)
    },
    flush() {
      const rest = pending
      pending = ''
      return rest === '' ? [] : [plainLine(rest)]
    },
  }
}

/** ECMA-48 5.4 control sequences (CSI), 8.3.89 strings (OSC), then any control character but the tab. */
const escapes = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]/g

function plainLine(line: string): string {
  // A progress bar rewrites its line after each carriage return; its last state is the news.
  const last = line.replace(/\r+$/, '').split('\r').at(-1)!
  return last.replace(escapes, '').replace(/[^\t\P{Cc}]/gu, '')
}
