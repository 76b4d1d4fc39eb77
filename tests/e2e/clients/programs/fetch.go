// fetch PROXY CA URL... through net/http with a proxy (in clear or over TLS); one line a URL: status and SHA-256.
// /sum gets a chunked POST.
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func main() {
	proxy, err := url.Parse(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	pem, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool}}
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	var body []byte
	for _, target := range os.Args[3:] {
		var answer *http.Response
		isPost := strings.HasSuffix(target, "/sum")
		if isPost {
			// A reader of unknown length makes the body chunked.
			answer, err = client.Post(target, "application/octet-stream", io.MultiReader(bytes.NewReader(body)))
		} else {
			answer, err = client.Get(target)
		}
		if err != nil {
			log.Fatal(err)
		}
		if body, err = io.ReadAll(answer.Body); err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		if isPost {
			fmt.Println(answer.StatusCode, string(body))
		} else {
			fmt.Printf("%d %x\n", answer.StatusCode, sha256.Sum256(body))
		}
	}
	transport.CloseIdleConnections()
}
