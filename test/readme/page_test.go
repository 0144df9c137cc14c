package readme

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// page is a Markdown file.
type page struct {
	name  string // relative to the root
	lines []line
}

// line is a line of a page.
type line struct {
	n     int // from 1
	text  string
	fence string // language of the code block that it stands in; "text" if that names none, "" outside of one
}

// pages reads the pages that are checked.
func pages(t *testing.T) []page {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(names) < 3 {
		t.Fatalf("pages in docs: %v, %v", names, err)
	}
	var list []page
	for _, name := range append(names, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, parse(rel, string(text)))
	}
	return list
}

func readme(t *testing.T) page {
	t.Helper()
	list := pages(t)
	return list[len(list)-1]
}

func parse(name, text string) page {
	p := page{name: name}
	fence, n := "", 0
	for raw := range strings.Lines(text) {
		raw = strings.TrimRight(raw, "\n")
		n++
		if lang, ok := strings.CutPrefix(strings.TrimSpace(raw), "```"); ok {
			switch {
			case fence != "":
				fence = ""
			case lang == "":
				fence = "text"
			default:
				fence = lang
			}
			continue
		}
		p.lines = append(p.lines, line{n, raw, fence})
	}
	return p
}

// blocks gives the code blocks of a language.
func (p *page) blocks(lang string) []string {
	var out []string
	in := false
	for _, l := range p.lines {
		if l.fence != lang {
			in = false
			continue
		}
		if !in {
			out, in = append(out, ""), true
		}
		out[len(out)-1] += l.text + "\n"
	}
	return out
}

// section gives the lines below a heading of the second level.
func (p *page) section(heading string) []line {
	var out []line
	in := false
	for _, l := range p.lines {
		if l.fence == "" && strings.HasPrefix(l.text, "## ") {
			in = l.text == "## "+heading
			continue
		}
		if in {
			out = append(out, l)
		}
	}
	return out
}

var span = regexp.MustCompile("`([^`]+)`")

// spans gives the inline code of a line.
func spans(text string) []string {
	var out []string
	for _, m := range span.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// cells gives the cells of a table's row, nil if the line is none. The bars of inline code are no borders.
func cells(text string) []string {
	if !strings.HasPrefix(text, "|") {
		return nil
	}
	masked := span.ReplaceAllStringFunc(text, func(code string) string { return strings.ReplaceAll(code, "|", "\x00") })
	parts := strings.Split(strings.Trim(strings.TrimSpace(masked), "|"), "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(strings.ReplaceAll(parts[i], "\x00", "|"))
	}
	return parts
}

// report fails the test with what is wrong.
func report(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}
