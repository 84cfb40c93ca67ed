// Messages of 16 bytes through a NATS server: how many a second, and the microseconds of CPU time that one took this process.
//
// Usage: go publish|receive URL COUNT    receive: it publishes them, too, by a client of their own

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func cpuUs() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64((usage.Utime.Sec+usage.Stime.Sec)*1000000 + usage.Utime.Usec + usage.Stime.Usec)
}

func connect() *nats.Conn {
	client, err := nats.Connect(os.Args[2])
	must(err)
	return client
}

func publish(client *nats.Conn, n int) {
	data := bytes.Repeat([]byte("x"), 16)
	for i := 0; i < n; i++ {
		must(client.Publish("bench", data))
	}
	must(client.Flush())
}

func receive(client *nats.Conn, n int) {
	done, got := make(chan bool), 0
	subscription, err := client.Subscribe("bench", func(*nats.Msg) {
		got++
		if got == n {
			done <- true
		}
	})
	must(err)
	must(subscription.SetPendingLimits(-1, -1))
	must(client.Flush())
	publisher := connect()
	go func() {
		publish(publisher, n)
		done <- true
	}()
	<-done
	<-done
	must(subscription.Unsubscribe())
	publisher.Close()
}

func main() {
	count, err := strconv.Atoi(os.Args[3])
	must(err)
	client := connect()
	work := publish
	if os.Args[1] == "receive" {
		work = receive
	}
	work(client, count/10)
	cpu, began := cpuUs(), time.Now()
	work(client, count)
	fmt.Printf("%.0f %.4f\n", float64(count)/time.Since(began).Seconds(), (cpuUs()-cpu)/float64(count))
}
