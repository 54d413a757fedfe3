// Command ollamastub takes Ollama's place in a container: it listens at OLLAMA_HOST and
// answers a chat. With arguments it tries to connect to each address instead, and prints
// which of them accept.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

// dialLimit is how long an address has to accept: a network that drops packets never answers.
const dialLimit = 2 * time.Second

func main() {
	if len(os.Args) > 1 {
		probe(os.Args[1:])
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			http.Error(w, "a token came through the gateway", http.StatusTeapot)
			return
		}
		fmt.Fprintln(w, `{"model":"stub","message":{"role":"assistant","content":"hello from the stub"},"done":true}`)
	})
	mux.HandleFunc("GET /api/tags", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"models":[{"name":"stub"}]}`) })
	server := &http.Server{Addr: os.Getenv("OLLAMA_HOST"), Handler: mux, ReadHeaderTimeout: dialLimit, DisableGeneralOptionsHandler: true}
	log.Fatal(server.ListenAndServe())
}

func probe(addresses []string) {
	for _, address := range addresses {
		conn, err := net.DialTimeout("tcp", address, dialLimit)
		if err != nil {
			fmt.Println(address, "is closed:", err)
			continue
		}
		fmt.Println(address, "is open")
		_ = conn.Close()
	}
}
