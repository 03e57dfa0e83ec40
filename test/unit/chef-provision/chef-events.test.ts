import { expect, test } from '@jest/globals'
import { type ChefEvent, ChefStream } from '../../../actions/chef-provision/chef/events.ts'
import { EVENT_MARK } from '../../../actions/chef-provision/chef/events-handler.ts'
import { failureMessage } from '../../../actions/chef-provision/chef/failure.ts'
import { ChefReporter } from '../../../actions/chef-provision/chef/report.ts'
import { ChefTree } from '../../../actions/chef-provision/chef/tree.ts'
import { reportMarkdown } from '../../../actions/chef-provision/report.ts'

const resource = (depth: number, name: string, action = 'create', recipe = 'web::default') => ({
  depth,
  resource: name,
  action,
  recipe,
})
const events: ChefEvent[] = [
  { event: 'run', chef: '18.4.12' },
  { event: 'begin', ...resource(0, 'directory[/srv]') },
  { event: 'end', ...resource(0, 'directory[/srv]'), state: 'up-to-date', seconds: 0.01 },
  { event: 'begin', ...resource(0, 'web_site[shop]') },
  { event: 'begin', ...resource(1, 'template[/etc/shop]') },
  { event: 'end', ...resource(1, 'template[/etc/shop]'), state: 'updated', seconds: 0.2 },
  { event: 'end', ...resource(0, 'web_site[shop]'), state: 'updated', seconds: 1.25 },
  { event: 'begin', ...resource(0, 'service[nginx]', 'nothing') },
  { event: 'end', ...resource(0, 'service[nginx]', 'nothing'), state: 'skipped', seconds: 0 },
  { event: 'begin', ...resource(0, 'service[nginx]', 'reload'), notifier: 'web_site[shop]' },
  { event: 'end', ...resource(0, 'service[nginx]', 'reload'), state: 'updated', seconds: 0.5 },
  { event: 'deprecation', text: 'property x is going' },
  { event: 'run-completed' },
]

test('a tree: recipes, their resources, and what lies within these', () => {
  let shown = ''
  const tree = new ChefTree((text) => {
    shown += text
  })
  for (const event of events) tree.take(event)
  expect(shown).toBe(`Chef 18.4.12
web::default
  directory[/srv] create: up to date
  web_site[shop] create
    template[/etc/shop] create: updated, 0.2 s
    updated, 1.3 s
  service[nginx] reload (notified by web_site[shop]): updated, 0.5 s
  deprecated: property x is going
`)
})

test('a report: subresources count as part of theirs, and what was only declared does not count', () => {
  const reporter = new ChefReporter()
  for (const event of events) reporter.take(event)
  expect(reporter.report).toMatchObject({ resources: 3, updated: 2, upToDate: 1, skipped: 0, failed: 0 })
  expect(reporter.report.slowest[0]).toEqual({
    resource: 'web_site[shop] create',
    recipe: 'web::default',
    milliseconds: 1250,
  })
  expect(reporter.report.deprecations).toEqual(['property x is going'])
  expect(reporter.completed).toBe(true)
})

