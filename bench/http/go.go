// An HTTP server in Go; see momo.lua.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	io.WriteString(w, body)
}

func main() {
	folder, mode := os.Args[1], os.Args[2]
	mux := http.NewServeMux()
	hello := func(w http.ResponseWriter, r *http.Request) { text(w, "Hello, world!\n") }
	mux.HandleFunc("/", hello)
	mux.HandleFunc("/header", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") != "" {
			hello(w, r)
		}
	})
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"message": "Hello, world!"})
	})
	for name, size := range map[string]int{"1k": 1024, "1m": 1024 * 1024} {
		body := strings.Repeat("x", size)
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) { text(w, body) })
	}
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		text(w, fmt.Sprintln(n))
	})
	mux.HandleFunc("/websocket", http.NotFound)
	mux.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir(folder))))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if mode == "tls" {
		panic(http.ServeTLS(listener, mux, folder+"/cert.pem", folder+"/key.pem"))
	}
	panic(http.Serve(listener, mux))
}
