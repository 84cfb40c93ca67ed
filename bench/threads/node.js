// Messages between the main thread and a worker; see momo.lua. Ports have no capacity, so there is one message in a
// thousand that is answered.

const { Worker, isMainThread, parentPort, workerData } = require('worker_threads')
const WARM_UP = 10000, TRIPS_WARM_UP = 1000, BURST = 1000

function answer() {
  let n = 0
  parentPort.on('message', value => {
    n++
    if (workerData.each || n % BURST === 0) parentPort.postMessage(value)
  })
}

async function messages(name, count) {
  const each = name === 'anywhere'
  const worker = new Worker(__filename, { workerData: { each } })
  let answered
  worker.on('message', () => answered())

  const run = async total => {
    const burst = each ? 1 : BURST
    for (let i = 0; i < total; i += burst) {
      const answer = new Promise(resolve => { answered = resolve })
      for (let k = 0; k < burst; k++) {
        worker.postMessage(name === 'strings' ? String(i + k).padStart(64, '0') : i + k)
      }
      await answer
    }
  }

  await run(each ? TRIPS_WARM_UP : WARM_UP)
  const begin = process.hrtime.bigint()
  await run(count)
  console.log(Number(process.hrtime.bigint() - begin) / count)
  process.exit(0)
}

async function start(count) {
  let sum = 0
  for (let i = 0; i < count; i++) {
    const begin = process.hrtime.bigint()
    const worker = new Worker(__filename, { workerData: { start: true } })
    sum += Number(await new Promise(resolve => worker.on('message', resolve)) - begin)
  }
  console.log(sum / count)
}

const [name, , count] = process.argv.slice(2)
if (!isMainThread && workerData.start) {
  parentPort.postMessage(process.hrtime.bigint())
} else if (!isMainThread) {
  answer()
} else if (name === 'start') {
  start(Number(count))
} else if (name !== 'busy' && name !== 'round_trip') { // no thread can be pinned
  messages(name, Number(count))
}
