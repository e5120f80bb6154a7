// The client rocketmq-client-go under the load of `maxq-bench peers`: same options, same line of JSON at the end.
//
// Its settings: the client's defaults, no compression, logging off.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

var (
	nameServer = flag.String("name-server", "", "host:port")
	way        = flag.String("way", "awaited", "awaited, async, oneway or batch")
	inflight   = flag.Int("inflight", 1, "messages in flight")
	batch      = flag.Int("batch", 64, "messages in a batch")
	body       = flag.Int("body", 1024, "bytes in a body")
	every      = flag.Int("timed-every", 64, "of how many sends of one sender one is timed")
	warm       = flag.Float64("warm", 1, "seconds before measuring")
	secs       = flag.Float64("secs", 3, "seconds that are measured")
)

var messages, failures atomic.Int64
var stopped, measuring atomic.Bool

var guard sync.Mutex
var latencies []time.Duration

func main() {
	flag.Parse()
	rlog.SetLogLevel("fatal")
	p, err := rocketmq.NewProducer(
		producer.WithGroupName("bench_group"),
		producer.WithNsResolver(primitive.NewPassthroughResolver([]string{*nameServer})),
		producer.WithCompressMsgBodyOverHowmuch(1<<30),
	)
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	senders := *inflight
	if *way == "async" {
		senders = 1
	}
	room := make(chan struct{}, *inflight)
	for at := 0; at < senders; at++ {
		go send(p, room)
	}
	time.Sleep(seconds(*warm))
	before, failed, cpu, began := messages.Load(), failures.Load(), processTime(), time.Now()
	measuring.Store(true)
	time.Sleep(seconds(*secs))
	measuring.Store(false)
	took := time.Since(began).Seconds()
	spent := (processTime() - cpu).Seconds()
	sent, failed := messages.Load()-before, failures.Load()-failed
	stopped.Store(true)
	guard.Lock()
	sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"messages": sent, "seconds": took, "cpu_seconds": spent, "errors": failed,
		"p50_us": at(0.5), "p99_us": at(0.99), "max_us": at(1),
	})
	// Leaving is not measured.
	os.Exit(0)
}

func send(p rocketmq.Producer, room chan struct{}) {
	content := bytes.Repeat([]byte("x"), *body)
	for nth := 0; !stopped.Load(); nth++ {
		var started time.Time
		if nth%*every == 0 {
			started = time.Now()
		}
		switch *way {
		case "awaited":
			_, err := p.SendSync(context.Background(), primitive.NewMessage("BenchTopic", content))
			ended(1, started, err)
		case "oneway":
			ended(1, started, p.SendOneWay(context.Background(), primitive.NewMessage("BenchTopic", content)))
		case "batch":
			several := make([]*primitive.Message, *batch)
			for at := range several {
				several[at] = primitive.NewMessage("BenchTopic", content)
			}
			_, err := p.SendSync(context.Background(), several...)
			ended(*batch, started, err)
		default:
			room <- struct{}{}
			err := p.SendAsync(context.Background(), func(_ context.Context, _ *primitive.SendResult, err error) {
				ended(1, started, err)
				<-room
			}, primitive.NewMessage("BenchTopic", content))
			if err != nil {
				ended(1, started, err)
				<-room
			}
		}
	}
}

func ended(count int, started time.Time, err error) {
	if err != nil {
		failures.Add(1)
		return
	}
	messages.Add(int64(count))
	if !started.IsZero() && measuring.Load() {
		took := time.Since(started)
		guard.Lock()
		latencies = append(latencies, took)
		guard.Unlock()
	}
}

func at(quantile float64) float64 {
	if len(latencies) == 0 {
		return 0
	}
	return float64(latencies[int(float64(len(latencies)-1)*quantile)].Nanoseconds()) / 1000
}

func seconds(number float64) time.Duration {
	return time.Duration(number * float64(time.Second))
}

// User and system time of the whole process.
func processTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
