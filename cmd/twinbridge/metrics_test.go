package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"twinbridge/internal/deviceapi"
)

// TestMetrics reads the numbers of a running edge on both ways.
func TestMetrics(t *testing.T) {
	data := folder(t, "metrics:\n  listen: 127.0.0.1:0\n")
	h := startEdge(t, data, "--demo")
	h.want(0, "applied", "device", "set", "lamp", "powerstatus=ON", "--wait", "5s")
	address := h.expect(`metrics (http://\S+/metrics)`)[1]
	read := func(transport *http.Transport, url string) string {
		t.Helper()
		transport.DisableKeepAlives = true
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d, %v", url, res.StatusCode, err)
		}
		return string(text)
	}
	for _, text := range []string{
		read(&http.Transport{}, address),
		read(deviceapi.SocketTransport(filepath.Join(data, "edge.sock")), "http://edge/metrics"),
	} {
		for _, want := range []string{
			`twinbridge_devices{presence="online"} 1`, `twinbridge_wishes_total{outcome="applied"} 1`, "twinbridge_disk_failing 0",
			"twinbridge_mqtt_clients 1", `twinbridge_mqtt_messages_total{kind="report"} `, "twinbridge_store_commits_total ", fmt.Sprintf(`twinbridge_build_info{version=%q} 1`, version),
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in:\n%s", want, text)
			}
		}
	}
}
