// An echo server on a Unix socket on Node; see momo.lua.

const net = require('net')

const path = process.argv[2]
const server = net.createServer(socket => {
  socket.on('error', () => {})
  socket.on('data', bytes => socket.write(bytes))
})
server.listen({ path, backlog: 511 }, () => console.log(path))
