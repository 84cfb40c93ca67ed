// A peer of TLS: `server CERT KEY` sends back what it reads and prints its port; `client CA PORT...` asks for that.
"use strict";
const fs = require("fs");
const tls = require("tls");

const SIZE = 100000;
const [role, ...rest] = process.argv.slice(2);

function serve(cert, key) {
  const server = tls.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (stream) => {
    stream.on("error", () => {});
    stream.pipe(stream);
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

function ask(ca, port) {
  const message = Buffer.from(Array.from({ length: SIZE }, (_, i) => i % 251));
  return new Promise((resolve, reject) => {
    const parts = [];
    let size = 0;
    const stream = tls.connect({ host: "localhost", port, servername: "localhost", ca }, () => stream.write(message));
    stream.on("error", reject);
    stream.on("data", (part) => {
      parts.push(part);
      size += part.length;
      if (size === SIZE) {
        if (!Buffer.concat(parts).equals(message)) reject(new Error("it came back as something else"));
        console.log(stream.getProtocol());
        stream.end();
        resolve();
      }
    });
  });
}

async function main() {
  if (role === "server") return serve(...rest);
  const ca = fs.readFileSync(rest[0]);
  for (const port of rest.slice(1)) await ask(ca, port);
}

main();
