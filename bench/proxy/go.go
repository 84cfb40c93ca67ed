// A TCP proxy in Go, whose io.Copy splices; see momo.lua.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func copy(to, from *net.TCPConn, done chan<- bool) {
	io.Copy(to, from)
	to.CloseWrite()
	done <- true
}

func serve(client *net.TCPConn, upstream string) {
	defer client.Close()
	connection, err := net.Dial("tcp", upstream)
	if err != nil {
		return
	}
	defer connection.Close()
	done := make(chan bool, 2)
	go copy(connection.(*net.TCPConn), client, done)
	go copy(client, connection.(*net.TCPConn), done)
	<-done
	<-done
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go serve(connection.(*net.TCPConn), "127.0.0.1:"+os.Args[1])
	}
}
