import { ApplianceError } from '../errors/error.ts'
import { run } from '../process/command.ts'

/** Debian's package with the program. */
export const OCR_PACKAGE = 'tesseract-ocr'

/**
 * The text on a picture of a screen, as far as tesseract recognises it; undefined where it is not installed.
 *
 * @see tesseract(1); page segmentation mode 6: a single uniform block of text
 */
export async function recognise(picture: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await run('tesseract', [picture, '-', '--psm', '6'], { signal, allowFailure: true })
    return stdout
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'missing-tool') return undefined
    throw error
  }
}
