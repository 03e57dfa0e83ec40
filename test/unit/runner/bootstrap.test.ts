import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from '@jest/globals'
import { programs, sometimes } from '../../../actions/appliance/doctor.ts'

const root = resolve(import.meta.dirname, '../../..')

test('script/bootstrap installs whatever the doctor asks for', () => {
  const script = readFileSync(join(root, 'script/bootstrap'), 'utf8')
  const [, list] = /^build_packages=.*\n([\s\S]*?)^LIST$/m.exec(script)!
  const installed = list!.split('\n').map((line) => line.split(/\s+/)[0])
  expect(installed).toEqual(expect.arrayContaining(programs.map(({ packageName }) => packageName)))
})

/** Of packages that no Debian is without (coreutils, findutils, dpkg), or beside one that the doctor names. */
const always = [
  'chmod',
  'chroot',
  'cp',
  'env',
  'find',
  'install',
  'mkfifo',
  'rm',
  'tee',
  'timeout',
  'dpkg-deb',
]
const beside = ['apt-cache', 'VBoxHeadless']

test('the doctor names whatever our sources start on this computer', () => {
  const sources = readdirSync(join(root, 'actions'), { recursive: true, encoding: 'utf8' })
  const started = sources
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => {
      const text = readFileSync(join(root, 'actions', path), 'utf8')
      // `tools.run(…)` and the like start programs of roots that come from the mirror.
      const calls = /(?<![.\w])(?:run|start|asRoot|launch|filter)\(\s*'([\w.-]+)'/g
      return /\bfrom '.*process\/(command|as-root|filter)\.ts'/.test(text)
        ? [...text.matchAll(calls)].map(([, program]) => program!)
        : []
    })
  expect(started).toEqual(expect.arrayContaining(['gpgv', 'git', 'ruby', 'qemu-img']))
  const named = [...programs, ...sometimes].map(({ name }) => name)
  expect(started.filter((program) => ![...named, ...always, ...beside].includes(program))).toEqual([])
})
