// handshake PROXY CA CERTIFICATE KEY PORT:VERSION:COUNT:BEARS... makes TLS connections through tunnels to localhost, and
// a request in each; one line a connection: "ok", or what went wrong. BEARS: with the certificate, or "-".
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// upTo reads to the end of a head, of which it tells the status.
func upTo(reader *bufio.Reader) (status string, err error) {
	for line := "-"; line != "\r\n" && err == nil; {
		line, err = reader.ReadString('\n')
		if status == "" && len(line) > 12 {
			status = line[9:12]
		}
	}
	return status, err
}

func play(proxy, port string, config *tls.Config) error {
	conn, err := net.Dial("tcp", proxy)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "CONNECT localhost:%s HTTP/1.1\r\nHost: localhost:%s\r\n\r\n", port, port)
	if status, err := upTo(bufio.NewReader(conn)); status != "200" {
		return fmt.Errorf("CONNECT: %s %v", status, err)
	}
	inner := tls.Client(conn, config)
	if _, err := inner.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		return err
	}
	reader := bufio.NewReader(inner)
	if status, err := upTo(reader); status != "200" {
		return fmt.Errorf("GET: %s %v", status, err)
	}
	_, err = io.Copy(io.Discard, reader)
	return err
}

func main() {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must(os.ReadFile(os.Args[2])))
	pair := must(tls.LoadX509KeyPair(os.Args[3], os.Args[4]))
	for _, spec := range os.Args[5:] {
		words := strings.Split(spec, ":")
		config := &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(8)}
		config.MinVersion = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[words[1]]
		config.MaxVersion = config.MinVersion
		if words[3] != "-" {
			config.Certificates = []tls.Certificate{pair}
		}
		for left := int(words[2][0] - '0'); left > 0; left-- {
			if err := play(os.Args[1], words[0], config); err != nil {
				fmt.Println(err)
			} else {
				fmt.Println("ok")
			}
		}
	}
}
