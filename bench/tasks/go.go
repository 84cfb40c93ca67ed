// Goroutines on one processor; see momo.lua.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	warmUp  = 10000
	sizeMax = 100000
)

func cpuNs() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func residentBytes() float64 {
	var size, pages float64
	text, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(text), &size, &pages)
	return pages * 4096
}

func group(size int) {
	var children sync.WaitGroup
	children.Add(size)
	for k := 0; k < size; k++ {
		go children.Done()
	}
	children.Wait()
}

func sleep(ctx context.Context, ended chan<- bool) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	ended <- true
}

var workloads = map[string]func(size int) func(count int){
	"spawn": func(size int) func(int) {
		return func(count int) {
			for i := 0; i < count; i += size {
				group(size)
			}
		}
	},

	"scope": func(size int) func(int) {
		return func(count int) {
			for i := 0; i < count; i += size {
				group(size)
			}
		}
	},

	"join": func(size int) func(int) {
		return func(count int) {
			for i := 0; i < count; i++ {
				ended := make(chan bool)
				go func() { ended <- true }()
				<-ended
			}
		}
	},

	"result": func(size int) func(int) {
		return func(count int) {
			for i := 0; i < count; i++ {
				result := make(chan int)
				go func() { result <- 7 }()
				<-result
			}
		}
	},

	"yield": func(size int) func(int) {
		for i := 1; i < size; i++ {
			go func() {
				for {
					runtime.Gosched()
				}
			}()
		}
		return func(count int) {
			for i := 0; i < count; i += size {
				runtime.Gosched()
			}
		}
	},

	// Its channels have a capacity always.
	"channel": func(size int) func(int) {
		if size == 0 {
			return nil
		}
		return func(count int) {
			values := make(chan int, size)
			go func() {
				for i := 0; i < count; i++ {
					values <- i
				}
				close(values)
			}()
			for range values {
			}
		}
	},

	"ping_pong": func(size int) func(int) {
		return func(count int) {
			to, back := make(chan int), make(chan int)
			go func() {
				for i := 0; i < count; i++ {
					back <- <-to
				}
			}()
			for i := 0; i < count; i++ {
				to <- i
				<-back
			}
		}
	},

	"timeout": func(size int) func(int) {
		return func(count int) {
			for i := 0; i < count; i++ {
				_, cancel := context.WithTimeout(context.Background(), time.Hour)
				cancel()
			}
		}
	},
}

func measure(body func(int), count int) float64 {
	body(warmUp)
	begin := cpuNs()
	body(count)
	return (cpuNs() - begin) / float64(count)
}

func cancel(count int) {
	ended := make(chan bool)
	for i := 0; i < count; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		go sleep(ctx, ended)
		runtime.Gosched()
		cancel()
		<-ended
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	size, _ := strconv.Atoi(os.Args[2])
	count, _ := strconv.Atoi(os.Args[3])
	if os.Args[1] == "asleep" {
		if size > sizeMax {
			return
		}
		before, begin := residentBytes(), cpuNs()
		for i := 0; i < size; i++ {
			go time.Sleep(time.Hour)
		}
		runtime.Gosched()
		cpu := cpuNs() - begin
		bytes := residentBytes() - before
		fmt.Println(cpu/float64(size), bytes/float64(size), measure(cancel, count))
	} else if prepare := workloads[os.Args[1]]; prepare != nil {
		if body := prepare(size); body != nil {
			fmt.Println(measure(body, count))
		}
	}
}
