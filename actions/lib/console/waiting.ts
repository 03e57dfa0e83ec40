import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../errors/error.ts'
import type { Log } from '../log/log.ts'
import { formatDuration } from '../units/duration.ts'
import type { Console } from './console.ts'
import { OCR_PACKAGE, recognise } from './ocr.ts'
import { lastLines, shownText, shows } from './screen.ts'

export interface Watching {
  log: Log
  signal: AbortSignal
  /** A folder for pictures: what is awaited may be on a graphical screen. */
  evidence: string
}

/** Between two looks at a text screen, and at a picture, which takes a second to recognise. Milliseconds. */
const GLANCE = 200
const STUDY = 1500

/**
 * Waits until the screen shows a text: on a text screen by reading it, on a graphical one as far as tesseract
 * recognises it.
 *
 * @param seconds at most
 * @throws ApplianceError `timeout` with what the screen shows instead; `missing-tool` where that is graphics and there
 *   is no tesseract
 */
export async function waitForText(
  console: Console,
  text: string,
  seconds: number,
  { log, signal, evidence }: Watching,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000
  const picture = join(evidence, 'awaited.png')
  let shown = ''
  let blind = false
  for (;;) {
    const screen = await console.text()
    if (screen) {
      if (shows(screen, text)) break
      shown = shownText(screen)
    } else {
      await console.screenshot(picture)
      const read = await recognise(picture, signal)
      if (read === undefined && !blind)
        log.warn(
          `the screen is graphical, and ${JSON.stringify(text)} is awaited on it: that takes tesseract (apt-get install ${OCR_PACKAGE})`,
        )
      blind = read === undefined
      if (read !== undefined && shows({ rows: read.split('\n') }, text)) break
      shown = read ?? ''
    }
    if (performance.now() > deadline) {
      await console.screenshot(picture).catch(() => {})
      throw notShown(text, seconds, shown, blind, picture)
    }
    await pause(screen ? GLANCE : STUDY, undefined, { signal })
  }
  await rm(picture, { force: true })
}

function notShown(text: string, seconds: number, shown: string, blind: boolean, picture: string) {
  const what = `${JSON.stringify(text)} did not appear on the screen within ${formatDuration(seconds * 1000)}`
  const evidence = [picture]
  if (blind)
    return new ApplianceError(
      'missing-tool',
      `${what}: it is graphical, and there is no tesseract to read it`,
      {
        hint: `apt-get install ${OCR_PACKAGE}, or wait by the clock: <Wait30>.`,
        evidence,
      },
    )
  const words = lastLines(shown)
  return new ApplianceError('timeout', `${what}; ${words ? `it ends: ${words}` : 'it is empty'}`, {
    evidence,
  })
}
