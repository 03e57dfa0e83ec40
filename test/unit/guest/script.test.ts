import { spawnSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import { Announcement, script } from '../../../actions/lib/guest/script.ts'

/** Does what sshd does: hands the remote command to the user's shell. */
function runAsSshd(commandLine: string, env: Record<string, string>, input = '') {
  const { remote, text } = script(commandLine, { env, loggedInAs: 'root', token: 'tok' })
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['-c', remote], {
    input: Buffer.concat([text, Buffer.from(input)]),
    encoding: 'utf8',
  })
  const announcement = new Announcement('tok')
  return {
    remote,
    status,
    stdout,
    stderr: announcement.take(stderr) + announcement.rest(),
    group: announcement.group,
  }
}

describe('a command line on its way into the guest', () => {
  test('gets its environment and its own input, to the byte', () => {
    const { stdout, status } = runAsSshd('printf "%s|" "$A"; cat', { A: "it's ü" }, 'input\n\n')
    expect({ stdout, status }).toEqual({ stdout: "it's ü|input\n\n", status: 0 })
  })

  test('is in no argument, and neither is its environment', () => {
    const { remote } = script('mysql --password=hidden1', {
      env: { A: 'hidden2' },
      loggedInAs: 'root',
      token: 't',
    })
    expect(remote).not.toContain('hidden')
  })

  test.each([
    ['exit 3', 3],
    ['false', 1],
    ['exit 255', 255],
    ["kill -9 $(sh -c 'echo $PPID')", 137],
    ['no-such-program', 127],
    ['if', 2],
  ])('%j ends with status %d', (commandLine, expected) => {
    expect(runAsSshd(commandLine, {}).status).toBe(expected)
  })

  test('keeps its standard error apart from the announcement', () => {
    const { stderr, group } = runAsSshd('echo oh >&2', {})
    expect(stderr).toBe('oh\n')
    expect(group).toBeGreaterThan(1)
  })

  test('becomes another user by runuser or by sudo, and nobody when it is that user already', () => {
    const remote = (as: string, loggedInAs: string) => script('id', { as, loggedInAs, token: 't' }).remote
    expect(remote('app', 'root')).toContain('exec runuser -u app -- /bin/sh')
    expect(remote('root', 'admin')).toContain('exec sudo -n -u root -- /bin/sh')
    expect(remote('root', 'root')).toContain('exec /bin/sh -c')
    expect(remote('root', 'root')).not.toMatch(/sudo|runuser/)
  })
})

describe('the announcement', () => {
  test('is found in pieces, with words of the server before it', () => {
    const announcement = new Announcement('tok')
    const given = ['Wel', 'come\ntok 4', '2\nfirst', ' second'].map((piece) => announcement.take(piece))
    expect(given.join('')).toBe('Welcome\nfirst second')
    expect(announcement.group).toBe(42)
  })

  test('that never comes hides nothing', () => {
    const announcement = new Announcement('tok')
    expect(announcement.take('Permission denied\n')).toBe('')
    expect(announcement.rest()).toBe('Permission denied\n')
  })
})
