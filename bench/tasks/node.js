// Async functions of Node; see momo.lua.

const fs = require('fs')
const timers = require('timers/promises')
const yieldNow = timers.setImmediate
const HOUR_MS = 3600000, WARM_UP = 3000, SIZE_MAX = 100000

async function noop() { await null } // begins at once, ends when its turn comes
async function answer() { await null; return 7 }

function cpuNs() {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

function residentBytes() {
  return Number(fs.readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096
}

const workloads = {
  spawn: size => async count => {
    for (let i = 0; i < count; i += size) {
      for (let k = 0; k < size; k++) noop()
      await yieldNow()
    }
  },

  join: () => async count => {
    for (let i = 0; i < count; i++) await noop()
  },

  result: () => async count => {
    for (let i = 0; i < count; i++) await answer()
  },

  scope: size => async count => {
    for (let i = 0; i < count; i += size) {
      const children = []
      for (let k = 0; k < size; k++) children.push(noop())
      await Promise.all(children)
    }
  },

  yield: size => {
    const other = async () => { for (;;) await yieldNow() }
    for (let i = 1; i < size; i++) other()
    return async count => {
      for (let i = 0; i < count; i += size) await yieldNow()
    }
  },

  timeout: () => async count => {
    for (let i = 0; i < count; i++) {
      const timer = setTimeout(() => {}, HOUR_MS)
      await noop()
      clearTimeout(timer)
    }
  },
}

async function measure(body, count) {
  await body(WARM_UP)
  const begin = cpuNs()
  await body(count)
  return (cpuNs() - begin) / count
}

async function cancel(count) {
  for (let i = 0; i < count; i++) {
    const abort = new AbortController()
    const task = timers.setTimeout(HOUR_MS, null, { signal: abort.signal }).catch(() => {})
    await yieldNow()
    abort.abort()
    await task
  }
}

async function main(name, size, count) {
  if (name === 'asleep' && size <= SIZE_MAX) {
    const sleepers = [], before = residentBytes(), begin = cpuNs()
    for (let i = 0; i < size; i++) sleepers.push(timers.setTimeout(HOUR_MS))
    const cpu = cpuNs() - begin
    console.log(cpu / size, (residentBytes() - before) / size, await measure(cancel, count))
  } else if (workloads[name]) {
    console.log(await measure(workloads[name](size), count))
  }
  process.exit(0)
}

main(process.argv[2], Number(process.argv[3]), Number(process.argv[4]))
