import { join, relative } from 'node:path'
import { sha256 } from '../lib/files/digest.ts'
import { slowDigest } from '../lib/files/slow-digest.ts'
import { treeParts } from '../lib/files/tree.ts'
import type { ProvisionStep } from '../lib/spec/spec.ts'
import type { Project } from '../lib/stage/stage.ts'
import { toolsKey } from '../lib/tools/root.ts'
import { localCookbooks, lockedCookbooks } from './chef/vendored.ts'

/** Settings of a step that make no difference to the disk. */
const idle = ['name', 'timeout', 'sensitive', 'logLevel', 'trace']

/**
 * Everything that a step depends on besides the machine it finds: each file of the project by its path, and the step's
 * own words. Paths are relative to the project, wherever that lies.
 */
export async function stepDependencies(
  step: ProvisionStep,
  { directory, lock, spec }: Pick<Project, 'directory' | 'lock' | 'spec'>,
): Promise<Record<string, string>> {
  const solved = step.kind === 'chef_solo' ? step.solved : undefined
  const local = solved && lock ? localCookbooks(solved, { lock }).map((path) => join(directory, path)) : []
  const paths = [...projectPathsOf(step), ...local]
  const parts: Record<string, string> = {}
  // An upload has its links as they are; what Chef gets and a Capfile are read wherever their folders' links lead.
  const outside = step.kind === 'capistrano' || step.kind === 'chef_solo'
  for (const path of paths)
    Object.assign(parts, await treeParts(path, relative(directory, path) || '.', { outside }))
  // Capistrano writes its log where it is started.
  if (step.kind === 'capistrano') {
    const log = `${relative(directory, step.directory) || '.'}/log/`
    for (const name of Object.keys(parts)) if (name.startsWith(log)) delete parts[name]
  }
  // Of the step alone: an attribute, a variable or a cookbook file may be called the same.
  const words = Object.fromEntries(Object.entries(step).filter(([key]) => !idle.includes(key)))
  parts['the step itself'] = JSON.stringify(words, (_, value) =>
    typeof value === 'string' && paths.includes(value) ? relative(directory, value) : value,
  )
  if (step.kind === 'chef_solo') {
    parts['chef.from'] = spec.chef.from
    if (solved && lock)
      parts[`cookbooks of ${solved.name}`] = sha256(JSON.stringify(lockedCookbooks(solved, { lock })))
    if (spec.chef.from === 'tools' && lock) parts['Chef (tools of the lock)'] = toolsKey(lock)
    const secret = step.dataBagSecret?.env
    if (secret !== undefined)
      parts[`$${secret}`] = slowDigest('data bag', process.env[secret] ?? '').toString('hex')
  }
  if (step.kind === 'capistrano' && lock) {
    const gems = lock.gem.find(({ name }) => name === step.gems)
    parts[`gems of ${step.gems}`] = sha256(JSON.stringify(gems ?? ''))
  }
  return parts
}

/** Files and folders of the project that a step reads; absolute. */
function projectPathsOf(step: ProvisionStep): string[] {
  switch (step.kind) {
    case 'shell':
      return step.file === undefined ? [] : [step.file]
    case 'upload':
      return [step.from]
    case 'capistrano':
      return [step.directory]
    case 'chef_solo':
      return [
        ...step.cookbooks,
        step.policy,
        step.solved?.path,
        step.roles,
        step.environments,
        step.dataBags,
        step.dataBagSecret?.file,
        step.attributesFile,
      ].filter((path) => path !== undefined)
    case 'download':
    case 'reboot':
    case 'wait_for':
      return []
  }
}
