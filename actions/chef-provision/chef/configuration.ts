import { RUN, SCRATCH } from '../../lib/mirror/guest-places.ts'
import type { StepOf } from '../../lib/spec/provision-step.ts'

/** Everything of Chef's in the guest; removed after the step. */
export const CHEF = `${SCRATCH}/chef`
/** In memory only, and only for as long as Chef runs. */
export const SECRET = `${RUN}/data-bag-secret`
/** Where the tools disk is mounted while Chef runs. */
export const TOOLS = '/tools'

export const soloRb = `${CHEF}/solo.rb`
export const nodeJson = `${CHEF}/node.json`
export const handlerRb = `${CHEF}/appliance_events.rb`
/** Chef's own account of the run, for who wants more than the tree. */
export const docLog = `${CHEF}/chef.log`
export const stacktrace = `${CHEF}/cache/chef-stacktrace.out`

/** Folder in the guest for the n-th of the step's cookbook paths. */
export function cookbookFolder(index: number): string {
  return `${CHEF}/cookbooks-${index}`
}

type Step = Pick<
  StepOf<'chef_solo'>,
  | 'cookbooks'
  | 'policy'
  | 'roles'
  | 'environments'
  | 'environment'
  | 'dataBags'
  | 'dataBagSecret'
  | 'logLevel'
  | 'whyRun'
>

/** Folders of the project that Chef needs, and where they go in the guest. */
export function chefFolders(step: Step): [from: string, to: string][] {
  const of = (from: string | undefined, to: string): [string, string][] =>
    from ? [[from, `${CHEF}/${to}`]] : []
  return [
    ...step.cookbooks.map((from, index): [string, string] => [from, cookbookFolder(index)]),
    ...of(step.policy, 'policy'),
    ...of(step.roles, 'roles'),
    ...of(step.environments, 'environments'),
    ...of(step.dataBags, 'data_bags'),
  ]
}

/**
 * Whether Chef is to bring its own small server (chef-zero): what searches needs it, and a policy. Without, it starts
 * faster, above all on an emulated machine.
 */
export function needsServer(step: Pick<Step, 'policy' | 'dataBags'>): boolean {
  return step.policy !== undefined || step.dataBags !== undefined
}

/**
 * Chef's configuration; everything it writes for itself stays in the scratch folder.
 *
 * @param policyName what the Policyfile calls itself
 * @see https://docs.chef.io/config_rb_solo/
 */
export function chefConfiguration(step: Step, policyName?: string): string {
  const lines = [
    ...(step.policy
      ? [
          `chef_repo_path '${CHEF}/policy'`,
          `policy_name ${ruby(policyName ?? '')}`,
          "policy_group 'local'",
          'use_policyfile true',
          'policy_document_native_api true',
        ]
      : [`cookbook_path [${step.cookbooks.map((_, index) => `'${cookbookFolder(index)}'`).join(', ')}]`]),
    ...(step.roles ? [`role_path '${CHEF}/roles'`] : []),
    ...(step.environments ? [`environment_path '${CHEF}/environments'`] : []),
    ...(step.environment ? [`environment ${ruby(step.environment)}`] : []),
    ...(step.dataBags ? [`data_bag_path '${CHEF}/data_bags'`] : []),
    ...(step.dataBagSecret ? [`encrypted_data_bag_secret '${SECRET}'`] : []),
    `file_cache_path '${CHEF}/cache'`,
    `file_backup_path '${CHEF}/backup'`,
    `cache_path '${CHEF}/cache'`,
    `node_path '${CHEF}/nodes'`,
    `client_path '${CHEF}/clients'`,
    `acl_path '${CHEF}/acls'`,
    `checksum_path '${CHEF}/checksums'`,
    `lockfile '${CHEF}/chef-solo.pid'`,
    `log_level :${step.logLevel}`,
    `require '${handlerRb}'`,
    // Set, not added: with its server, Chef reads its configuration twice.
    'event_handlers [Appliance::Events.new]',
    'formatters.clear',
    `add_formatter :doc, '${docLog}'`,
  ]
  return `${lines.join('\n')}\n`
}

/** A Ruby string, whatever it contains. */
function ruby(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/**
 * The node's attributes with its run list, as chef-solo's `-j` takes them; it is in the guest only while Chef runs.
 *
 * @param mirror what `{{mirror}}` in their texts stands for: the mirror's address as the guest knows it, without a `/`
 *   at its end
 */
export function nodeAttributes(
  attributes: Record<string, unknown>,
  runList: readonly string[],
  mirror: string,
): string {
  const node = runList.length > 0 ? { ...attributes, run_list: runList } : attributes
  return JSON.stringify(node, (_, value) =>
    typeof value === 'string' ? value.replace(/\{\{\s*mirror\s*\}\}/g, () => mirror) : value,
  )
}

/**
 * The command line. The licence is the user's own word from the spec; it is given for this run only
 * (`accept-no-persist`), so that no marker of it stays on the disk.
 *
 * @see https://docs.chef.io/chef_license_accept/
 */
export function chefCommand(step: Step, license: string, from: 'tools' | 'guest'): string {
  const word = license === 'accept' ? 'accept-no-persist' : license
  const program = step.policy ? 'chef-client' : 'chef-solo'
  return [
    from === 'tools' ? `sh ${TOOLS}/${program}` : program,
    step.policy ? '--local-mode' : needsServer(step) ? '' : '--legacy-mode',
    `-c ${soloRb} -j ${nodeJson} --no-color --force-formatter --no-fork`,
    step.whyRun ? '--why-run' : '',
    `--chef-license ${word}`,
  ]
    .filter(Boolean)
    .join(' ')
}
