// An echo server over TLS on Node; see momo.lua.

const fs = require('fs')
const tls = require('tls')

const [cert, key] = process.argv.slice(2).map(path => fs.readFileSync(path))
const server = tls.createServer({ cert, key, noDelay: true }, socket => {
  socket.on('error', () => {})
  socket.on('data', bytes => {
    if (!socket.write(bytes)) {
      socket.pause()
      socket.once('drain', () => socket.resume())
    }
  })
})
server.on('tlsClientError', () => {})
server.listen({ host: '127.0.0.1', port: 0, backlog: 511 }, () => console.log(server.address().port))
