// Files in Go; see momo.lua.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

var folder, port = os.Args[3], os.Args[4]

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func open() *os.File {
	file, err := os.Open(folder + "/big")
	must(err)
	return file
}

func read(count int) {
	file := open()
	for i := 0; i < count; i++ {
		buffer := make([]byte, 65536) // as a string of Lua's, each piece is the program's own
		if _, err := file.Read(buffer); err == io.EOF {
			file.Close()
			file = open()
		}
	}
	file.Close()
}

var sink net.Conn

func send(count int) {
	if sink == nil {
		var err error
		sink, err = net.Dial("tcp", "127.0.0.1:"+port)
		must(err)
	}
	file := open()
	_, err := io.CopyN(sink, file, int64(count)<<20)
	must(err)
	file.Close()
}

var next = 0

func small(count int) {
	for i := 0; i < count; i++ {
		path := folder + "/small/" + strconv.Itoa(next%10000)
		next++
		_, err := os.Stat(path)
		must(err)
		_, err = os.ReadFile(path)
		must(err)
	}
}

func main() {
	run := map[string]func(int){"read": read, "copy": send, "small": small}[os.Args[1]]
	if run == nil {
		return
	}
	count, _ := strconv.Atoi(os.Args[2])
	run(count)
	begin := time.Now()
	run(count)
	fmt.Println(float64(time.Since(begin).Nanoseconds()) / float64(count))
}
