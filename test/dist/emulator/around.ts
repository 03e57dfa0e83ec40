import { mkdtemp, rm } from 'node:fs/promises'
import { afterEach, beforeEach, jest } from '@jest/globals'
import { Services } from './services.ts'

/** Gives each test of a file its own services, which its environment leads to, and a folder. */
export function servicesAroundEach(prefix: string): { readonly services: Services; readonly folder: string } {
  let services: Services
  let folder: string
  const before = process.env
  beforeEach(async () => {
    jest.spyOn(process.stdout, 'write').mockReturnValue(true) // the client talks a lot
    services = await Services.start()
    folder = await mkdtemp(`/tmp/appliance-${prefix}-`)
    process.env = { ...before, ...services.environment }
    delete process.env.GITHUB_SERVER_URL
  })
  afterEach(async () => {
    jest.restoreAllMocks()
    process.env = before
    await rm(folder, { recursive: true })
    await services[Symbol.asyncDispose]()
  })
  return {
    get services() {
      return services
    },
    get folder() {
      return folder
    },
  }
}
