package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"twinbridge/internal/deviceapi"
)

// json prints what REST answers.
func (a *app) json(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table prints rows whose cells are parted by tabs.
func (a *app) table(rows []string) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, row)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(a.out, strings.TrimRight(line, " \n")) // empty cells at the end leave blanks
	}
	return nil
}

// properties gives the names of a device's properties in order.
func properties(d *deviceapi.Device) []string { return slices.Sorted(maps.Keys(d.Properties)) }

func expectedText(p *deviceapi.Property) string {
	if p.Expected == nil {
		return "-"
	}
	return p.Expected.Value.Text()
}

func actualText(p *deviceapi.Property) string {
	if p.Actual == nil {
		return "-"
	}
	return p.Actual.Value.Text()
}

// pendingText says what a property waits for.
func pendingText(p *deviceapi.Property) string {
	switch {
	case p.Wish == nil:
		return ""
	case p.Wish.Trouble != "":
		return "pending: " + p.Wish.Trouble
	case p.Wish.Restore:
		return "being restored"
	}
	return "pending"
}

// wishText says in a line what became of a wish.
func wishText(w *deviceapi.Wish) string {
	var values []string
	for _, name := range slices.Sorted(maps.Keys(w.Expected)) {
		values = append(values, name+"="+w.Expected[name].Text())
	}
	text := fmt.Sprintf("%s: %s %s", w.Device, strings.Join(values, " "), w.Outcome)
	if why := w.Trouble + w.Reason; why != "" { // a pending wish has the one, an ended one the other
		text += ": " + why
	}
	return text
}

// ago says how long something is past, roughly.
func ago(at *time.Time) string {
	if at == nil {
		return ""
	}
	d := max(time.Since(*at), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return at.Local().Format("2006-01-02 15:04")
}
