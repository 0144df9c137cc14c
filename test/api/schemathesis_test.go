package api

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// program gives schemathesis. Where nobody promised that it is there, the test is left out.
func program(t *testing.T) string {
	t.Helper()
	venv := os.Getenv("SCHEMATHESIS")
	if venv == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs schemathesis; SCHEMATHESIS names its venv")
		}
		t.Skip("this test needs schemathesis; make api makes a venv for it")
	}
	return filepath.Join(venv, "bin", "schemathesis")
}

// budget is how long schemathesis may try.
func budget() time.Duration {
	if os.Getenv("LONG") != "" {
		return 10 * time.Minute
	}
	return 40 * time.Second
}

// excluded are the operations that cannot be tried with the others.
func excluded() []string {
	return []string{
		"--exclude-path", "/v1/watch", // an event stream has no end
		"--exclude-path", "/v1/tokens/{id}", // it would make tokens, learn all ids, and end its own; it has a run of its own
	}
}

// config widens two checks by a status each. 422 is the answer to what JSON Schema cannot say: names without MQTT's
// characters, durations, ranges of a device's own, KubeEdge's manifests. 431 comes from the HTTP server, before anything
// looks at a parameter that is too long.
const config = `[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 429, "5xx"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429, 431, "5xx"]
`

// run runs schemathesis and gives what it says.
func run(t *testing.T, base, token, examples string, limit time.Duration, more ...string) (said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit+time.Minute)
	defer cancel()
	dir := t.TempDir()
	file := filepath.Join(dir, "schemathesis.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"--config-file", file, "run", base + "/openapi.json", "--checks", "all", "--max-examples", examples, "--seed", "1", "--no-color", "--request-timeout", "10",
		"--generation-database", "none", "--max-time", strconv.Itoa(int(limit.Seconds())),
	}, more...)
	if token != "" {
		args = append(args, "-H", "Authorization: Bearer "+token)
	}
	cmd := exec.CommandContext(ctx, program(t), args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// authFailed is the line with which schemathesis says that it came nowhere, and is content.
var authFailed = regexp.MustCompile(`(?i)authentication failed|missing authentication`)

// TestSchemathesis: nothing that it thinks of is answered otherwise than described.
func TestSchemathesis(t *testing.T) {
	program(t)
	base, token := serve(t)
	examples := "20"
	if os.Getenv("LONG") != "" {
		examples = "500"
	}
	said, err := run(t, base, token, examples, budget(), excluded()...)
	if err != nil || authFailed.MatchString(said) {
		t.Fatalf("%v\n%s", err, strings.ReplaceAll(said, token, "TOKEN"))
	}
	t.Log(tail(said, 25))
	base, token = serve(t)
	said, err = run(t, base, token, examples, 5*time.Second, "--include-path", "/v1/tokens/{id}")
	if err != nil || authFailed.MatchString(said) {
		t.Fatalf("end of a token: %v\n%s", err, strings.ReplaceAll(said, token, "TOKEN"))
	}
}

// TestSchemathesisWithoutToken: a stranger comes nowhere, and the warning on which the test above relies is there. With a
// wrong token not even the description is read.
func TestSchemathesisWithoutToken(t *testing.T) {
	program(t)
	base, _ := serve(t)
	quick := append(excluded(), "--phases", "examples,coverage")
	if said, err := run(t, base, "", "1", 5*time.Second, quick...); !authFailed.MatchString(said) {
		t.Errorf("nothing is said of the authentication: %v\n%s", err, said)
	}
	if said, err := run(t, base, "tb_"+strings.Repeat("A", 43), "1", 5*time.Second, quick...); err == nil || !strings.Contains(said, "401") {
		t.Errorf("with a wrong token: %v\n%s", err, said)
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
