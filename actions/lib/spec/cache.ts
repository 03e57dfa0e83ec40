import { count, section, size } from './section.ts'

/** What chef-provision keeps between runs, so that a changed step need not begin at the beginning. */
export const cache = section({
  layers: count(0)
    .default(5)
    .describe('How many layers (the machine after a step) are kept between runs; 0: none'),
  size: size('20 GiB')
    .default(20 * 2 ** 30)
    .describe('How much room they may take in all, e.g. 20 GiB'),
}).prefault({})
