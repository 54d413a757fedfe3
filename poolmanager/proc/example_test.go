package proc_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/llorch/gateway/poolmanager/proc"
)

// A process is ended with all that it has started: TERM to its group, then KILL.
func Example() {
	var out strings.Builder
	p, err := proc.Start(proc.Spec{
		Command: []string{"/bin/sh", "-c", "echo started; sleep 60 & wait"},
		Env:     []string{"PATH=" + os.Getenv("PATH")},
		Output:  &out, Marker: "example/1",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("alive:", p.Identity().Alive())
	p.Terminate(10 * time.Second)
	fmt.Println("alive:", p.Identity().Alive())
	// Output:
	// alive: true
	// alive: false
}
