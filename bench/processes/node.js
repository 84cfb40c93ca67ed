// Other programs from Node; see momo.lua.

const { spawn } = require('child_process')

const [count, atOnce] = process.argv.slice(2).map(Number)

async function run(n) {
  for (let i = 0; i < n; i++) {
    await new Promise(resolve => spawn('/bin/true', { stdio: 'ignore' }).on('exit', resolve))
  }
}

async function main() {
  await run(10)
  const begin = process.hrtime.bigint()
  await Promise.all(Array.from({ length: atOnce }, () => run(count / atOnce)))
  console.log(Number(process.hrtime.bigint() - begin) / count)
}

main()
