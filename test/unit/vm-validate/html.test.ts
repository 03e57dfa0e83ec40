import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { exists } from '../../../actions/lib/files/exists.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { browser } from '../../../actions/vm-validate/browser.ts'
import { casesIn } from '../../../actions/vm-validate/junit-read.ts'
import { distribute, machinesFor } from '../../../actions/vm-validate/machines.ts'
import { reportHtml } from '../../../actions/vm-validate/report-html.ts'
import { type ScenarioResult, verdictOn } from '../../../actions/vm-validate/verdict.ts'

const hostile = '<script>document.title="owned"</script> & "quotes" \u001b[31m \u0000 \ud800 ::error::x'
const results: ScenarioResult[] = [
  {
    name: 'A licence survives a restore',
    kind: 'scenario',
    file: 'scenarios/licence.yml',
    status: 'passed',
    began: 0,
    duration: 30_000,
    remarks: [],
    evidence: [],
    steps: [
      { title: 'boot', status: 'passed', finding: 'it runs', remarks: [], duration: 10 },
      {
        title: 'post /licenses',
        status: 'passed',
        finding: 'status 201 Created',
        remarks: [],
        duration: 900,
      },
    ],
  },
  {
    name: `Hostile ${hostile}`,
    kind: 'scenario',
    status: 'failed',
    began: 30_000,
    duration: 10_000,
    remarks: [],
    evidence: ['evidence/hostile/screen.png', 'evidence/hostile/journal.txt'],
    steps: [
      {
        title: hostile,
        status: 'failed',
        finding: hostile,
        output: `${hostile}\n`.repeat(30),
        remarks: ['judged by the guest'],
        duration: 5_000,
      },
      { title: 'get /', status: 'skipped', finding: 'an earlier step failed', remarks: [], duration: 0 },
    ],
  },
]
const subject = {
  kind: 'ova' as const,
  name: 'box-1.0.ova',
  diskSha256: 'a'.repeat(64),
  ovaSha256: 'b'.repeat(64),
}
// A grey pixel.
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==',
  'base64',
)
const html = reportHtml(verdictOn(subject, results, ['booted by BIOS'], []), {
  title: 'License Server',
  version: '1.4.0',
  date: '2026-11-26T00:00:00.000Z',
  rollbacks: [300, 500, 900],
  machines: 2,
  pictures: new Map([['evidence/hostile/screen.png', picture]]),
})

/** Size and pixels of a PNG of 8 bits a channel. @see W3C PNG, 9.2 filter types */
function readPicture(file: Buffer) {
  const [width, height, channels] = [file.readUInt32BE(16), file.readUInt32BE(20), file[25] === 6 ? 4 : 3]
  const data: Buffer[] = []
  for (let at = 8; at < file.length; at += file.readUInt32BE(at) + 12)
    if (file.subarray(at + 4, at + 8).toString() === 'IDAT')
      data.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)))
  const rows = inflateSync(Buffer.concat(data))
  const stride = width * channels
  const bytes = Buffer.alloc(height * stride)
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)]!
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? bytes[y * stride + x - channels]! : 0
      const up = y > 0 ? bytes[(y - 1) * stride + x]! : 0
      const both = x >= channels && y > 0 ? bytes[(y - 1) * stride + x - channels]! : 0
      const near = [left, up, both].reduce((best, one) => {
        const off = (value: number) => Math.abs(left + up - both - value)
        return off(one) < off(best) ? one : best
      })
      const guess = [0, left, up, (left + up) >> 1, near][filter]!
      bytes[y * stride + x] = rows[y * (stride + 1) + 1 + x]! + guess
    }
  }
  const pixels = Array.from({ length: width * height }, (_, n) =>
    bytes.subarray(n * channels, n * channels + 3),
  )
  return { width, height, pixels }
}

const browsers = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const found = await Promise.all(browsers.map((name) => exists(`/usr/bin/${name}`)))
const chromium = browsers.find((_, index) => found[index])

