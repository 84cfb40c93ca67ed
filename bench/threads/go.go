// Messages between two goroutines on two processors; see momo.lua. Left alone, Go hands a ball to and fro on one thread:
// for the round trip each of the two has a thread of its own.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

const warmUp = 10000

// The other thread: answers each message, or the last of so many.
func answer[T any](values <-chan T, back chan<- T, each bool, totals ...int) {
	if each {
		runtime.LockOSThread()
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

func measure[T any](size, count int, each bool, value func(int) T) {
	if each {
		runtime.LockOSThread()
	}
	to, back := make(chan T, size), make(chan T, size)
	go answer(to, back, each, warmUp, count)
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
	run(warmUp)
	begin := time.Now()
	run(count)
	fmt.Println(float64(time.Since(begin).Nanoseconds()) / float64(count))
}

func main() {
	runtime.GOMAXPROCS(2)
	size, _ := strconv.Atoi(os.Args[2])
	count, _ := strconv.Atoi(os.Args[3])
	number := func(i int) int { return i }
	switch os.Args[1] {
	case "numbers":
		measure(size, count, false, number)
	case "strings":
		measure(size, count, false, func(i int) string { return fmt.Sprintf("%064d", i) })
	case "round_trip":
		measure(size, count, true, number)
	}
}
