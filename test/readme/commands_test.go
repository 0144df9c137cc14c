package readme

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// command is a command of the program, as its --help tells.
type command struct {
	flags []string // with dashes
	subs  map[string]*command
}

var (
	helpFlag = regexp.MustCompile(`(?m)^ +(?:(-\w), )?(--[\w-]+)`)
	helpSub  = regexp.MustCompile(`(?m)^  ([\w-]+) +\S`)
)

// parseHelp reads a help text.
func parseHelp(text string) (flags, subs []string) {
	if _, list, ok := strings.Cut(text, "Available Commands:\n"); ok {
		list, _, _ = strings.Cut(list, "\n\n")
		for _, m := range helpSub.FindAllStringSubmatch(list, -1) {
			subs = append(subs, m[1])
		}
	}
	_, text, _ = strings.Cut(text, "Flags:\n")
	for _, m := range helpFlag.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			flags = append(flags, m[1])
		}
		flags = append(flags, m[2])
	}
	return flags, subs
}

// learn asks the program for its commands.
func learn(t *testing.T, program string, path ...string) *command {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, append(slices.Clone(path), "--help")...).Output()
	if err != nil {
		t.Fatalf("%q --help: %v", path, err)
	}
	c := &command{subs: map[string]*command{}}
	var subs []string
	c.flags, subs = parseHelp(string(out))
	if len(c.flags) == 0 {
		t.Fatalf("%q --help names no flag:\n%s", path, out)
	}
	for _, name := range subs {
		if name != "help" {
			c.subs[name] = learn(t, program, append(slices.Clone(path), name)...)
		}
	}
	return c
}

// knows reports whether any command has the flag.
func (c *command) knows(flag string) bool {
	if slices.Contains(c.flags, flag) {
		return true
	}
	for _, sub := range c.subs {
		if sub.knows(flag) {
			return true
		}
	}
	return false
}

// check reports words of a command line that the program does not have: a subcommand, or flags. More flags may come from
// beside it.
func (c *command) check(words []string, more []string) []string {
	at, path := c, "twinbridge"
	rest := words
	for len(at.subs) > 0 && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		next := at.subs[rest[0]]
		if next == nil {
			return []string{fmt.Sprintf("%s has no command %q", path, rest[0])}
		}
		at, path, rest = next, path+" "+rest[0], rest[1:]
	}
	var problems []string
	for _, word := range append(slices.Clone(rest), more...) {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "-") && flag != "-" && !slices.Contains(at.flags, flag) {
			problems = append(problems, fmt.Sprintf("%s has no flag %s", path, flag))
		}
	}
	return problems
}

// asCommand gives the words behind "twinbridge" of a line of shell, false if it is another command's.
func asCommand(text string) ([]string, bool) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "$ ")
	text, _, _ = strings.Cut(text, " #")
	words := strings.Fields(text)
	if len(words) == 0 || words[0] != "twinbridge" && !strings.HasSuffix(words[0], "/twinbridge") {
		return nil, false
	}
	for i, w := range words {
		if w == "|" || w == "&&" || w == ">" || w == "&" {
			words = words[:i]
			break
		}
	}
	return words[1:], true
}

// checkCommands checks the program's command lines on a page: in code blocks, and in inline code, where flags that stand
// in the same line are the command's too.
func checkCommands(p *page, c *command) (problems []string, seen int) {
	for _, l := range p.lines {
		var found []string
		if l.fence != "" {
			if words, ok := asCommand(l.text); ok {
				seen++
				found = c.check(words, nil)
			}
		} else {
			var flags []string
			var commands [][]string
			for _, code := range spans(l.text) {
				if words, ok := asCommand(code); ok {
					commands = append(commands, words)
				} else if strings.HasPrefix(code, "-") && len(code) > 1 && code[1] != ' ' {
					flags = append(flags, strings.Fields(code)[0])
				}
			}
			for _, words := range commands {
				seen++
				found = append(found, c.check(words, flags)...)
			}
			for _, f := range flags {
				if len(commands) == 0 && !c.knows(f) {
					found = append(found, "no command has the flag "+f)
				}
			}
		}
		for _, text := range found {
			problems = append(problems, fmt.Sprintf("%s:%d: %s: %s", p.name, l.n, strings.TrimSpace(l.text), text))
		}
	}
	return problems, seen
}

// missing gives the commands that a page does not name.
func (c *command) missing(p *page, path string) []string {
	var out []string
	for name, sub := range c.subs {
		full := path + " " + name
		if len(sub.subs) > 0 && name != "completion" {
			out = append(out, sub.missing(p, full)...)
		} else if !slices.ContainsFunc(p.lines, func(l line) bool { return strings.Contains(l.text, full) }) {
			out = append(out, p.name+" does not name "+full)
		}
	}
	return out
}

func TestCommands(t *testing.T) {
	program := filepath.Join(t.TempDir(), "twinbridge")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/twinbridge")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	c := learn(t, program)
	all := 0
	for _, p := range pages(t) {
		problems, seen := checkCommands(&p, c)
		report(t, problems)
		all += seen
	}
	if all < 20 {
		t.Errorf("%d command lines found; the pages have more", all)
	}
	r := readme(t)
	report(t, c.missing(&r, "twinbridge"))

	planted := parse("planted", "`twinbridge devise list`\n\n`twinbridge device list` and `--namespce`\n\n"+
		"```\n$ ./bin/twinbridge device set lamp a=b --wiat 5s --data x\n```\n\n`--dta`\n")
	problems, _ := checkCommands(&planted, c)
	for _, want := range []string{`"devise"`, "--namespce", "--wiat", "--dta"} {
		if !slices.ContainsFunc(problems, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("the planted %s is not found: %q", want, problems)
		}
	}
	if len(problems) != 4 {
		t.Errorf("planted 4 mistakes, found %q", problems)
	}
}
