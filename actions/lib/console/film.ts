import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { sha256File } from '../files/digest.ts'
import type { Console } from './console.ts'
import { lastLines, shownText } from './screen.ts'

/** Between two looks, milliseconds. */
const INTERVAL = 1000
/** More pictures than these are thinned. */
const MOST = 120

interface Picture {
  /** Since the film began. */
  seconds: number
  file: string
  /** The last lines, where they can be read. */
  text: string
}

/** Pictures of a screen, one whenever it has changed. */
export interface Film extends AsyncDisposable {
  /** The newest picture. */
  readonly last: string | undefined
  /** Looks now: what comes next may be the end. */
  look(): Promise<void>
}

/**
 * Films a machine's screen into a folder: `0042.5s.png`, the seconds since now, and `film.md`, which lists them with
 * what they show. Of a long film every other older picture is left out.
 */
export async function startFilm(console: Console, folder: string): Promise<Film> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const began = performance.now()
  const pictures: Picture[] = []
  const stop = new AbortController()
  let shown: string | undefined

  const look = async () => {
    const screen = await console.text()
    const taken = join(folder, 'now.png')
    // A text screen's cursor blinks; its text does not.
    const text = screen && shownText(screen)
    if (text !== undefined && text === shown) return
    await console.screenshot(taken)
    const now = text ?? (await sha256File(taken))
    if (now === shown) return await rm(taken)
    shown = now
    const seconds = (performance.now() - began) / 1000
    const file = `${seconds.toFixed(1).padStart(6, '0')}s.png`
    await rename(taken, join(folder, file))
    pictures.push({ seconds, file, text: lastLines(text ?? '', 1) })
    if (pictures.length > MOST) await thin(pictures, folder)
    await writeFile(join(folder, 'film.md'), listed(pictures))
  }
  let looking: Promise<void> = Promise.resolve()
  // A machine that is gone is no fault of its film.
  const next = () => (looking = looking.then(look).catch(() => {}))
  const filming = (async () => {
    while (!stop.signal.aborted) {
      await next()
      await pause(INTERVAL, undefined, { signal: stop.signal }).catch(() => {})
    }
  })()
  return {
    get last() {
      const picture = pictures.at(-1)
      return picture && join(folder, picture.file)
    },
    look: next,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await filming
    },
  }
}

/** Of the older half every other one goes; the first and the newest stay. */
async function thin(pictures: Picture[], folder: string): Promise<void> {
  const half = Math.floor(pictures.length / 2)
  const dropped = pictures.filter((_, index) => index < half && index % 2 === 1)
  for (const { file } of dropped) await rm(join(folder, file))
  const kept = pictures.filter((picture) => !dropped.includes(picture))
  pictures.splice(0, pictures.length, ...kept)
}

function listed(pictures: readonly Picture[]): string {
  const lines = pictures.map(
    ({ seconds, file, text }) =>
      `| [${seconds.toFixed(1)} s](${file}) | ${text.replaceAll('|', '\\|').replaceAll('`', "'")} |`,
  )
  return `| after | the screen ends |\n|---|---|\n${lines.join('\n')}\n`
}
