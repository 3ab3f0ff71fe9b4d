import { defineConfig } from 'vitest/config'

// Tests run on the sources: the '@netsieve/source' condition of each package.json points at src/index.ts.
export default defineConfig({
  ssr: { resolve: { conditions: ['@netsieve/source'] } },
  test: {
    // No test changes what others see: modules are loaded once for all files of a process.
    isolate: false,
    // By default one core would be left to others.
    maxWorkers: '100%',
    projects: [
      { extends: true, test: { name: 'unit', include: ['packages/*/test/**/*.test.ts'], testTimeout: 60_000 } },
      { extends: true, test: { name: 'system', include: ['test/**/*.test.ts'], testTimeout: 120_000 } },
    ],
  },
})
