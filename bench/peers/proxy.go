// A small forward proxy in Go, as a peer for the benchmark: requests and CONNECT, bodies and tunnels by splice
// where both ends are plain TCP (io.Copy between TCP connections does that). No rules, no names, no limits.
package main

import (
	"bufio"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

type upstream struct {
	conn   *net.TCPConn
	reader *bufio.Reader
}

// Idle connections to origins, by address.
var (
	poolLock sync.Mutex
	pool     = map[string][]*upstream{}
)

func take(address string) (*upstream, error) {
	poolLock.Lock()
	if idle := pool[address]; len(idle) > 0 {
		u := idle[len(idle)-1]
		pool[address] = idle[:len(idle)-1]
		poolLock.Unlock()
		return u, nil
	}
	poolLock.Unlock()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &upstream{conn.(*net.TCPConn), bufio.NewReaderSize(conn, 16384)}, nil
}

func give(address string, u *upstream) {
	poolLock.Lock()
	pool[address] = append(pool[address], u)
	poolLock.Unlock()
}

// Send what the reader holds, then the rest straight from the connection.
func copyBody(to io.Writer, reader *bufio.Reader, from net.Conn, length int64) error {
	held := int64(reader.Buffered())
	if held > length {
		held = length
	}
	if _, err := io.CopyN(to, reader, held); err != nil {
		return err
	}
	_, err := io.CopyN(to, from, length-held)
	return err
}

func forward(client net.Conn, reader *bufio.Reader, request *http.Request) error {
	address := request.URL.Host
	u, err := take(address)
	if err != nil {
		return err
	}
	length := request.ContentLength
	out := bufio.NewWriterSize(u.conn, 16384)
	fmt.Fprintf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", request.Method, request.URL.RequestURI(), request.Host)
	request.Header.Write(out)
	out.WriteString("\r\n")
	if err := out.Flush(); err != nil {
		return err
	}
	if length > 0 {
		if err := copyBody(u.conn, reader, client, length); err != nil {
			return err
		}
	}

	response, err := http.ReadResponse(u.reader, request)
	if err != nil {
		return err
	}
	back := bufio.NewWriterSize(client, 16384)
	fmt.Fprintf(back, "HTTP/1.1 %s\r\n", response.Status)
	response.Header.Write(back)
	back.WriteString("\r\n")
	held := int64(u.reader.Buffered())
	if held > response.ContentLength {
		held = response.ContentLength
	}
	if _, err := io.CopyN(back, u.reader, held); err != nil {
		return err
	}
	if err := back.Flush(); err != nil {
		return err
	}
	if _, err := io.CopyN(client, u.conn, response.ContentLength-held); err != nil {
		return err
	}
	give(address, u)
	return nil
}

func tunnel(client net.Conn, reader *bufio.Reader, address string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	if held := reader.Buffered(); held > 0 {
		io.CopyN(conn, reader, int64(held))
	}
	done := make(chan struct{})
	go func() {
		io.Copy(conn, client)
		conn.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	io.Copy(client, conn)
	if plain, ok := client.(*net.TCPConn); ok {
		plain.CloseWrite()
	}
	<-done
}

func serve(client net.Conn) {
	defer client.Close()
	reader := bufio.NewReaderSize(client, 16384)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if request.Method == "CONNECT" {
			tunnel(client, reader, request.Host)
			return
		}
		if forward(client, reader, request) != nil {
			return
		}
	}
}

func main() {
	address := flag.String("listen", "127.0.0.1:0", "where clients connect")
	cert := flag.String("tls", "", "PEM file with certificate and key")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err == nil && *cert != "" {
		var pair tls.Certificate
		pair, err = tls.LoadX509KeyPair(*cert, *cert)
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	if err != nil {
		panic(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			continue
		}
		go serve(client)
	}
}
