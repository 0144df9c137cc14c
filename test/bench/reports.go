package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	reportRounds = 5000
	manyDevices  = 50
	manyTime     = 10 * time.Second
)

// reports measures how reports are answered: of one device, and of fifty that each wait for every answer.
func (b *bench) reports(ctx context.Context) (err error) {
	data, err := b.folderFor(mapperElsewhere, house("other", manyDevices))
	if err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()

	took, err := reportRoundsOf(ctx, e.broker, lamp(0), reportRounds)
	if err != nil {
		return err
	}
	b.table.add("MQTT report -> update/result, QoS 0, one device, p50 / p99", "4.8-7.5 / 37-42 ms; 2.5 ms p50 without a cloud",
		within(millis(took.p(50)), "ms", 0.5), plain(millis(took.p(99)), "ms"))

	before, err := cpu(e.pid())
	if err != nil {
		return err
	}
	start := time.Now()
	took, err = manyLoops(ctx, e.broker, manyDevices, func(i int) (string, string) {
		return deviceTopic(lamp(i), "twin/update"), deviceTopic(lamp(i), "twin/update/result")
	})
	if err != nil {
		return err
	}
	whole := time.Since(start)
	after, err := cpu(e.pid())
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("%d devices for %v, each waiting for its answer", manyDevices, manyTime), "30/s with a cloud, 626/s without",
		atLeast(float64(len(took))/manyTime.Seconds(), "/s", 5000))
	b.table.add("time of their answers, p50 / p99", "82 / 122 ms without a cloud",
		plain(millis(took.p(50)), "ms"), plain(millis(took.p(99)), "ms"))
	b.table.add("processor time of the edge for one of them", "", plain(float64((after-before).Microseconds())/float64(max(len(took), 1)), "µs"))
	b.table.add("share of all cores that the edge had (the rest is what asks it)", "",
		plain(100*(after-before).Seconds()/whole.Seconds()/float64(cores()), "%"))
	return nil
}

func reportRoundsOf(ctx context.Context, broker, name string, rounds int) (times, error) {
	c, err := dial(broker, deviceTopic(name, "twin/update/result"))
	if err != nil {
		return nil, err
	}
	defer c.Disconnect(0)
	return c.loop(ctx, deviceTopic(name, "twin/update"), func(i int) ([]byte, bool) { return counted(i), i < rounds })
}

// manyLoops runs a number of clients for manyTime, each with a topic to publish on and one to wait for.
func manyLoops(ctx context.Context, broker string, n int, topics func(i int) (publish, await string)) (times, error) {
	list := make([]*client, n)
	for i := range list {
		_, await := topics(i)
		c, err := dial(broker, await)
		if err != nil {
			return nil, err
		}
		defer c.Disconnect(0)
		list[i] = c
	}
	end := time.Now().Add(manyTime)
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		all times
		bad error
	)
	for i, c := range list {
		wg.Go(func() {
			publish, _ := topics(i)
			took, err := c.loop(ctx, publish, func(k int) ([]byte, bool) { return counted(k), time.Now().Before(end) })
			mu.Lock()
			defer mu.Unlock()
			all, bad = append(all, took...), errors.Join(bad, err)
		})
	}
	wg.Wait()
	return all, bad
}

// floor measures a plain message from a client to itself, over our broker and over Mosquitto: what of the time of a
// report is the broker and the way, not the twin.
func (b *bench) floor(ctx context.Context) (err error) {
	data, err := b.folderFor(mapperElsewhere, house("other", 1))
	if err != nil {
		return err
	}
	e, err := b.edge(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	ours, err := echoRounds(ctx, e.broker)
	if err != nil {
		return err
	}
	b.table.add("a plain message to oneself over the broker of twinbridge, p50 / p99", "",
		plain(millis(ours.p(50)), "ms"), plain(millis(ours.p(99)), "ms"))
	const name = "the same over Mosquitto"
	program, err := findMosquitto()
	if err != nil {
		b.table.note(name, "no mosquitto here")
		return nil
	}
	m, address, err := b.mosquitto(program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.kill()) }()
	if err := until(ctx, readyTime, 10*time.Millisecond, func() (bool, error) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	}); err != nil {
		text, _ := m.out.now()
		return fmt.Errorf("mosquitto: %w\n%s", err, text)
	}
	theirs, err := echoRounds(ctx, address)
	if err != nil {
		return err
	}
	b.table.add(name+", p50 / p99", "", plain(millis(theirs.p(50)), "ms"), plain(millis(theirs.p(99)), "ms"))
	report, err := reportRoundsOf(ctx, e.broker, lamp(0), reportRounds)
	if err != nil {
		return err
	}
	b.table.add("report -> result as a multiple of Mosquitto's plain message, p50s of this minute", "",
		plain(float64(report.p(50))/float64(max(theirs.p(50), 1)), "x"))
	many, err := manyLoops(ctx, address, manyDevices, func(i int) (string, string) {
		t := "bench/" + strconv.Itoa(i)
		return t, t
	})
	if err != nil {
		return err
	}
	b.table.add(fmt.Sprintf("%d clients over Mosquitto, each waiting for its plain message", manyDevices), "",
		plain(float64(len(many))/manyTime.Seconds(), "/s"))
	return nil
}

func echoRounds(ctx context.Context, broker string) (times, error) {
	const topic = "bench/echo"
	c, err := dial(broker, topic)
	if err != nil {
		return nil, err
	}
	defer c.Disconnect(0)
	return c.loop(ctx, topic, func(i int) ([]byte, bool) { return counted(i), i < reportRounds })
}

// findMosquitto looks where Debian puts servers too, which is not in everybody's PATH. It is not installed if it is
// missing: Debian would start it, on the port that twinbridge uses.
func findMosquitto() (string, error) {
	if p, err := exec.LookPath("mosquitto"); err == nil {
		return p, nil
	}
	return exec.LookPath("/usr/sbin/mosquitto")
}

// mosquitto starts a broker on a port that was free a moment ago; it cannot be told to find one.
func (b *bench) mosquitto(program string) (*process, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", err
	}
	file := filepath.Join(b.dir, "mosquitto.conf")
	// Without set_tcp_nodelay each message waits 40 ms for the acknowledgement of the one before.
	text := "listener " + port + " 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	p, err := launch(program, "-c", file)
	return p, address, err
}
