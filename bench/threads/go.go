// Messages between two goroutines on two processors; see momo.lua. Left alone, Go hands a ball to and fro on one thread:
// for round_trip each of the two has a thread of its own, on a CPU of its own.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const warmUp, tripsWarmUp, startsWarmUp = 10000, 1000, 10

func ownCPU(cpu uint) {
	runtime.LockOSThread()
	set := [16]uint64{1 << cpu}
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
}

// The other thread: answers each message, or the last of so many.
func answer[T any](values <-chan T, back chan<- T, each, pinned bool, totals ...int) {
	if pinned {
		ownCPU(1)
	}
	for _, total := range totals {
		for i := 1; i <= total; i++ {
			value := <-values
			if each || i == total {
				back <- value
			}
		}
	}
}

func measure[T any](size, count int, each, pinned bool, value func(int) T) {
	to, back := make(chan T, size), make(chan T, size)
	warm := warmUp
	if each {
		warm = tripsWarmUp
	}
	go answer(to, back, each, pinned, warm, count)
	if pinned {
		ownCPU(0)
	}
	run := func(total int) {
		for i := 0; i < total; i++ {
			to <- value(i)
			if each {
				<-back
			}
		}
		if !each {
			<-back
		}
	}
	run(warm)
	begin := time.Now()
	run(count)
	fmt.Println(float64(time.Since(begin).Nanoseconds()) / float64(count))
}

// A goroutine that gets a thread of its own.
func start(count int) {
	var sum time.Duration
	for i := 0; i < startsWarmUp+count; i++ {
		running := make(chan time.Time)
		begin := time.Now()
		go func() {
			runtime.LockOSThread() // ends with the goroutine
			running <- time.Now()
		}()
		if took := (<-running).Sub(begin); i >= startsWarmUp {
			sum += took
		}
	}
	fmt.Println(float64(sum.Nanoseconds()) / float64(count))
}

func main() {
	runtime.GOMAXPROCS(2)
	size, _ := strconv.Atoi(os.Args[2])
	count, _ := strconv.Atoi(os.Args[3])
	number := func(i int) int { return i }
	switch os.Args[1] {
	case "numbers":
		measure(size, count, false, false, number)
	case "strings":
		measure(size, count, false, false, func(i int) string { return fmt.Sprintf("%064d", i) })
	case "round_trip":
		measure(size, count, true, true, number)
	case "anywhere":
		measure(size, count, true, false, number)
	case "start":
		start(count)
	}
}
