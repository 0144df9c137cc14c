package mapper

import (
	"maps"
	"time"

	"twinbridge/twin"
)

// say tells the state of the device.
func (w *worker) say(word string) {
	w.word = word
	w.out.state(w.spec.Name, word)
}

// tellAll tells the state, if there is a word for it, and then every value, whether the node could know it or not.
func (w *worker) tellAll(word string) {
	clear(w.told)
	w.repeatAt = time.Now().Add(w.repeat)
	if word != "" {
		w.say(word)
	}
	w.tellChanged(nil)
}

// tellChanged reports what differs from what was last told. What a hand did is left to takeActs, which marks it.
func (w *worker) tellChanged(with map[string]twin.PropReport) {
	props := maps.Clone(with)
	if props == nil {
		props = map[string]twin.PropReport{}
	}
	for name, v := range w.actual {
		if _, there := props[name]; there || w.props[name] == nil || v.Absent() {
			continue
		}
		if told, ok := w.told[name]; ok && w.props[name].Equal(told, v) {
			continue
		}
		if w.inbox.acted(map[string]twin.Value{name: v}) {
			continue
		}
		props[name] = twin.PropReport{Value: v}
	}
	w.tell(props)
}

// tell reports. Over a broken connection nothing counts as told; the next one begins with everything anyway.
func (w *worker) tell(props map[string]twin.PropReport) {
	if len(props) == 0 {
		return
	}
	if !w.out.report(w.spec.Name, props) {
		return
	}
	for name, p := range props {
		if p.Error == "" {
			w.told[name] = p.Value
		}
	}
}
