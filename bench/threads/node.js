// Messages between the main thread and a worker; see momo.lua. Ports have no capacity, so there is one message in a
// thousand that is answered.

const { Worker, isMainThread, parentPort, workerData } = require('worker_threads')
const WARM_UP = 10000, BURST = 1000

if (!isMainThread) {
  let n = 0
  parentPort.on('message', value => {
    n++
    if (workerData.each || n % BURST === 0) parentPort.postMessage(value)
  })
} else {
  const [name, , count] = process.argv.slice(2)
  const each = name === 'round_trip'
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

  const main = async () => {
    await run(WARM_UP)
    const begin = process.hrtime.bigint()
    await run(Number(count))
    console.log(Number(process.hrtime.bigint() - begin) / count)
    process.exit(0)
  }
  main()
}
