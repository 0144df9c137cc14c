package mapper

import (
	"encoding/json"
)

// deltaOf makes a delta as a node sends it.
func deltaOf(props ...sent) []byte {
	type object = map[string]any
	twins, delta := object{}, map[string]string{}
	for _, p := range props {
		meta := object{"timestamp": 1}
		if p.wish != "" {
			meta["wish"] = p.wish
		}
		if p.remaining > 0 {
			meta["remainingMs"] = p.remaining.Milliseconds()
		}
		twins[p.prop] = object{"expected": object{"value": p.value, "metadata": meta}, "optional": true, "metadata": object{"type": "string"}}
		delta[p.prop] = p.value
	}
	b, err := json.Marshal(object{"event_id": "e1", "timestamp": 1, "twin": twins, "delta": delta})
	if err != nil {
		panic(err)
	}
	return b
}
