// Files in Node; see momo.lua.

const fs = require('fs')
const net = require('net')
const { pipeline } = require('stream/promises')

const [workload, text, folder, port] = process.argv.slice(2)
const count = Number(text)
let next = 0

const workloads = {
  async read(n) {
    let file = await fs.promises.open(folder + '/big')
    while (n-- > 0) {
      const { bytesRead } = await file.read(Buffer.allocUnsafe(65536), 0, 65536)
      if (bytesRead === 0) {
        await file.close()
        file = await fs.promises.open(folder + '/big')
      }
    }
    await file.close()
  },
  copy(n) {
    return pipeline(fs.createReadStream(folder + '/big', { end: n * 1048576 - 1 }), net.connect(port, '127.0.0.1'))
  },
  async small(n) {
    while (n-- > 0) {
      const path = folder + '/small/' + next++ % 10000
      await fs.promises.stat(path)
      await fs.promises.readFile(path)
    }
  }
}

async function main() {
  const run = workloads[workload]
  if (!run) return
  await run(count)
  const begin = process.hrtime.bigint()
  await run(count)
  console.log(Number(process.hrtime.bigint() - begin) / count)
}

main()
