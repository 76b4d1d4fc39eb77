// Go's parser: one line for each request that came whole, as JSON [method, target, body in hex].
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	var lock sync.Mutex
	_ = http.Serve(listener, http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		line, _ := json.Marshal([]string{request.Method, request.RequestURI, hex.EncodeToString(body)})
		lock.Lock()
		defer lock.Unlock()
		_, _ = os.Stdout.Write(append(line, '\n'))
	}))
}
