// handshake PROXY CA CERTIFICATE KEY PORT:VERSION:COUNT:BEARS... as handshake.go.
'use strict';
const fs = require('fs');
const http = require('http');
const tls = require('tls');

const [proxy, ca, certificate, key, ...specs] = process.argv.slice(2);
const [host, proxyPort] = proxy.split(':');

function tunnel(port) {
  return new Promise((resolve, reject) => {
    const ask = http.request({host, port: proxyPort, method: 'CONNECT', path: `localhost:${port}`, agent: false});
    ask.on('connect', (answer, socket) => resolve(socket)).on('error', reject).end();
  });
}

async function play(port, version, bears, kept) {
  const socket = await tunnel(port);
  const more = bears === '-' ? {} : {cert: fs.readFileSync(certificate), key: fs.readFileSync(key)};
  const inner = tls.connect({socket, servername: 'localhost', ca: fs.readFileSync(ca), session: kept.session,
    minVersion: `TLSv${version}`, maxVersion: `TLSv${version}`, ALPNProtocols: ['http/1.1'], ...more});
  inner.on('session', (session) => { kept.session = session; });
  inner.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  let got = '';
  await new Promise((resolve, reject) => {
    inner.on('data', (data) => { got += data; }).on('end', resolve).on('error', reject);
  });
  inner.end();
  return got.startsWith('HTTP/1.1 200 ') ? 'ok' : `GET: ${got}`;
}

(async () => {
  for (const spec of specs) {
    const [port, version, count, bears] = spec.split(':');
    const kept = {};
    for (let left = Number(count); left > 0; left--)
      console.log(await play(port, version, bears, kept).catch((error) => error.message));
  }
})();
