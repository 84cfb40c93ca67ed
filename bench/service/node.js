// A service that computes; see momo.lua. Node's processes get their connections from the first one's listener.

const cluster = require('cluster')
const net = require('net')

function serve(socket) {
  socket.on('error', () => {})
  socket.on('data', bytes => {
    let sum = 0
    for (let i = 1; i <= 10000; i++) sum = (sum + i) % 65521
    if (sum >= 0) socket.write(bytes)
  })
}

if (cluster.isPrimary) {
  const threads = Number(process.argv[2])
  let listening = 0
  cluster.on('listening', (_, address) => {
    listening++
    if (listening === threads) console.log(address.port)
  })
  process.on('exit', () => { for (const id in cluster.workers) cluster.workers[id].kill('SIGKILL') })
  for (let i = 0; i < threads; i++) cluster.fork()
} else {
  process.on('disconnect', () => process.exit(0))
  net.createServer({ noDelay: true }, serve).listen({ host: '127.0.0.1', port: 0 })
}
