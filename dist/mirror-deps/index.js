import { runAction } from '../bundle/index.js'
await runAction('mirror-deps')
