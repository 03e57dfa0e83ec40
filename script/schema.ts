import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeJson } from '../actions/lib/files/atomic.ts'
import { publishedSchemas } from '../actions/lib/spec/json-schema.ts'

const folder = fileURLToPath(new URL('../schema', import.meta.url))
for (const [name, schema] of Object.entries(publishedSchemas())) await writeJson(join(folder, name), schema)
