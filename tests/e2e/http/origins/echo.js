// Node's parser: one line for each request that came whole, as JSON [method, target, body in hex].
const http = require("http");
const server = http.createServer({ requireHostHeader: false, insecureHTTPParser: false }, (request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    console.log(JSON.stringify([request.method, request.url, Buffer.concat(parts).toString("hex")]));
    response.end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
