// An echo server on Node; see momo.lua.

const net = require('net')

const server = net.createServer({ noDelay: true }, socket => {
  socket.on('error', () => {})
  socket.on('data', bytes => {
    if (!socket.write(bytes)) {
      socket.pause()
      socket.once('drain', () => socket.resume())
    }
  })
})
server.listen({ host: '127.0.0.1', port: 0, backlog: 511 }, () => console.log(server.address().port))
