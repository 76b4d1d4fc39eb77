// node fetch.js PROXY CA URL... on one connection to the proxy; one line a URL: status and SHA-256. /sum gets a
// chunked POST. http URLs go in absolute-form, https ones through CONNECT and tls.connect; either way the proxy
// may be spoken to over TLS.
'use strict';
const [proxyText, caFile, ...urls] = process.argv.slice(2);
const crypto = require('crypto');
const http = require('http');
const https = require('https');
const tls = require('tls');

const proxy = new URL(proxyText);
const ca = require('fs').readFileSync(caFile);
const door = proxy.protocol === 'https:' ? https : http;
const doorAgent = new door.Agent({ keepAlive: true, maxSockets: 1, ca });
const doorOptions = { host: proxy.hostname, port: proxy.port, ca, agent: doorAgent };

function collect(request, send) {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve([response.statusCode, Buffer.concat(parts)]));
    });
    if (send) {
      request.write(send.subarray(0, 1000));
      request.end(send.subarray(1000));
    } else {
      request.end();
    }
  });
}

function openTunnel(url) {
  const name = `${url.hostname}:${url.port}`;
  return new Promise((resolve, reject) => {
    const request = door.request({ ...doorOptions, agent: false, method: 'CONNECT', path: name, headers: { host: name } });
    request.on('error', reject);
    request.on('connect', (response, socket) => {
      if (response.statusCode !== 200) reject(new Error(`CONNECT: ${response.statusCode}`));
      const secure = tls.connect({ socket, servername: url.hostname, ca }, () => resolve(secure));
      secure.on('error', reject);
    });
    request.end();
  });
}

async function main() {
  const first = new URL(urls[0]);
  let agent = doorAgent;
  if (first.protocol === 'https:') {
    const secure = await openTunnel(first);
    agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => secure;
  }
  let body = null;
  for (const text of urls) {
    const url = new URL(text);
    const method = url.pathname === '/sum' ? 'POST' : 'GET';
    const headers = { host: url.host };
    const request = first.protocol === 'https:'
      ? http.request({ agent, method, path: url.pathname, headers, host: url.hostname })
      : door.request({ ...doorOptions, method, path: text, headers });
    const [status, got] = await collect(request, method === 'POST' ? body : null);
    console.log(status, method === 'POST' ? got.toString() : crypto.createHash('sha256').update(got).digest('hex'));
    body = got;
  }
  agent.destroy();
  doorAgent.destroy();
}

main().catch((error) => { console.error(error); process.exit(1); });
