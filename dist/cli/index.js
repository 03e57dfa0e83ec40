#!/usr/bin/env node
import { runCommand } from '../bundle/index.js'
await runCommand(process.argv.slice(2))
