import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { AssetSource } from '../lib/runner/releases.ts'

/** A file of the release, whole. */
export interface ReleaseFile {
  name: string
  path: string
  bytes: number
  sha256: string
}

/** GitHub takes no more of a release: so three digits number any file's parts. */
export const ASSETS_LIMIT = 1000

/** What a file becomes among the assets: itself, or parts of at most `partSize` bytes, read from it in place. */
export async function partsOf(
  file: ReleaseFile,
  partSize: number,
  signal: AbortSignal,
): Promise<AssetSource[]> {
  const { name, path, bytes, sha256 } = file
  if (bytes <= partSize) return [{ name, range: { path, start: 0, end: bytes }, sha256 }]
  const parts: AssetSource[] = []
  for (let start = 0; start < bytes; start += partSize) {
    const range = { path, start, end: Math.min(start + partSize, bytes) }
    const number = String(parts.length).padStart(3, '0')
    parts.push({ name: `${name}.part${number}`, range, sha256: await digestOf(range, signal) })
  }
  return parts
}

async function digestOf(range: AssetSource['range'], signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const options = { start: range.start, end: range.end - 1, highWaterMark: 1 << 20, signal }
  for await (const chunk of createReadStream(range.path, options)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** The lines of `SHA256SUMS.release`, as `sha256sum --check` reads them: whole files first, then their parts. */
export function sums(files: readonly ReleaseFile[], assets: readonly AssetSource[]): string {
  const wholes = new Set(files.map(({ name }) => name))
  const parts = assets.filter(({ name }) => !wholes.has(name))
  return [...files, ...parts].map(({ sha256, name }) => `${sha256}  ${name}\n`).join('')
}

/** Joins every file that was split, on Linux and macOS, and proves each against SHA256SUMS.release. */
export const joinSh = `#!/bin/sh
# Joins the parts in this folder into whole files and checks them: sh join.sh
set -eu
cd "$(dirname "$0")"
if command -v sha256sum >/dev/null 2>&1; then digest() { sha256sum "$1" | cut -d ' ' -f 1; }
else digest() { shasum -a 256 "$1" | cut -d ' ' -f 1; }
fi
failed=0
for first in *.part000; do
  whole=\${first%.part000}
  expected=$(sed -n "s/^\\([0-9a-f]\\{64\\}\\)  $whole\\$/\\1/p" SHA256SUMS.release)
  [ -n "$expected" ] || { echo "$whole is not in SHA256SUMS.release" >&2; failed=1; continue; }
  if [ -f "$whole" ] && [ "$(digest "$whole")" = "$expected" ]; then echo "$whole is whole already"; continue; fi
  cat "$whole".part[0-9][0-9][0-9] >"$whole.joining"
  if [ "$(digest "$whole.joining")" = "$expected" ]; then
    mv "$whole.joining" "$whole"
    echo "$whole is whole, its SHA-256 is right"
  else
    rm "$whole.joining"
    echo "$whole: its parts are damaged, or not all here; download them again" >&2
    failed=1
  fi
done
exit "$failed"
`

/** The same on Windows: PowerShell 5.1 and later. */
export const joinPs1 = `# Joins the parts in this folder into whole files and checks them: powershell -ExecutionPolicy Bypass -File join.ps1
$ErrorActionPreference = 'Stop'
Set-Location -LiteralPath $PSScriptRoot
$failed = 0
foreach ($first in Get-ChildItem -File -Filter '*.part000') {
  $whole = $first.Name.Substring(0, $first.Name.Length - '.part000'.Length)
  $line = Get-Content -LiteralPath 'SHA256SUMS.release' | Where-Object { $_.Substring(66) -ceq $whole }
  if (-not $line) { Write-Warning "$whole is not in SHA256SUMS.release"; $failed = 1; continue }
  $expected = $line.Substring(0, 64)
  $joining = Join-Path $PSScriptRoot "$whole.joining"
  $out = [System.IO.File]::Create($joining)
  try {
    foreach ($part in Get-ChildItem -File -Filter "$whole.part*" | Where-Object { $_.Name -match '\\.part[0-9]{3}$' } | Sort-Object { [int]($_.Name -replace '^.*\\.part', '') }) {
      $in = [System.IO.File]::OpenRead($part.FullName)
      try { $in.CopyTo($out) } finally { $in.Dispose() }
    }
  } finally { $out.Dispose() }
  if ((Get-FileHash -LiteralPath $joining -Algorithm SHA256).Hash -eq $expected) {
    Move-Item -Force -LiteralPath $joining -Destination (Join-Path $PSScriptRoot $whole)
    Write-Output "$whole is whole, its SHA-256 is right"
  } else {
    Remove-Item -LiteralPath $joining
    Write-Warning "\${whole}: its parts are damaged, or not all here; download them again"
    $failed = 1
  }
}
exit $failed
`
