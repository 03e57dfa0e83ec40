import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { sha256 } from '../lib/files/digest.ts'
import { treeDigest } from '../lib/files/tree.ts'
import { buildKey } from '../lib/guest/key.ts'
import type { Lock } from '../lib/lock/lock.ts'
import type { Spec } from '../lib/spec/spec.ts'
import { lockOf } from '../lib/stage/project.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { stepDependencies } from './dependencies.ts'
import { type Plan, planOf } from './layers/plan.ts'
import { stepTitles } from './steps/steps.ts'

/** Raise it when the same steps would be done differently. */
const RECIPE = '4'

/** What the machine depends on before the first step, and what each step does. */
export async function projectPlan({ project, earlier }: Pick<StageWork, 'project' | 'earlier'>) {
  const { spec } = project
  const basebox = await earlier('veewee-basebox')
  const titles = stepTitles(spec.provision)
  return {
    base: {
      'recipe of ours': RECIPE,
      basebox: basebox.sha256('disk'),
      mirror: mirrorDigest(lockOf(project)),
      'spec.basebox': JSON.stringify([spec.basebox.cpus, spec.basebox.memory]),
    },
    steps: await Promise.all(
      spec.provision.map(async (step, index) => ({
        step,
        title: titles[index]!,
        dependsOn: await stepDependencies(step, project),
      })),
    ),
  }
}

/** The same with keys. A layer holds the build's public key, so it is of no use to who has another. */
export async function layeredPlan(work: Pick<StageWork, 'project' | 'earlier'>): Promise<Plan> {
  const { base, steps } = await projectPlan(work)
  const key = await readFile(`${await buildKey(work.project.buildDirectory)}.pub`, 'utf8')
  return planOf({ ...base, 'the build’s SSH key': sha256(key) }, steps)
}

/** What of the lock the guest can see. */
function mirrorDigest({ deb, rpm, gem, git, file }: Lock): string {
  return sha256(JSON.stringify([deb, rpm, gem.filter((source) => source.for === 'guest'), git, file]))
}

export async function packageSourcesDigest(sources: Spec['packageSources']): Promise<string> {
  if (typeof sources === 'string') return sources
  return sha256(JSON.stringify(await Promise.all(sources.files.map(fileAndName))))
}

export async function fileAndName(path: string): Promise<[string, string]> {
  return [basename(path), await treeDigest(path)]
}
