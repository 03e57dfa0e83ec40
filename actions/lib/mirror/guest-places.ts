/** Where everything that only the build needs lies in the guest: a tmpfs, so that it is gone by itself. */
export const RUN = '/run/appliance'
/** The same for what must be executable or may be large; removed before the disk is written. */
export const SCRATCH = '/var/tmp/appliance'
