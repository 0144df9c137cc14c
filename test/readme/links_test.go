package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// slug gives the anchor that a heading has on GitHub.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(heading)) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// anchors gives the anchors of a page.
func anchors(p *page) []string {
	var out []string
	for _, l := range p.lines {
		if l.fence == "" && strings.HasPrefix(l.text, "#") {
			out = append(out, slug(strings.TrimLeft(l.text, "#")))
		}
	}
	return out
}

// checkLinks reports links of a page to files and anchors that are not there. Links to other sites are not followed.
func checkLinks(p *page, all []page) (problems []string) {
	text := make([]string, 0, len(p.lines))
	for _, l := range p.lines {
		if l.fence == "" {
			text = append(text, l.text)
		}
	}
	for _, m := range link.FindAllStringSubmatch(strings.Join(text, "\n"), -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		name := p.name
		if file != "" {
			name = filepath.Join(filepath.Dir(p.name), filepath.FromSlash(file))
		}
		if _, err := os.Stat(filepath.Join(root, name)); err != nil && name != p.name {
			problems = append(problems, fmt.Sprintf("%s: link to %s: there is no such file", p.name, m[1]))
			continue
		}
		if anchor == "" {
			continue
		}
		to := slices.IndexFunc(all, func(q page) bool { return q.name == name })
		if to < 0 || !slices.Contains(anchors(&all[to]), anchor) {
			problems = append(problems, fmt.Sprintf("%s: link to %s: there is no such heading", p.name, m[1]))
		}
	}
	return problems
}

func TestLinks(t *testing.T) {
	all := pages(t)
	for i := range all {
		report(t, checkLinks(&all[i], all))
	}
	planted := parse("planted.md", "# Here\n[a](#here) [b](#there) [c](docs/nothing.md) [d](docs/twin.md#no-such-rule)\n")
	if got := checkLinks(&planted, append(all, planted)); len(got) != 3 {
		t.Errorf("planted 3 dead links, found %q", got)
	}
}
