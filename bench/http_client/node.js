// An HTTP client on Node; see momo.lua.

const http = require('http')

const [connections, count, port] = process.argv.slice(2).map(Number)
const agent = new http.Agent({ keepAlive: true, maxSockets: connections })

function get () {
  return new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, path: '/', agent }, answer => {
      let body = ''
      answer.setEncoding('latin1')
      answer.on('data', piece => { body += piece })
      answer.on('end', () => body === 'Hello, world!\n' ? resolve() : reject(new Error(body)))
    }).on('error', reject)
  })
}

async function some (n) {
  for (let i = 0; i < n; i++) await get()
}

function run (total) {
  return Promise.all(Array.from({ length: connections }, () => some(total / connections)))
}

async function main () {
  await run(count / 5)
  const began = process.cpuUsage()
  await run(count)
  const { user, system } = process.cpuUsage(began)
  console.log(Math.round((user + system) * 1000 / count))
  agent.destroy()
}

main()
