import { SCRATCH } from '../lib/mirror/guest-access.ts'

const CHEF = `${SCRATCH}/chef`

/** Where the tools disk is mounted while Chef runs. */
export const TOOLS = '/tools'

/** Folder in the guest for the n-th of the step's cookbook paths. */
export function cookbookFolder(index: number): string {
  return `${CHEF}/cookbooks-${index}`
}

export const soloRb = `${CHEF}/solo.rb`
export const nodeJson = `${CHEF}/node.json`

/**
 * Chef Solo's configuration; everything it writes for itself stays in the scratch folder.
 *
 * @see https://docs.chef.io/config_rb_solo/
 */
export function soloConfiguration(cookbookFolders: readonly string[]): string {
  const folders = cookbookFolders.map((folder) => `'${folder}'`).join(', ')
  return `cookbook_path [${folders}]
file_cache_path '${CHEF}/cache'
file_backup_path '${CHEF}/backup'
cache_path '${CHEF}/cache'
node_path '${CHEF}/nodes'
checksum_path '${CHEF}/checksums'
lockfile '${CHEF}/chef-solo.pid'
log_level :warn
`
}

/** The node's attributes with its run list, as chef-solo's `-j` takes them. */
export function nodeAttributes(attributes: Record<string, unknown>, runList: readonly string[]): string {
  return JSON.stringify({ ...attributes, run_list: runList })
}

/**
 * The command line. The licence is the user's own word from the spec; it is given for this run only
 * (`accept-no-persist`), so that no marker of it stays on the disk.
 *
 * @see https://docs.chef.io/chef_license_accept/
 */
export function chefSoloCommand(license: string): string {
  const word = license === 'accept' ? 'accept-no-persist' : license
  return `sh ${TOOLS}/chef-solo --legacy-mode -c ${soloRb} -j ${nodeJson} --no-color --force-formatter --chef-license ${word}`
}
