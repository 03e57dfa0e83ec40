import { runScenario } from '../../actions/vm-validate/scenario-run.ts'
import { insideOrAgain, withExample } from '../../test/fixtures/campaign/example-machine.ts'

/** Times going back to the running machine against booting it, on a built project; prints JSON, seconds. */
await insideOrAgain()
const [project = 'build/e2e/license-server', rounds = '5'] = process.argv.slice(2)
await withExample(project, async ({ test, course, scenario }) => {
  const { signal } = course
  const rollback: number[] = []
  const command: number[] = []
  for (let round = 0; round < Number(rounds); round++) {
    await test.guest.run('dd if=/dev/urandom of=/var/tmp/noise bs=1M count=16 2>/dev/null; sync', { signal })
    test.touch()
    const began = performance.now()
    await test.rewind(signal)
    rollback.push((performance.now() - began) / 1000)
    await test.guest.run('true', { signal })
    command.push((performance.now() - began) / 1000)
  }
  const scenarios: number[] = []
  for (let round = 0; round < Number(rounds); round++) {
    const began = performance.now()
    const { status } = await runScenario(scenario('health-and-doors.yml'), course)
    if (status !== 'passed') throw new Error('the scenario that is timed failed')
    scenarios.push((performance.now() - began) / 1000)
  }
  test.touch()
  const began = performance.now()
  await test.reboot(signal)
  const reboot = (performance.now() - began) / 1000
  console.log(JSON.stringify({ rollback, command, scenarios, reboot, boot: (test.bootTime ?? 0) / 1000 }))
})
process.exit()
