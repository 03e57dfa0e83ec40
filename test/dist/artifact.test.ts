import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { sha256 } from '../../actions/lib/files/digest.ts'
import { noArtifacts, uploadEvidence, uploadFile } from '../../actions/lib/runner/artifact.ts'
import { workflowLog } from '../../actions/lib/runner/workflow-log.ts'
import { servicesAroundEach } from './emulator/around.ts'

const log = workflowLog(() => '.')
const at = servicesAroundEach('artifact')

test('an OVA of several blocks arrives byte for byte, with no zip around it', async () => {
  const ova = join(at.folder, 'license-server-1.4.0.ova')
  const content = randomBytes(20 << 20) // the client's blocks are 8 MiB
  await writeFile(ova, content)
  await uploadFile(ova, sha256(content), log)
  const [uploaded] = at.services.artifacts
  expect(uploaded).toMatchObject({ name: 'license-server-1.4.0.ova', hash: `sha256:${sha256(content)}` })
  expect(uploaded!.content.equals(content)).toBe(true)
})

test('an upload that hangs ends when the job is cancelled', async () => {
  const ova = join(at.folder, 'a.ova')
  await writeFile(ova, 'an OVA')
  const cancelled = new AbortController()
  at.services.hangs = (method) => {
    cancelled.abort()
    return method === 'ArtifactService/CreateArtifact'
  }
  const uploading = uploadFile(ova, sha256('an OVA'), log, cancelled.signal)
  await expect(uploading).rejects.toMatchObject({ name: 'AbortError' })
})

test('an OVA that changed since it was made is refused', async () => {
  const ova = join(at.folder, 'a.ova')
  await writeFile(ova, 'changed')
  await expect(uploadFile(ova, sha256('as it was made'), log)).rejects.toMatchObject({
    code: 'digest-mismatch',
    message: expect.stringContaining(sha256('as it was made')),
  })
})

test('an upload that fails says so, and that the OVA is there all the same', async () => {
  at.services.broken.add('ArtifactService/CreateArtifact')
  const ova = join(at.folder, 'a.ova')
  await writeFile(ova, 'x')
  await expect(uploadFile(ova, sha256('x'), log)).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringMatching(/^a\.ova could not be uploaded: .*broken on purpose/),
    hint: expect.stringContaining(ova),
  })
})

test.each([
  ['in the middle of the file', () => (at.services.blobs.writes = 1), /^a\.ova could not be uploaded: /],
  [
    'before its blocks are put together',
    () => (at.services.blobs.writes = 3),
    /^a\.ova could not be uploaded: /,
  ],
  [
    'when all is there but the last word',
    () => at.services.broken.add('ArtifactService/FinalizeArtifact'),
    /^a\.ova could not be uploaded: .*broken on purpose/,
  ],
])(
  'an upload that breaks %s fails, leaves no artifact, and succeeds when it is done again',
  async (_, fault, message) => {
    const ova = join(at.folder, 'a.ova')
    const content = randomBytes(20 << 20)
    await writeFile(ova, content)
    fault()
    await expect(uploadFile(ova, sha256(content), log)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/finished all the same.*Run the job again/),
    })
    expect(at.services.artifacts).toEqual([])
    at.services.blobs.writes = Number.POSITIVE_INFINITY
    at.services.broken.clear()
    await uploadFile(ova, sha256(content), log)
    expect(at.services.artifacts[0]!.content.equals(content)).toBe(true)
  },
)

test('a connection that is lost while a block goes up costs time, not the upload', async () => {
  const ova = join(at.folder, 'a.ova')
  const content = randomBytes(20 << 20)
  await writeFile(ova, content)
  at.services.blobs.breaking = 1
  await uploadFile(ova, sha256(content), log)
  expect(at.services.blobs.breaking).toBe(0)
  expect(at.services.artifacts[0]!.content.equals(content)).toBe(true)
})

test('evidence that cannot be uploaded does not hide what it is evidence of', async () => {
  at.services.broken.add('ArtifactService/CreateArtifact')
  const screen = join(at.folder, 'screen.png')
  await writeFile(screen, 'png')
  await uploadEvidence('vm-validate-evidence', [screen], at.folder, log)
  expect(at.services.artifacts).toEqual([])
  at.services.broken.clear()
  await uploadEvidence('vm-validate-evidence', [screen], at.folder, log)
  expect(at.services.artifacts).toMatchObject([{ name: 'vm-validate-evidence' }])
})

test('GitHub Enterprise Server and runners without the service are named', async () => {
  expect(noArtifacts()).toBeUndefined()
  expect(noArtifacts({ ...process.env, GITHUB_SERVER_URL: 'https://git.example.com' })).toMatch(
    /git\.example\.com/,
  )
  expect(noArtifacts({ ...process.env, GITHUB_SERVER_URL: 'https://x.ghe.com' })).toBeUndefined()
  expect(noArtifacts({})).toBe('this runner has no artifact service')
  process.env.GITHUB_SERVER_URL = 'https://git.example.com'
  const ova = join(at.folder, 'a.ova')
  await writeFile(ova, 'x')
  await uploadFile(ova, sha256('x'), log)
  expect(at.services.calls).toEqual([])
})
