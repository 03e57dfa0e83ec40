/** `1 scenario`, `2 scenarios`: a number and what is counted, in the plural where it takes one. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
