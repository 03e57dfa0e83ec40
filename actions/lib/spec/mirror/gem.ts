import { existing } from '../existing.ts'
import { list, mapOf, oneOf, section, words } from '../section.ts'
import { address, name } from './words.ts'

/** An entry of `mirror.gem`: the gems of a Gemfile or of a list. */
export const gem = (directory: string) =>
  section({
    name: name().describe('Your name for the gem source'),
    gemfile: existing(directory, 'a Gemfile')
      .optional()
      .describe('Its gems, by its Gemfile.lock where there is one'),
    gems: mapOf(words('a version requirement, e.g. "~> 18.4"'), 'a map from gems to version requirements')
      .optional()
      .describe('Gem → version requirement; "*" for any'),
    source: address().default('https://rubygems.org/').describe('Where the gems come from'),
    platforms: list(words('a platform, e.g. x86_64-linux'), 'a list of platforms')
      .optional()
      .describe(
        'RubyGems’ platforms to take compiled gems for; [ruby]: all from source (that is what tools do)',
      ),
    for: oneOf(['guest', 'host', 'tools'])
      .default('guest')
      .describe(
        'Whose Ruby they are for: the appliance’s, this computer’s, or that of the build tools (Chef)',
      ),
  })
