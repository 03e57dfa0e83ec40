import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { figure, median, table, timed } from './figures.js'

const GB = 2 ** 30
const TURNS = 3

/**
 * Packing alone, of raw disks as ova-pack has them after sealing: ours with its digests against the VMDK alone of the
 * others. All read the same raw disk, from a warm cache, so the reading of a qcow2 counts for nobody.
 */
export class Contest {
  peak = 0
  #folder
  #source
  #converter = vmdkConvert()

  constructor(folder, disk) {
    this.#folder = folder
    this.#source = disk
  }

  /** 2 GB of data on 20 GB, three turns each; levels and qcow2; the same data on 64 GB. */
  async small() {
    const disk = await this.#disk('2gb.raw', 2 * GB, 20 * GB)
    const { ours, theirs, converted } = this.#turns(disk, TURNS)
    const sizes = ['ours.ova', 'theirs.vmdk', 'converted.vmdk'].map((name) => this.#at(name)).map(bytesOf)
    const rows = [3, 9].map((zlib) => {
      const { seconds } = this.#pack(disk, 'level.ova', zlib)
      return [
        `ova-pack, level: ${zlib === 3 ? 'fast' : 'small'}`,
        seconds.toFixed(1),
        megabytes(this.#at('level.ova')),
      ]
    })
    const qcow2 = this.#pack(disk, 'ours.qcow2')
    const theirQcow2 = timed('qemu-img', ['convert', '-c', '-O', 'qcow2', disk, this.#at('theirs.qcow2')])
    const rowOf = (title, { seconds }, file) => [title, seconds.toFixed(1), megabytes(this.#at(file))]
    rows.push(
      rowOf('ova-pack, qcow2', qcow2, 'ours.qcow2'),
      rowOf('qemu-img convert -c, qcow2', theirQcow2, 'theirs.qcow2'),
    )
    // Only the holes become more.
    truncateSync(disk, 64 * GB)
    const huge = this.#pack(disk, 'huge.ova')
    rows.push(rowOf('ova-pack, the same data on 64 GB', huge, 'huge.ova'))
    table([
      ['2 GB of data on 20 GB', 'seconds', 'MB'],
      ['ova-pack (OVA with digests), level: normal', median(ours).toFixed(1), mega(sizes[0])],
      ['qemu-img (VMDK alone)', median(theirs).toFixed(1), mega(sizes[1])],
      ...(converted.length
        ? [['vmdk-convert -c 6 (VMDK alone)', median(converted).toFixed(1), mega(sizes[2])]]
        : []),
      ...rows,
    ])
    this.#figures('', median(ours), median(theirs), converted.length ? median(converted) : undefined)
    figure('pack.size-vs-qemu-img', sizes[0] / sizes[1], 'x', '≤ 1.02')
    figure('pack.qcow2-speed-vs-qemu-img', theirQcow2.seconds / qcow2.seconds, 'x', '≥ 1.5')
    figure('pack.64-gb-disk-vs-its-data', huge.seconds / median(ours), 'x', '≤ 1.2')
    rmSync(disk)
  }

  /** 8 GB of data on 20 GB: one turn, beside 2 GB of it, since time should follow the data. */
  async large() {
    const small = await this.#disk('2gb.raw', 2 * GB, 20 * GB)
    const two = this.#pack(small, 'ours.ova').seconds
    rmSync(small)
    const disk = await this.#disk('8gb.raw', 8 * GB, 20 * GB)
    const { ours, theirs, converted } = this.#turns(disk, 1)
    table([
      ['8 GB of data on 20 GB', 'seconds', 'MB'],
      ['ova-pack (OVA with digests), level: normal', ours[0].toFixed(1), megabytes(this.#at('ours.ova'))],
      ['qemu-img (VMDK alone)', theirs[0].toFixed(1), megabytes(this.#at('theirs.vmdk'))],
      ...(converted[0]
        ? [['vmdk-convert -c 6 (VMDK alone)', converted[0].toFixed(1), megabytes(this.#at('converted.vmdk'))]]
        : []),
    ])
    this.#figures('-8-gb', ours[0], theirs[0], converted[0])
    figure('pack.seconds-8-gb-vs-2-gb', ours[0] / two, 'x', '≤ 4.4')
    rmSync(disk)
  }

  #figures(which, ours, theirs, converted) {
    figure(`pack.speed-vs-qemu-img${which}`, theirs / ours, 'x', '≥ 3')
    if (converted) figure(`pack.speed-vs-vmdk-convert${which}`, converted / ours, 'x', '≥ 1.5')
    else console.log('not measured: pack.speed-vs-vmdk-convert (script/test import makes a root with it)')
  }

  /** Each in turn, so that what else the computer does falls on all. */
  #turns(disk, turns) {
    const runs = { ours: [], theirs: [], converted: [] }
    for (let turn = 0; turn < turns; turn++) {
      runs.ours.push(this.#pack(disk, 'ours.ova').seconds)
      const options = ['convert', '-O', 'vmdk', '-o', 'subformat=streamOptimized']
      runs.theirs.push(timed('qemu-img', [...options, disk, this.#at('theirs.vmdk')]).seconds)
      if (this.#converter)
        runs.converted.push(timed(...this.#converter(disk, this.#at('converted.vmdk'))).seconds)
    }
    return runs
  }

  #pack(disk, name, level = 5) {
    const args = ['script/bench.d/pack-once.js', disk, this.#at(name), String(level)]
    const { seconds, stdout } = timed(process.execPath, args)
    this.peak = Math.max(this.peak, JSON.parse(stdout).peakMemory)
    return { seconds }
  }

  /** A raw disk with so many bytes of the example's data, one copy behind the other. */
  async #disk(name, bytes, capacity) {
    const source = this.#at('source.raw')
    if (!existsSync(source)) timed('qemu-img', ['convert', '-O', 'raw', this.#source, source])
    // Compiled by now.
    const { dataExtents } = await import('../../build/js/actions/lib/disk/extents.js')
    const extents = await dataExtents(source)
    const from = openSync(source, 'r')
    const to = openSync(this.#at(name), 'w')
    const piece = Buffer.alloc(1 << 20)
    for (let written = 0; written < bytes; )
      for (const { start, length } of extents)
        for (let at = start; at < start + length && written < bytes; at += piece.length) {
          const read = readSync(
            from,
            piece,
            0,
            Math.min(piece.length, start + length - at, bytes - written),
            at,
          )
          written += writeSync(to, piece, 0, read, written)
        }
    ftruncateSync(to, capacity)
    closeSync(from)
    closeSync(to)
    return this.#at(name)
  }

  #at(name) {
    return join(this.#folder, name)
  }
}

function bytesOf(path) {
  return existsSync(path) ? statSync(path).size : 0
}

function mega(bytes) {
  return (bytes / 1e6).toFixed(0)
}

function megabytes(path) {
  return mega(bytesOf(path))
}

/** Its command line here: Debian 12 has none, so the one of the importers' root is run by its own loader. */
function vmdkConvert() {
  const root = join(homedir(), '.cache/appliance/test/importer-open-vmdk')
  const program = join(root, 'usr/bin/vmdk-convert')
  if (!existsSync(program)) return undefined
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
  const loader = join(libraries, 'ld-linux-x86-64.so.2')
  return (from, to) => [loader, ['--library-path', libraries, program, '-c', '6', from, to]]
}
