// One packing, alone in its process so that its memory is its own: node pack-once.js DISK OVA LEVEL
import { descriptor } from '../../build/js/actions/lib/ovf/descriptor.js'
import { packOva } from '../../build/js/actions/ova-pack/ova.js'

const [disk, path, level] = process.argv.slice(2)
const silent = () => {}
const log = { info: silent, warn: silent, debug: silent, progress: () => ({ add: silent, done: silent }) }
const machine = { system: 'debian', cpus: 2, memory: 2 ** 31, nic: 'VmxNet3', firmware: 'bios' }
const product = { title: 'Bench', vendor: 'Nobody', url: 'https://example.com' }
const words = { name: 'bench', version: '1', product, annotation: undefined, eula: undefined, properties: [] }
await packOva({
  disk,
  path,
  log,
  level: Number(level ?? 5),
  signal: new AbortController().signal,
  describe: (packed) => descriptor({ ...words, ...machine, disk: packed }),
})
console.log(JSON.stringify({ peakMemory: process.resourceUsage().maxRSS * 1024 }))
