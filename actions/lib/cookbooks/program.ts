/**
 * How both programs begin, which run in the tools' Ruby: `WHAT FILE LOCK [DESTINATION]`. Each prints one line of JSON,
 * `{fault}` for what is the user's. `sources` tells which git repositories the file names; `solve` has the tool
 * resolve, beginning with the lock that is there; `vendor` writes the cookbooks to DESTINATION, from the tool's own store
 * alone. The lock is read and written where we say, not beside the file.
 */
export const BEGINNING = `
require 'json'
what, FILE, LOCK, destination = ARGV
def fault(code, message, line = nil)
  puts JSON.generate(fault: { code: code, message: message, line: line })
  exit
end`

/** Once the tool's libraries are loaded: it is not to try an address again and again. */
export const PATIENCE = `Chef::Config[:http_retry_count] = 2
Chef::Config[:http_retry_delay] = 1`
