// An HTTP server on Node; see momo.lua.

const fs = require('fs')
const http = require('http')
const https = require('https')

const [folder, mode] = process.argv.slice(2)
const bodies = { '/1k': 'x'.repeat(1024), '/1m': 'x'.repeat(1024 * 1024) }

function text (response, body) {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length })
  response.end(body)
}

function upload (request, response) {
  let total = 0
  request.on('data', piece => { total += piece.length })
  request.on('end', () => text(response, total + '\n'))
}

function sendFile (path, response) {
  fs.stat(path, (err, about) => {
    if (err) return response.writeHead(404).end()
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': about.size })
    fs.createReadStream(path).pipe(response)
  })
}

function handle (request, response) {
  const url = request.url
  if (url === '/' || (url === '/header' && request.headers['user-agent'])) {
    text(response, 'Hello, world!\n')
  } else if (url === '/json') {
    const body = JSON.stringify({ message: 'Hello, world!' })
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length })
    response.end(body)
  } else if (bodies[url]) {
    text(response, bodies[url])
  } else if (url === '/upload') {
    upload(request, response)
  } else if (url.startsWith('/static/')) {
    sendFile(folder + '/' + url.slice(8).replace(/\.\./g, ''), response)
  } else {
    response.writeHead(404, { 'Content-Length': 0 }).end()
  }
}

const server = mode === 'tls'
  ? https.createServer({ cert: fs.readFileSync(folder + '/cert.pem'), key: fs.readFileSync(folder + '/key.pem') }, handle)
  : http.createServer(handle)
server.listen({ host: '127.0.0.1', port: 0, backlog: 511 }, () => console.log(server.address().port))
