// A UDP echo server on Node; see momo.lua.

const socket = require('dgram').createSocket('udp4')
socket.on('message', (data, from) => socket.send(data, from.port, from.address))
socket.bind(0, '127.0.0.1', () => console.log(socket.address().port))
