import type { Console, TextScreen } from '../../console/console.ts'
import type { Chord } from '../../console/keys.ts'
import { scancodes } from './scancodes.ts'

/** Runs one VBoxManage. */
export type Manage = (args: readonly string[]) => Promise<string>

/** Keyboard and screen by VBoxManage, which cannot read a screen's text: that takes OCR of its picture. */
export class VirtualBoxConsole implements Console {
  readonly #name: string
  readonly #manage: Manage

  constructor(name: string, manage: Manage) {
    this.#name = name
    this.#manage = manage
  }

  async press(chord: Chord): Promise<void> {
    await this.#manage(['controlvm', this.#name, 'keyboardputscancode', ...scancodes(chord)])
  }

  async text(): Promise<TextScreen | undefined> {
    return undefined
  }

  async screenshot(path: string): Promise<void> {
    await this.#manage(['controlvm', this.#name, 'screenshotpng', path])
  }
}