test('a failure that a recipe ignores is a warning; what failed later is why the run ended', () => {
  const failure = (name: string, message: string, more: object = {}): ChefEvent => ({
    event: 'failure',
    resource: name,
    action: 'run',
    error: 'RuntimeError',
    message,
    trace: [],
    ...more,
  })
  const part = resource(1, 'execute[part]', 'run')
  const probe = resource(0, 'web_probe[optional]', 'run')
  const gimp = resource(0, 'package[gimp]', 'install')
  const failing: ChefEvent[] = [
    { event: 'begin', ...probe },
    { event: 'begin', ...part },
    failure('execute[part]', 'no such probe', { depth: 1 }),
    { event: 'end', ...part, state: 'failed', seconds: 0 },
    failure('web_probe[optional]', 'execute[part] had an error: no such probe', { depth: 0, ignored: true }),
    { event: 'end', ...probe, state: 'ignored', seconds: 0 },
    { event: 'begin', ...gimp },
    failure('package[gimp]', 'No candidate version available for gimp', { depth: 0 }),
    { event: 'end', ...gimp, state: 'failed', seconds: 0 },
  ]
  const reporter = new ChefReporter()
  let shown = ''
  const tree = new ChefTree((text) => {
    shown += text
  })
  for (const event of failing) {
    reporter.take(event)
    tree.take(event)
  }
  expect(reporter.failure).toMatchObject({ resource: 'package[gimp]' })
  expect(reporter.report.ignored).toEqual([
    'web_probe[optional] run: RuntimeError: execute[part] had an error: no such probe',
  ])
  expect(shown).toMatch(
    /^ {2}web_probe\[optional\] run\n {4}execute\[part\] run: failed\n {4}warning: it failed, which the recipe ignores: RuntimeError: execute\[part\] had an error: no such probe\n {4}failed, ignored$/m,
  )
  expect(
    reportMarkdown({
      steps: [{ title: 'x', kind: 'chef_solo', milliseconds: 1, from: 'run', chef: reporter.report }],
    }),
  ).toContain('Failures that the recipes ignore:\n- web_probe[optional] run: RuntimeError')

  // Ruby around a resource may catch what it throws: then another one ended the run.
  const end: ChefEvent = {
    event: 'run-failed',
    error: 'RuntimeError',
    message: 'execute[last] (web::default line 9) had an error: RuntimeError: the end',
    trace: [],
  }
  const caught = new ChefReporter()
  for (const event of [
    failure('execute[caught]', 'rescued', { depth: 0 }),
    failure('execute[last]', 'the end', { depth: 0 }),
    end,
  ])
    caught.take(event)
  expect(caught.failure).toMatchObject({ resource: 'execute[last]' })
})

test('events and what is printed between them are told apart, wherever the pieces break', () => {
  const whole = `hello\n${EVENT_MARK}{"event":"run","chef":"18"}\nhalf a line${EVENT_MARK}{"event":"run-completed"}\nend`
  for (let size = 1; size < 9; size++) {
    const seen: string[] = []
    const stream = new ChefStream(
      ({ event }) => seen.push(`<${event}>`),
      (text) => seen.push(text),
    )
    for (let at = 0; at < whole.length; at += size) stream.add(whole.slice(at, at + size))
    stream.end()
    expect(seen).toEqual(['hello\n', '<run>', 'half a line\n', '<run-completed>', 'end\n'])
  }
})

test('an event that was cut off is not shown', () => {
  const seen: string[] = []
  const stream = new ChefStream(
    ({ event }) => seen.push(event),
    (text) => seen.push(text),
  )
  stream.add(`half a line${EVENT_MARK}{"event":"output","text":"hun`)
  stream.end()
  expect(seen).toEqual(['half a line\n'])
})

test('a failure is one line: resource, its place in the project, the error', () => {
  const where = (path: string) => path.replace('/var/tmp/appliance/chef/cookbooks-0/', 'cookbooks/')
  const message = failureMessage(
    {
      resource: 'execute[make it]',
      action: 'run',
      line: "/var/tmp/appliance/chef/cookbooks-0/web/recipes/default.rb:12:in `from_file'",
      error: 'Mixlib::ShellOut::ShellCommandFailed',
      message:
        "Expected process to exit with [0], but received '1'\n---- Begin output of false ----\nSTDOUT: \nSTDERR: no such thing\n---- End output of false ----\nRan false returned 1",
      trace: [],
    },
    where,
  )
  expect(message).toBe(
    'execute[make it] run (cookbooks/web/recipes/default.rb:12): Mixlib::ShellOut::ShellCommandFailed: STDOUT: | STDERR: no such thing | Ran false returned 1',
  )
})
