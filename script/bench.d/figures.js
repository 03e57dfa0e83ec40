import { spawnSync } from 'node:child_process'

/**
 * Runs a program to its end, and says how long it took and what it wrote. One that fails is an error, with the end of
 * what it said, since some say on their standard output what is wrong.
 */
export function timed(command, args, options = {}) {
  const began = performance.now()
  const { status, stdout } = spawnSync(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  })
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${String(stdout).slice(-2000)}`)
  return { seconds: (performance.now() - began) / 1000, stdout }
}

/** Rows of equal columns, for a person. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)))
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => String(cell).padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
  console.log('')
}

/** One line that a program can read. */
export function figure(name, value, unit, goal) {
  console.log(`figure ${name} ${value.toFixed(value < 10 ? 2 : 0)} ${unit} (goal ${goal})`)
}

/** The middle one of several measurements. */
export function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}
