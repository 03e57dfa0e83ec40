import { mkdir, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { writeJson } from '../../lib/files/atomic.ts'
import { exists } from '../../lib/files/exists.ts'
import type { SavedMachine } from '../../lib/hypervisor/hypervisor.ts'
import { run } from '../../lib/process/command.ts'
import type { StepReport } from '../report.ts'
import type { KeptMachine, Layer } from './layer.ts'
import { type Kept, pruning } from './pruning.ts'

/**
 * The layers of earlier runs, one folder a key: `disk.qcow2` over the disk of the layer below, `memory`, `files`
 * (what the step fetched), `merged` (what the steps fetched whose layers it took in), `console` (what the guest had
 * said) and, written last, `layer.json`, which vouches for the rest. So a run that is killed at any
 * instant leaves at most a folder without a `layer.json`, which the next one removes.
 */
export class Shelf {
  readonly #folder: string
  /** The disk under the first layer. */
  readonly #base: string

  constructor(folder: string, base: string) {
    this.#folder = folder
    this.#base = base
  }

  /** Removes what earlier runs have left half done, and what has lost its ground. Before anything is begun. */
  async tidy(): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    for (const name of await readdir(this.#folder)) if (!(await this.#read(name))) await this.#remove(name)
    for (;;) {
      const layers = await this.layers()
      const stranded = layers.find(
        ({ parent }) => parent !== undefined && !layers.some(({ key }) => key === parent),
      )
      if (!stranded) return
      await this.#remove(stranded.key)
    }
  }

  /** The whole layers, the one used longest ago first. */
  async layers(): Promise<Layer[]> {
    const found: { layer: Layer; used: number }[] = []
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const layer = await this.#read(name)
      if (layer) found.push({ layer, used: (await stat(this.#record(name))).mtimeMs })
    }
    return found.sort((a, b) => a.used - b.used).map(({ layer }) => layer)
  }

  disk(key: string): string {
    return join(this.#folder, key, 'disk.qcow2')
  }

  memory(key: string): string {
    return join(this.#folder, key, 'memory')
  }

  /** Where a step's fetched files are kept. */
  files(key: string): string {
    return join(this.#folder, key, 'files')
  }

  /** What a step gave when it ran: kept in its own layer, or in the one that took that in. */
  async given(key: string): Promise<{ report?: StepReport; files: string } | undefined> {
    const layers = await this.layers()
    const own = layers.find((layer) => layer.key === key)
    if (own) return { ...own, files: this.files(key) }
    for (const layer of layers) {
      const merged = layer.merged?.find((step) => step.key === key)
      if (merged) return { ...merged, files: this.#mergedFiles(layer.key, key) }
    }
    return undefined
  }

  /** What the console had said of the boot in which the layer was made. */
  console(key: string): string {
    return join(this.#folder, key, 'console')
  }

  /** Begins a layer: an empty disk over that of `parent`, or of the base. @returns its path */
  async begin(key: string, parent: string | undefined): Promise<string> {
    await this.#removeWithThoseOver(key)
    await mkdir(join(this.#folder, key), { recursive: true })
    const under = parent === undefined ? this.#base : this.disk(parent)
    // Relative: a project may be moved.
    await overlay(this.disk(key), relative(join(this.#folder, key), under))
    return this.disk(key)
  }

  /** A layer is whole: its disk (and memory) will not be written to any more. */
  async finish(layer: Omit<Layer, 'schema' | 'machine'>, saved: Fitting | undefined): Promise<void> {
    for (const path of [this.disk(layer.key), ...(saved ? [this.memory(layer.key)] : [])]) await flush(path)
    const machine: KeptMachine | undefined = saved && {
      address: saved.machine.address,
      mac: saved.machine.mac,
      bytes: (await stat(this.memory(layer.key))).size,
      fits: saved.fits,
    }
    await writeJson(this.#record(layer.key), { schema: 1, ...layer, ...(machine ? { machine } : {}) })
  }

  /** The layer was of use just now. */
  async used(key: string): Promise<void> {
    const now = new Date()
    await utimes(this.#record(key), now, now)
  }

  /** Keeps no more than is allowed. @returns bytes that the rest takes */
  async prune(
    course: readonly string[],
    limits: { layers: number; size: number },
  ): Promise<{ layers: number; bytes: number; memory: number }> {
    const kept = await this.#kept()
    for (const doing of pruning(kept, course, limits)) {
      if ('remove' in doing) await this.#remove(doing.remove)
      else if ('forget' in doing) await this.#forget(doing.forget)
      else await this.#merge(doing.merge, doing.into)
    }
    const rest = await this.#kept()
    const memory = rest.reduce((sum, { size }) => sum + size.memory, 0)
    const disks = rest.reduce((sum, { size }) => sum + size.disk, 0)
    return { layers: rest.length, bytes: disks + memory, memory }
  }

  async #kept(): Promise<Kept[]> {
    const layers = await this.layers()
    return await Promise.all(
      layers.map(async (layer) => ({
        layer,
        size: {
          disk: await room(this.disk(layer.key)),
          memory: layer.machine ? await room(this.memory(layer.key)) : 0,
        },
      })),
    )
  }

  async #forget(key: string): Promise<void> {
    const { machine: _, ...layer } = (await this.#read(key))!
    await writeJson(this.#record(key), layer)
    await rm(this.memory(key), { force: true })
  }

  /**
   * qemu-img first copies into the upper disk what it lacks, and only then lets go of the lower one. The lower layer
   * stays whole until the upper one's record says that it has everything.
   */
  async #merge(key: string, into: string): Promise<void> {
    const lower = (await this.#read(key))!
    const upper = (await this.#read(into))!
    const under = lower.parent === undefined ? this.#base : this.disk(lower.parent)
    const backing = relative(join(this.#folder, into), under)
    await run('qemu-img', ['rebase', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', backing, this.disk(into)])
    await flush(this.disk(into))
    const { report } = lower
    const merged = [...(lower.merged ?? []), { key, ...(report ? { report } : {}) }]
    for (const step of merged) {
      const from = step.key === key ? this.files(key) : this.#mergedFiles(key, step.key)
      if (await exists(from)) await link(from, this.#mergedFiles(into, step.key))
    }
    const { parent: _, ...rest } = upper
    await writeJson(this.#record(into), {
      ...rest,
      ...(lower.parent ? { parent: lower.parent } : {}),
      merged: [...merged, ...(upper.merged ?? [])],
    })
    await this.#remove(key)
  }

  /** undefined for what is not whole. */
  async #read(name: string): Promise<Layer | undefined> {
    try {
      const layer = JSON.parse(await readFile(this.#record(name), 'utf8')) as Layer
      const whole = layer.schema === 1 && layer.key === name && (await exists(this.disk(name)))
      if (!whole) return undefined
      const { machine, ...rest } = layer
      const memory = await stat(this.memory(name)).catch(() => undefined)
      return machine && memory?.size === machine.bytes ? layer : rest
    } catch (error) {
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code) return undefined
      throw error
    }
  }

  #mergedFiles(into: string, key: string): string {
    return join(this.#folder, into, 'merged', key)
  }

  #record(key: string): string {
    return join(this.#folder, key, 'layer.json')
  }

  /** A layer that is made anew has other blocks than before: what lay over it has lost its ground. */
  async #removeWithThoseOver(key: string): Promise<void> {
    for (const layer of await this.layers())
      if (layer.parent === key) await this.#removeWithThoseOver(layer.key)
    await this.#remove(key)
  }

  /** Its record first: from then on it is not whole. */
  async #remove(key: string): Promise<void> {
    await rm(this.#record(key), { force: true })
    await rm(join(this.#folder, key), { recursive: true, force: true })
  }
}

/** A machine that was saved, and what of this computer it depends on. */
export interface Fitting {
  machine: SavedMachine
  fits: Record<string, string>
}

/** An empty qcow2 over another one; `backing` may be relative to its folder. */
export async function overlay(path: string, backing: string): Promise<void> {
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', backing, path])
}

/** The same tree once more, of the same files: nothing in a layer is ever written to again. */
async function link(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await mkdir(dirname(to), { recursive: true })
  await run('cp', ['--archive', '--link', '--no-target-directory', from, to])
}

/** QEMU flushes nothing (it is told so); a layer has to outlive a computer that crashes. */
async function flush(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** What a sparse file takes. */
async function room(path: string): Promise<number> {
  const status = await stat(path).catch(() => undefined)
  return status ? status.blocks * 512 : 0
}
