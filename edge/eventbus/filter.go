package eventbus

import "strings"

// withoutShare gives the filter that a shared subscription is about.
func withoutShare(filter string) string {
	rest, ok := strings.CutPrefix(filter, "$share/")
	if !ok {
		return filter
	}
	_, rest, _ = strings.Cut(rest, "/")
	return rest
}

func hasWildcard(filter string) bool { return strings.ContainsAny(filter, "+#") }

// matches reports whether a subscription filter takes a topic (MQTT 5.0, 4.7). A wildcard in front takes no topic that
// begins with '$' (4.7.2).
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	for {
		f, moreFilter, fs := strings.Cut(filter, "/")
		if f == "#" {
			return !fs // only at the end is it a wildcard
		}
		t, moreTopic, ts := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		switch {
		case !fs && !ts:
			return true
		case !ts:
			return moreFilter == "#" // "a/#" takes "a" too
		case !fs:
			return false
		}
		filter, topic = moreFilter, moreTopic
	}
}
