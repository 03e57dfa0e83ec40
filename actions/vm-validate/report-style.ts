/** How the HTML report looks, on screens light and dark and on paper. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --paper: #fff; --panel: #f6f8fa; --good: #1a7f37; --bad: #cf222e; --skip: #8a94a2 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa5b4; --line: #333c48; --paper: #12161c; --panel: #1a2029; --good: #3fb950; --bad: #f85149; --skip: #7d8794 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.9rem; margin: 0 0 1rem; line-height: 1.2 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .7rem }
.kicker { margin: 0; color: var(--soft); text-transform: uppercase; letter-spacing: .06em; font-size: .78rem }
.version { color: var(--soft); font-weight: 400 }
.badge { display: inline-block; padding: .1em .6em; border-radius: 1em; font-size: .8rem; font-weight: 600; color: #fff; background: var(--skip); vertical-align: middle }
.badge.passed { background: var(--good) } .badge.failed { background: var(--bad) }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.2rem; margin: 0 } dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
code, pre { font: 12.5px/1.45 ui-monospace, monospace }
.timeline { list-style: none; margin: 0; padding: 0 } .timeline li { display: grid; grid-template-columns: 20rem 1fr 6.5rem; gap: .8rem; align-items: center; padding: .12rem 0 }
.timeline a { color: inherit; text-decoration: none; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.track { position: relative; height: .8rem; background: var(--panel); border-radius: .2rem } .bar { position: absolute; top: 0; bottom: 0; border-radius: .2rem; background: var(--skip) }
.bar.passed { background: var(--good) } .bar.failed { background: var(--bad) }
.seconds { text-align: right; color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap }
.result { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 .6rem; background: var(--paper) } .result.failed { border-color: var(--bad) }
summary { cursor: pointer; padding: .6rem .9rem; display: flex; gap: .8rem; align-items: center } summary .name { font-weight: 600; flex: 1 } summary .count { color: var(--soft) }
.file, .evidence { margin: 0; padding: 0 .9rem .5rem; color: var(--soft); font-size: .85rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; font-size: .9rem } th { text-align: left; color: var(--soft); font-weight: 500 } th, td { padding: .35rem .9rem; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere } th.seconds { text-align: right }
td.mark { color: var(--soft); width: 2.5rem } td:nth-child(2) { width: 45% } tr.failed td { background: color-mix(in srgb, var(--bad) 9%, transparent) } tr.failed td.mark { color: var(--bad); font-weight: 700 } tr.skipped td { color: var(--skip) }
pre { margin: .4rem 0 0; padding: .6rem; background: var(--panel); border-radius: .3rem; white-space: pre-wrap; max-height: 24rem; overflow: auto }
figure { margin: .6rem .9rem } figure img { max-width: 100%; border: 1px solid var(--line); border-radius: .3rem } figcaption { color: var(--soft); font-size: .8rem }
@media (max-width: 46rem) { .timeline li { grid-template-columns: 1fr 5rem } .track { grid-row: 2; grid-column: 1 / -1 } .facts { grid-template-columns: 1fr } dd { margin-bottom: .4rem } }
@media print { body { max-width: none; padding: 0 } .result { break-inside: avoid } }
`
