import { z } from 'zod'
import { scenarioFile, scenarioStep } from './scenario.ts'
import { specSchema } from './spec.ts'
import { grammarOf, type StepGrammar } from './step.ts'

type JsonSchema = Record<string, unknown>

const STEP = 'step'

/** The JSON Schemas for editors, by file name under `schema/`: what may be written, not what becomes of it. */
export function publishedSchemas(): Record<string, JsonSchema> {
  return {
    'appliance.schema.json': { ...jsonSchema(specSchema('.')), title: 'An appliance (appliance.yml)' },
    'scenario.schema.json': {
      ...jsonSchema(scenarioFile),
      title: 'A scenario of an appliance',
      definitions: { [STEP]: stepSchema(grammarOf(scenarioStep)!) },
    },
  }
}

/** Draft 7: what the YAML language server knows best. */
function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    // What only code can judge may be anything here; the reader judges it.
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const grammar = grammarOf(zodSchema)
      if (grammar?.shared) Object.assign(jsonSchema, { $ref: `#/definitions/${STEP}` })
      else if (grammar) Object.assign(jsonSchema, stepSchema(grammar))
    },
  }) as JsonSchema
}

/** Exactly one kind, beside it only reserved keys; a kind without an argument may be a bare word. */
function stepSchema({ kinds, settings, idle }: StepGrammar): JsonSchema {
  const names = Object.keys(kinds)
  const bare = names.filter((name) => kinds[name]!.safeParse(undefined).success)
  const properties = Object.fromEntries([
    ...names.map((name) => [name, argumentSchema(kinds[name]!, bare.includes(name))]),
    ...Object.entries(settings).map(([name, schema]) => [name, within(schema)]),
  ])
  const map = {
    type: 'object',
    properties,
    additionalProperties: false,
    oneOf: names.map((name) => {
      const without = Object.keys(idle[name] ?? {}).map((key) => [key, false])
      return {
        type: 'object',
        properties: { [name]: {}, ...Object.fromEntries(without) },
        required: [name],
      }
    }),
  }
  return bare.length > 0 ? { anyOf: [{ enum: bare }, map] } : map
}

function argumentSchema(schema: z.ZodType, bare: boolean): JsonSchema {
  if (!bare) return within(schema)
  const { description } = schema
  const told = description ? { description } : {}
  const { anyOf } = within(schema)
  // Of a kind that may also have an argument, the alternative without one is any value to zod.
  const others = Array.isArray(anyOf) ? anyOf.filter((one) => Object.keys(one as object).length > 0) : []
  return others.length > 0 ? { ...told, anyOf: [{ type: 'null' }, ...others] } : { type: 'null', ...told }
}

/** A schema inside of another one does not say its dialect again. */
function within(schema: z.ZodType): JsonSchema {
  const { $schema, ...rest } = jsonSchema(schema)
  return rest
}
