// A peer of TLS: `server CERT KEY` sends back what it reads and prints its port; `client CA PORT...` asks for that.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
)

const size = 100000

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func serve(cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	must(err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	must(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		stream, err := listener.Accept()
		must(err)
		go func() {
			io.Copy(stream, stream)
			stream.Close()
		}()
	}
}

func ask(config *tls.Config, port string) {
	message := make([]byte, size)
	for i := range message {
		message[i] = byte(i % 251)
	}
	stream, err := tls.Dial("tcp", "localhost:"+port, config)
	must(err)
	go stream.Write(message)
	answer := make([]byte, size)
	_, err = io.ReadFull(stream, answer)
	must(err)
	if !bytes.Equal(answer, message) {
		must(fmt.Errorf("it came back as something else"))
	}
	versions := map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}
	fmt.Println(versions[stream.ConnectionState().Version])
	stream.Close()
}

func main() {
	if os.Args[1] == "server" {
		serve(os.Args[2], os.Args[3])
	}
	pem, err := os.ReadFile(os.Args[2])
	must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: pool, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	for _, port := range os.Args[3:] {
		ask(config, port)
	}
}
