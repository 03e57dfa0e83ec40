import { jest } from '@jest/globals'

/** How long one test of this layer may take (jest.config.js). */
declare const SECONDS: number

jest.setTimeout(SECONDS * 1000)
