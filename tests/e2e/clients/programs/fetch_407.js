// node fetch_407.js PROXY USER:PASSWORD URL...: on one kept connection ask without credentials, and answer the 407;
// one line a URL: both statuses and how many connections were made.
'use strict';
const [proxyText, credentials, ...urls] = process.argv.slice(2);
const http = require('http');

const proxy = new URL(proxyText);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const sockets = new Set();

function ask(url, headers) {
  return new Promise((resolve, reject) => {
    const options = { host: proxy.hostname, port: proxy.port, agent, path: url, headers: { host: new URL(url).host, ...headers } };
    const request = http.request(options, (response) => {
      sockets.add(response.socket);
      response.resume();
      response.on('end', () => resolve(response));
    });
    request.on('error', reject);
    request.end();
  });
}

(async () => {
  for (const url of urls) {
    const refused = await ask(url, {});
    if (!/^Basic realm="fairlead"/.test(refused.headers['proxy-authenticate'])) throw new Error('no challenge');
    const basic = 'Basic ' + Buffer.from(credentials).toString('base64');
    const answer = await ask(url, { 'proxy-authorization': basic });
    console.log(refused.statusCode, answer.statusCode, sockets.size);
  }
  agent.destroy();
})();
