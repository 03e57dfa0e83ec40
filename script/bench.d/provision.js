import { dropInAgainstCold } from './provision-layers.js'
import { toolsDiskAgainstGemInstall } from './provision-tools.js'

// script/bench provision [drop-in|tools-disk]: one part alone; the second takes half an hour.
const [only] = process.argv.slice(2)
if (only !== 'tools-disk') dropInAgainstCold()
if (only !== 'drop-in') toolsDiskAgainstGemInstall('examples/license-server')