describe('the HTML report', () => {
  test('needs nothing from elsewhere and lets nothing run', () => {
    expect(html).not.toMatch(/(src|href)="(?!data:|#)/)
    expect(html).not.toContain('<script')
    expect(html).toContain("default-src 'none'")
    expect(html).not.toMatch(/[\u0000\u001b\ud800]/)
  })

  test('has every step with its seconds, failures open, pictures, and how long rollbacks took', () => {
    expect(html).toContain('3 rollbacks, the middle one 0.5 s, the slowest 0.9 s')
    expect(html).toMatch(/<details id="r1" class="result failed" open>/)
    expect(html).toMatch(/<details id="r0" class="result passed">/)
    expect(html).toContain('status 201 Created')
    expect(html).toContain('alt="The screen when it failed"')
    expect(html).toContain(`data:image/png;base64,${picture.toString('base64')}`)
    expect(html.indexOf('id="r1"')).toBeLessThan(html.indexOf('id="r0"'))
  })

  const look = async (...what: string[]) => {
    const folder = await mkdtemp(join(tmpdir(), 'appliance-report-'))
    try {
      await writeFile(join(folder, 'report.html'), html)
      const args = ['--headless=new', '--no-sandbox', '--disable-gpu', `--user-data-dir=${folder}/profile`]
      const asked = what.map((word) => word.replace('FOLDER', folder))
      const { stdout } = await run(`/usr/bin/${chromium}`, [
        ...args,
        ...asked,
        `file://${folder}/report.html`,
      ])
      return { dom: stdout, picture: await readFile(join(folder, 'seen.png')).catch(() => undefined) }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  const where = chromium ? test : test.skip
  where('is seen by a browser (skipped where there is neither Chromium nor Chrome)', async () => {
    const { dom } = await look('--dump-dom')
    // What a hostile guest printed is text, and its title is still ours.
    expect(dom).toContain('<title>License Server 1.4.0: failed</title>')
    expect(dom).toContain('&lt;script&gt;document.title')
    expect(dom.match(/<tr class="(passed|failed|skipped)"/g)).toHaveLength(4)
  })

  where('has its colours, its timeline and its pictures, without a script', async () => {
    const window = ['--window-size=1000,1400', '--force-device-scale-factor=1', '--hide-scrollbars']
    const { picture } = await look('--screenshot=FOLDER/seen.png', ...window)
    const { width, height, pixels } = readPicture(picture!)
    expect([width, height]).toEqual([1000, 1400])
    const count = (is: (red: number, green: number, blue: number) => boolean) =>
      pixels.filter(([red, green, blue]) => is(red!, green!, blue!)).length
    // The failed scenario took a quarter of the time: its bar and its badges are red, the other's are green.
    expect(count((red, green, blue) => red > 1.5 * green && red > 1.5 * blue)).toBeGreaterThan(500)
    expect(count((red, green, blue) => green > 1.2 * red && green > 1.2 * blue)).toBeGreaterThan(500)
    expect(count((red, green, blue) => red > 240 && green > 240 && blue > 240)).toBeGreaterThan(300_000)
  })
})

describe('how many machines', () => {
  const machine = { cpus: 2, memory: 2 * 2 ** 30 }
  test.each([
    ['cores', 100, { cores: 8, memory: 2 ** 40 }, 'auto', 4],
    ['memory', 100, { cores: 64, memory: 8 * 2 ** 30 }, 'auto', 2],
    ['work', 6, { cores: 64, memory: 2 ** 40 }, 'auto', 2],
    ['a small computer', 100, { cores: 1, memory: 2 ** 30 }, 'auto', 1],
    ['the spec', 100, { cores: 2, memory: 2 ** 30 }, 5, 5],
    ['the spec, but not more than there are scenarios', 3, { cores: 2, memory: 2 ** 30 }, 5, 3],
  ] as const)('%s decides', (_, scenarios, computer, asked, expected) => {
    expect(machinesFor(scenarios, machine, computer, asked)).toBe(expected)
  })

  test('work goes to whoever is free, results stay in order', async () => {
    const by: string[] = []
    const worker = (name: string, ms: number) => async (n: number) => {
      by[n] = name
      await new Promise((resolve) => setTimeout(resolve, ms))
      return n * n
    }
    expect(await distribute([0, 1, 2, 3, 4, 5], [worker('slow', 200), worker('quick', 5)])).toEqual([
      0, 1, 4, 9, 16, 25,
    ])
    expect(by).toEqual(['slow', 'quick', 'quick', 'quick', 'quick', 'quick'])
  })
})

test('cookies are kept by path, age and secrecy', () => {
  const jar = browser()
  const take = (...cookies: string[]) => jar.take({ 'set-cookie': cookies }, '/app/login?x=1', 0)
  take('a=1', 'b=2; Path=/', 'c=3; Path=/; Secure', 'd=4; Path=/; Max-Age=10', '=no', 'e')
  expect(jar.cookiesFor('/app/page?y', false, 5_000)).toBe('a=1; b=2; d=4')
  expect(jar.cookiesFor('/apple', false, 5_000)).toBe('b=2; d=4')
  expect(jar.cookiesFor('/', true, 11_000)).toBe('b=2; c=3')
  take('b=; Path=/; Max-Age=0', 'c=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT')
  expect(jar.cookiesFor('/', true, 11_000)).toBeUndefined()
})

test('a suite’s JUnit cases are read; what is no JUnit is a failure', () => {
  const xml = `<?xml version="1.0"?><testsuites><testsuite name="s"><testcase classname="App" name="works" time="1.5"/>
<testcase classname="App" name="breaks" time="2"><failure message="expected 1">at app.rb:3</failure></testcase>
<testcase name="later"><skipped message="not here"/></testcase></testsuite></testsuites>`
  expect(
    casesIn(xml, 'x.xml').map(({ result }) => [result.title, result.status, result.finding, result.duration]),
  ).toEqual([
    ['App works', 'passed', 'passed', 1500],
    ['App breaks', 'failed', 'expected 1', 2000],
    ['later', 'skipped', 'not here', 0],
  ])
  expect(casesIn('<html', 'x.xml')[0]!.result).toMatchObject({ status: 'failed', title: 'x.xml' })
})
