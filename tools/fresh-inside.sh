#!/usr/bin/env bash
# What a newcomer does, inside the root that tools/fresh.sh made: `./dev run` and a request through it,
# then `./dev test`.
set -euo pipefail
cd fairlead

echo "== ./dev run"
./dev run --listen 127.0.0.1:0 --admin off --allow 127.0.0.0/8 >../run.out 2>../run.err &
pid=$!
for _ in $(seq 3000); do
    grep -q 'listening on' ../run.err && break
    kill -0 "$pid" 2>/dev/null || break
    read -rt 0.1 <> <(:) || true
done
cat ../run.err
proxy=$(grep -o 'http://127[^ ]*' ../run.err | head -n 1)
[ -n "$proxy" ] || { echo "it never said where it listens" && exit 1; }

python3 - "$proxy" <<'END'
import http.server, sys, threading, urllib.request
origin = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=origin.serve_forever, daemon=True).start()
through = urllib.request.build_opener(urllib.request.ProxyHandler({"http": sys.argv[1]}))
with through.open(f"http://127.0.0.1:{origin.server_port}/README.md", timeout=10) as answer:
    print("a request through it:", answer.status, len(answer.read()), "bytes, Via:", answer.headers["Via"])
END
kill -TERM "$pid"
wait "$pid" || { echo "it ended with code $?" && exit 1; }
cat ../run.out

echo "== ./dev test"
./dev test
