// Other programs from Go; see momo.lua.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

func run(n int) {
	for i := 0; i < n; i++ {
		if err := exec.Command("/bin/true").Run(); err != nil {
			panic(err)
		}
	}
}

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	atOnce, _ := strconv.Atoi(os.Args[2])
	run(10)
	begin := time.Now()
	var all sync.WaitGroup
	for i := 0; i < atOnce; i++ {
		all.Add(1)
		go func() {
			run(count / atOnce)
			all.Done()
		}()
	}
	all.Wait()
	fmt.Println(float64(time.Since(begin).Nanoseconds()) / float64(count))
}
