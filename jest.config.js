/** One project a layer, so that `script/test unit` runs a layer alone (see CONTRIBUTING.md). */
const layer = (name, seconds) => ({
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' } },
    ],
  },
  // Jest reads testTimeout of a single project only; test/timeout.ts sets it for each layer.
  globals: { SECONDS: seconds },
  setupFilesAfterEnv: ['<rootDir>/test/timeout.ts'],
  modulePathIgnorePatterns: ['<rootDir>/build/', '<rootDir>/examples/.*/build/', '<rootDir>/dist/'],
})

export default {
  projects: [
    layer('unit', 10),
    layer('contract', 600),
    layer('integration', 600),
    layer('dist', 600),
    layer('e2e', 2400),
    layer('import', 1200),
  ],
}
