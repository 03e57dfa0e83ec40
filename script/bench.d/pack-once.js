// One packing, alone in its process so that its memory is its own: node pack-once.js DISK OVA|QCOW2 LEVEL
import { descriptor } from '../../build/js/actions/lib/ovf/descriptor.js'
import { packQcow2 } from '../../build/js/actions/lib/qcow2/file.js'
import { packOva } from '../../build/js/actions/ova-pack/ova.js'

const [disk, path, level] = process.argv.slice(2)
const silent = () => {}
const log = { info: silent, warn: silent, debug: silent, progress: () => ({ add: silent, done: silent }) }
const machine = { system: 'debian', cpus: 2, memory: 2 ** 31, nic: 'VmxNet3', firmware: 'bios' }
const product = { title: 'Bench', vendor: 'Nobody', url: 'https://example.com' }
const words = { name: 'bench', version: '1', product, annotation: undefined, eula: undefined, properties: [] }
const options = { level: Number(level ?? 5), signal: new AbortController().signal }
const describe = (packed) => descriptor({ ...words, ...machine, disk: packed })
if (path.endsWith('.qcow2')) await packQcow2(disk, path, options)
else await packOva({ disk, path, log, describe, ...options })
console.log(JSON.stringify({ peakMemory: process.resourceUsage().maxRSS * 1024 }))
