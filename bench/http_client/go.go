// An HTTP client in Go; see momo.lua.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
)

func cpu() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func run(client *http.Client, url string, connections, total int) {
	var all sync.WaitGroup
	for i := 0; i < connections; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := 0; j < total/connections; j++ {
				answer, err := client.Get(url)
				if err != nil {
					panic(err)
				}
				body, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil || string(body) != "Hello, world!\n" {
					panic("another body")
				}
			}
		}()
	}
	all.Wait()
}

func main() {
	connections, _ := strconv.Atoi(os.Args[1])
	count, _ := strconv.Atoi(os.Args[2])
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	url := "http://127.0.0.1:" + os.Args[3] + "/"
	run(client, url, connections, count/5)
	began := cpu()
	run(client, url, connections, count)
	fmt.Println((cpu() - began) / int64(count))
}
