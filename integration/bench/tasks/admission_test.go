package tasks_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// admissionClients is how many callers wait for an acknowledgement at once.
	admissionClients = 32
	admissionBatch   = 4_000 // tasks in one turn
)

// BenchmarkAdmissions is how many tasks a second are acknowledged, each on disk,
// over HTTP, and what share that is of the raw synced publishes of the same
// size that JetStream takes from as many callers at once in the same run.
func BenchmarkAdmissions(b *testing.B) {
	o := startOrchestrator(b, "ORCHD_ADMISSION_CAPACITY=100000")
	o.register(b, 0) // no slot: what is admitted waits
	raw := startJetStream(b)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: admissionClients}}
	defer client.CloseIdleConnections()
	admit := func(int) error { return o.admit(client, taskBody) }
	var rates, ratios []float64
	atOnce(b, 200, admit)
	for b.Loop() {
		base := atOnce(b, admissionBatch, raw)
		rate := atOnce(b, admissionBatch, admit)
		rates, ratios = append(rates, rate), append(ratios, rate/base)
	}
	b.ReportMetric(median(rates), "admissions/s")
	b.ReportMetric(median(ratios), "admissions/publish")
	b.ReportMetric(0, "ns/op")
}

// atOnce calls f so many times from all clients and gives the rate a second.
func atOnce(b *testing.B, times int, f func(i int) error) float64 {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range admissionClients {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= times; i = int(next.Add(1)) {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(times) / time.Since(begin).Seconds()
}

const taskBody = `{"model_ref":"demo","prompt":"Why is the sky blue? Answer in one sentence, please.","max_tokens":64}`

// recordBytes is what a task of taskBody is on disk, more or less.
const recordBytes = 640

func (o *orchestratord) admit(client *http.Client, task string) error {
	r, err := http.NewRequest(http.MethodPost, "http://"+o.address+"/v2/tasks", strings.NewReader(task))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+o.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("admitting: %d %s, %v", answer.StatusCode, text, err)
	}
	return nil
}

// startJetStream runs JetStream as the store does, each write synced, and gives
// what publishes one record.
func startJetStream(b *testing.B) func(i int) error {
	b.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: b.TempDir(), SyncAlways: true})
	if err != nil {
		b.Fatal(err)
	}
	srv.Start()
	b.Cleanup(srv.Shutdown)
	if !srv.ReadyForConnections(30 * time.Second) {
		b.Fatal("JetStream does not start")
	}
	conn, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "raw", Subjects: []string{"raw.*"}, Storage: jetstream.FileStorage}); err != nil {
		b.Fatal(err)
	}
	record := bytes.Repeat([]byte("x"), recordBytes)
	var n atomic.Int64
	return func(int) error {
		_, err := js.Publish(context.Background(), fmt.Sprintf("raw.%d", n.Add(1)), record)
		return err
	}
}
