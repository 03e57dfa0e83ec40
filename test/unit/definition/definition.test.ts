import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import {
  type Definition,
  type ReadOptions,
  readDefinition,
} from '../../../actions/lib/definition/definition.ts'
import { explain, explainJson } from '../../../actions/lib/definition/explain.ts'
import type { PlacedFault } from '../../../actions/lib/definition/source.ts'
import { showFault } from '../../../actions/lib/errors/fault.ts'
import { definitionFolders, definitionsFolder, type Mark, marksOf } from '../../fixtures/definitions/marks.ts'
import { memoryFiles } from '../../fixtures/definitions/memory.ts'

/** A definition.rb and further files, from memory. */
function read(ruby: string, files: Record<string, string> = {}, options: ReadOptions = {}): Definition {
  return readDefinition('/w/base', { files: memoryFiles({ ...files, 'definition.rb': ruby }), ...options })
}

const BASE = ":iso_file => 'mini.iso', :ssh_user => 'root', :ssh_password => 'root'"
const declare = (keys: string, files?: Record<string, string>, options?: ReadOptions) =>
  read(`Veewee::Definition.declare({ ${BASE}, ${keys} })`, files, options)
const lines = (faults: readonly PlacedFault[]) => faults.map(({ message }) => message)

/** Faults against the marks of a fixture: each has one, and none is left over. */
function expectMarked(found: readonly PlacedFault[], marks: readonly Mark[]) {
  const left = [...marks]
  const unexpected = found.filter((fault) => {
    const at = left.findIndex(
      (mark) =>
        mark.file === fault.file &&
        mark.line === fault.line &&
        mark.column === fault.column &&
        fault.message.includes(mark.message),
    )
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
  expect({ unexpected: unexpected.map(showFault), missing: left }).toEqual({ unexpected: [], missing: [] })
}

describe('fixtures', () => {
  test('there are definitions in many shapes', () => {
    expect(definitionFolders('read').length).toBeGreaterThanOrEqual(40)
  })
  test.each(definitionFolders('read'))('%s is read', (folder) => {
    const definition = readDefinition(folder, { workingDirectory: definitionsFolder })
    const marks = marksOf(folder)
    expect(lines(definition.faults)).toEqual([])
    expectMarked(definition.warnings, marks.warnings)
    expect(definition.recipe).toBeDefined()
  })
  test.each(definitionFolders('refused'))('%s is refused where it says, all faults at once', (folder) => {
    const definition = readDefinition(folder, { workingDirectory: definitionsFolder })
    const marks = marksOf(folder)
    expect(marks.faults.length).toBeGreaterThan(0)
    expectMarked(definition.faults, marks.faults)
    expectMarked(definition.warnings, marks.warnings)
    expect(definition.recipe).toBeUndefined()
    for (const { message } of definition.faults) expect(message).not.toContain('\n')
  })
})

describe('faults', () => {
  test('one that cannot be known leaves the other keys, and names those it takes', () => {
    const definition = readDefinition('refused/network', { workingDirectory: definitionsFolder })
    expect(lines(definition.faults)).toEqual([
      'Net::HTTP.get_response(URI.parse(uri)) is a value from the network, and definitions are read, never run: ' +
        'write the value itself: a definition must give the same machine on every day ' +
        '(iso_file, iso_src, iso_md5 are not known)',
    ])
    expect([...definition.declared.keys()]).toEqual(['ssh_user', 'ssh_password', 'memory_size'])
    expect(definition.unknown).toEqual(['iso_file', 'iso_src', 'iso_md5'])
  })
  test('are shown with their line and a caret below the column, past tabs and wide characters', () => {
    const [fault] = declare("\n\t:sudo_cmd => 'é – ü', :iso_md5 => `x` ").faults
    expect(showFault(fault!)).toBe(
      [
        'definition.rb:2:36: `x` is a command in backticks, and definitions are read, never run: ' +
          'write what it prints as a string (iso_md5 is not known)',
        "  2 | \t:sudo_cmd => 'é – ü', :iso_md5 => `x`  })",
        `    | \t${' '.repeat(34)}^^^`,
      ].join('\n'),
    )
  })
  test('of a long line are shown around the column', () => {
    const [fault] = declare(`:params => { :a => '${'x'.repeat(5000)}' }, :iso_md5 => \`x\``).faults
    const [, line, carets] = showFault(fault!).split('\n')
    expect(line!.length).toBeLessThan(300)
    expect(line!.slice(carets!.indexOf('^'), carets!.lastIndexOf('^') + 1)).toBe('`x`')
  })
  test('control characters of a definition never reach the terminal', () => {
    const [fault] = declare(":params => { :a => '\u001b[2J' }, :iso_md5 => `x`").faults
    expect(showFault(fault!)).not.toContain('\u001b')
  })
  test('a definition that is not there, or not text', () => {
    const files = (content: Record<string, string | Uint8Array>) => memoryFiles(content)
    expect(lines(readDefinition('/w/base', { files: files({}) }).faults)).toEqual(['does not exist'])
    const latin = files({ 'definition.rb': Buffer.from([0x23, 0xe9]) })
    expect(lines(readDefinition('/w/base', { files: latin }).faults)).toEqual(['is not text in UTF-8'])
    const large = files({ 'definition.rb': '#'.repeat(70_000) })
    expect(lines(readDefinition('/w/base', { files: large }).faults)).toEqual(['is larger than 64 KiB'])
  })
  test('of YAML stand in the YAML', () => {
    const ruby = "Veewee::Definition.declare_yaml('a.yml')"
    const at = (yaml: string) =>
      read(ruby, { 'a.yml': yaml }).faults.map((f) => `${f.file}:${f.line}:${f.column}: ${f.message}`)
    expect(at(':a: [1')[0]).toMatch(/^a\.yml:1:\d+: not YAML: /)
    expect(at('é: 1\n:b: !ruby/object:File {}')).toContain(
      'a.yml:2:23: the tag !ruby/object:File makes an object of Ruby; write a plain value',
    )
    expect(at(':a: *none')).toContain('a.yml:1:5: *none stands for nothing before it')
  })
  test('of a template stand in the template', () => {
    const { faults } = declare(":kickstart_file => 'ks.cfg.erb'", {
      'ks.cfg.erb': 'é\nname <%= definition.ssh_name %>\n<% `true` %>\n',
    })
    expect(faults.map((f) => `${f.file}:${f.line}:${f.column}: ${f.message}`)).toEqual([
      'ks.cfg.erb:2:10: definition.ssh_name is not a key of definitions',
      'ks.cfg.erb:3:4: `true` is a command in backticks, and definitions are read, never run: ' +
        'write what it prints as a string',
    ])
    const open = declare(":kickstart_file => 'ks.cfg.erb'", { 'ks.cfg.erb': 'a\n  <% if true\n' })
    expect(lines(open.faults)).toEqual(['<% has no %> that ends it'])
  })
})

test('the environment overrides two keys, as numbers, and nothing else of it is read', () => {
  const environment = { VEEWEE_MEMORY_SIZE: '2048MB', VEEWEE_CPU_COUNT: '4', VEEWEE_DISK_SIZE: '1' }
  const { declared, recipe } = declare(":memory_size => '512'", {}, { environment })
  expect(explainJson({ declared } as unknown as Definition)).toMatchObject({
    declared: { memory_size: 2048, cpu_count: 4 },
  })
  expect(recipe).toMatchObject({ memory: 2 * 2 ** 30, cpus: 4, disks: { count: 1, size: 10_240 * 2 ** 20 } })
})

test('carriage returns at the ends of lines change nothing', () => {
  const ruby = `Veewee::Definition.declare({\n${BASE},\n:sudo_cmd => 'a' +\n 'b'\n})\n`
  const keys = (text: string) => explainJson(read(text)).declared
  expect(keys(ruby.replaceAll('\n', '\r\n'))).toEqual(keys(ruby))
})

describe('the recipe', () => {
  test('of the usual definition', () => {
    const { recipe, read: files } = readDefinition('read/usual', { workingDirectory: definitionsFolder })
    expect(recipe).toMatchObject({
      cpus: 2,
      memory: 512 * 2 ** 20,
      disks: { count: 1, size: 20 * 2 ** 30 },
      bits: 64,
      iso: {
        file: 'mini-12.5-amd64.iso',
        source: 'https://images.example.com/mini-12.5-amd64.iso',
        digests: [
          { algorithm: 'md5', hex: '0123456789abcdef0123456789abcdef' },
          { algorithm: 'sha256', hex: '0123456789abcdef'.repeat(4) },
        ],
      },
      boot: { wait: 10 },
      kickstart: { port: 7122, expected: [{ name: 'preseed.cfg', timeout: 10_000 }] },
      ssh: { user: 'vagrant', password: 'vagrant', guestPort: 22, timeout: 10_000 },
      shutdownCommand: '/sbin/halt -h -p',
      postinstall: {
        files: [
          { name: 'base.sh', path: 'base.sh', skipped: false },
          { name: 'cleanup.sh', path: 'cleanup.sh', skipped: false },
          { name: '_skipped.sh', path: '_skipped.sh', skipped: true },
        ],
      },
    })
    expect(recipe!.ssh.key).toBeUndefined()
    expect(files).toEqual(
      ['definition.rb', 'preseed.cfg', 'base.sh', 'cleanup.sh'].map((f) => join('read/usual', f)).sort(),
    )
  })
  test('templates are rendered, and named without their ending', () => {
    const { recipe } = readDefinition('read/kickstart-erb', { workingDirectory: definitionsFolder })
    expect(recipe!.kickstart!.files).toEqual([
      {
        name: 'ks.cfg',
        path: 'ks.cfg.erb',
        text: 'install\n\nurl --url=https://images.example.com/x86_64/\n\nuser --name=builder --password=builder\n',
      },
    ])
    expect(recipe!.floppy).toEqual([
      { name: 'unattend.xml', path: 'unattend.xml.erb', text: '<name>BUILDER</name>\n100 <% %>\n' },
    ])
  })
  test('a kickstart file that is listed twice is served once and expected twice', () => {
    const { recipe } = readDefinition('read/kickstart-twice', { workingDirectory: definitionsFolder })
    expect(recipe!.kickstart!.files.map(({ name }) => name)).toEqual(['autoinst.xml', 'more/extra.xml'])
    expect(recipe!.kickstart!.expected).toEqual([
      { name: 'autoinst.xml', timeout: 100 },
      { name: 'autoinst.xml', timeout: 200 },
      { name: 'more/extra.xml', timeout: 200 },
    ])
  })
  test('answers are served by their path from the definition', () => {
    const files = { 'ks/a.cfg': '', '../shared/b.cfg': '', '/w/base/c.cfg': '' }
    const { recipe, faults } = declare(
      ":kickstart_file => ['./ks/a.cfg', '../shared/b.cfg', File.expand_path('c.cfg')]",
      files,
    )
    expect(lines(faults)).toEqual([])
    expect(recipe!.kickstart!.files).toEqual([
      { name: 'ks/a.cfg', path: './ks/a.cfg', text: undefined },
      { name: 'shared/b.cfg', path: '../shared/b.cfg', text: undefined },
      { name: 'c.cfg', path: '/w/base/c.cfg', text: undefined },
    ])
  })
  test('a key to log in with has to be there', () => {
    expect(lines(declare(":ssh_key => 'id_rsa'").faults)).toEqual([
      'ssh_key names id_rsa, which does not exist',
    ])
    expect(declare(":ssh_key => '~/.ssh/id_rsa'").recipe!.ssh.key).toBe('~/.ssh/id_rsa')
  })
  test('blocks and switches of hypervisors', () => {
    const of = (folder: string) =>
      readDefinition(folder, { workingDirectory: definitionsFolder }).recipe!.hypervisors
    expect(of('read/hypervisors')).toEqual({
      virtualbox: { options: { ioapic: 'on', hwvirtex: 'off' }, extradata: 'VBoxInternal/CPUM/X 1' },
      vmfusion: { options: { enable_hypervisor_support: 'true' }, extradata: undefined },
      kvm: { options: { network_type: 'bridge', network_bridge_name: 'br0' }, extradata: undefined },
    })
    expect(of('read/switches').virtualbox.options).toEqual({ ioapic: 'on', pae: 'off' })
    expect(of('read/bare-vm-options').virtualbox.options).toEqual({ ioapic: 'on' })
    expect(of('read/bare-vm-options').kvm.options).toEqual({ a: '1' })
  })
  test('a digest is what its length says', () => {
    const { recipe } = readDefinition('read/digests', { workingDirectory: definitionsFolder })
    expect(recipe!.iso!.digests).toEqual([{ algorithm: 'sha256', hex: '0123456789abcdef'.repeat(4) }])
    const twice = declare(`:iso_md5 => '${'a'.repeat(64)}', :iso_sha256 => '${'b'.repeat(64)}'`)
    expect(lines(twice.faults)).toEqual(['two different SHA256 digests are declared for mini.iso'])
  })
  test('made without an installer it needs no ISO, keys or answers', () => {
    const ruby = `Veewee::Definition.declare({ :ssh_user => 'root', :ssh_password => 'root',
      :boot_cmd_sequence => ['ä'], :kickstart_file => 'missing.cfg', :memory_size => '768' })`
    expect(read(ruby).faults).toHaveLength(3)
    const { faults, recipe } = read(ruby, {}, { strategy: 'bootstrap' })
    expect(faults).toEqual([])
    expect(recipe).toMatchObject({ memory: 768 * 2 ** 20, iso: undefined, kickstart: undefined })
  })
})

describe('files', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'definition-'))
    mkdirSync(join(folder, 'project/base'), { recursive: true })
    writeFileSync(join(folder, 'secret'), 'secret\n')
    symlinkSync('../../secret', join(folder, 'project/base/link'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test.each([
    ["File.read('../../secret')", '../../secret'],
    ["File.read('link')", 'link'],
    ["File.read('/etc/hostname')", '/etc/hostname'],
    ["Digest::SHA256.file('link').hexdigest", 'link'],
  ])('%s lies outside and is not read', (ruby, path) => {
    const text = `Veewee::Definition.declare({ ${BASE}, :params => { :a => ${ruby} } })`
    writeFileSync(join(folder, 'project/base/definition.rb'), text)
    const { faults } = readDefinition('base', { workingDirectory: join(folder, 'project') })
    expect(lines(faults)).toEqual([
      `${path} lies outside the folder of the appliance and is not read (params is not known)`,
    ])
  })
  test('nothing of a definition or a template is run', () => {
    const trace = join(folder, 'trace')
    const ways = [
      `\`touch ${trace}\``,
      `system('touch', '${trace}')`,
      `File.write('${trace}', 'x')`,
      `open('|touch ${trace}')`,
      `eval("File.write('${trace}', 'x')")`,
      `IO.popen('touch ${trace}').read`,
      `Proc.new { File.write('${trace}', 'x') }.call`,
      `%x(touch ${trace})`,
    ]
    for (const way of ways) {
      const inHash = declare(`:params => { :a => ${way} }, :hooks => { :after_up => Proc.new { ${way} } }`)
      expect(inHash.faults.length).toBeGreaterThanOrEqual(2)
      expect(read(`${way}\nBEGIN { ${way} }\nVeewee::Definition.declare({ ${BASE} })`).faults).not.toEqual([])
      const erb = declare(":kickstart_file => 'a.erb'", { 'a.erb': `<%= ${way} %>` })
      expect(erb.faults).toHaveLength(1)
    }
    expect(() => rmSync(trace)).toThrow('ENOENT')
  })
})

test('explained for people', () => {
  const definition = readDefinition('read/kickstart-erb', { workingDirectory: definitionsFolder })
  expect(explain(definition)).toBe(`kickstart-erb declares 6 keys:
  iso_file        'mini.iso'  # read/kickstart-erb/definition.rb:2
  ssh_user        'builder'  # read/kickstart-erb/definition.rb:3
  ssh_password    'builder'  # read/kickstart-erb/definition.rb:3
  os_type_id      'RedHat_64'  # read/kickstart-erb/definition.rb:4
  kickstart_file  'ks.cfg'  # read/kickstart-erb/definition.rb:4
  floppy_files    ['unattend.xml.erb']  # read/kickstart-erb/definition.rb:4

The machine:
  1 CPU, 256 MiB of memory, 64 bits
  a disk of 10 GiB
  installed from mini.iso
  answers in ks.cfg, served from port 7122 on
  a floppy with unattend.xml
  login as builder by password, awaited for 10000 s
  scripts: none
  shut down by the power button
`)
})

test('explained for people, where its installer is not run', () => {
  const options = { workingDirectory: definitionsFolder, strategy: 'bootstrap' } as const
  const said = explain(readDefinition('read/kickstart-erb', options), 'bootstrap')
  expect(said).toMatch(
    /\n {2}made from the mirror: its installer is not run\n {2}login as builder by password/,
  )
  expect(said).not.toMatch(/installed from|served from|floppy with/)
})
