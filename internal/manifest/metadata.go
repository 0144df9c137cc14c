package manifest

import (
	"strings"

	"twinbridge/internal/yamltree"
	"twinbridge/twin"
)

// descriptionNote is the annotation that carries a description which no label may hold.
const descriptionNote = "description"

// meta is what of a resource's metadata is of interest.
type meta struct {
	name        twin.Name
	description string
	notes       map[string]string // our annotations, without prefix
	labels      map[string]string // without the description
}

// metadata reads a resource's metadata. What a cluster adds by itself is passed over, and so are other people's
// annotations.
func (r *reader) metadata(m *meta) field {
	m.name.Namespace = twin.DefaultNamespace
	return func(n *yamltree.Node, path string) {
		namespace := ""
		r.object(n, path, fields{
			"name":        r.text(&m.name.Name),
			"namespace":   r.text(&namespace),
			"labels":      r.labels(m),
			"annotations": r.annotations(m),

			"clusterName": nil, "creationTimestamp": nil, "deletionGracePeriodSeconds": nil, "deletionTimestamp": nil,
			"finalizers": nil, "generateName": nil, "generation": nil, "managedFields": nil, "ownerReferences": nil,
			"resourceVersion": nil, "selfLink": nil, "uid": nil,
		})
		if namespace != "" {
			m.name.Namespace = namespace
		}
		if m.name.Name != "" {
			if err := m.name.Validate(); err != nil {
				r.fail(n.Line, err)
			}
		}
	}
}

func (r *reader) labels(m *meta) field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Null && n.Kind != yamltree.Map {
			r.wrong(n, path, "a map")
			return
		}
		for i := range n.Pairs {
			p := &n.Pairs[i]
			var v string
			before := len(r.errs)
			r.text(&v)(p.Value, at(path, p.Key))
			if len(r.errs) > before {
				continue
			}
			if p.Key == descriptionNote { // as KubeEdge's own manifests have it; free words stand in them
				if m.description == "" { // the annotation wins, whichever stands first
					m.description = v
				}
				continue
			}
			if err := twin.CheckLabel(p.Key, v); err != nil {
				r.fail(p.Line, err)
				continue
			}
			if m.labels == nil {
				m.labels = map[string]string{}
			}
			m.labels[p.Key] = v
		}
	}
}

func (r *reader) annotations(m *meta) field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Null && n.Kind != yamltree.Map {
			r.wrong(n, path, "a map")
			return
		}
		for i := range n.Pairs {
			p := &n.Pairs[i]
			key, ours := strings.CutPrefix(p.Key, twin.AnnotationPrefix)
			if !ours {
				continue
			}
			var v string
			before := len(r.errs)
			r.text(&v)(p.Value, at(path, p.Key))
			if len(r.errs) > before {
				continue
			}
			if key == descriptionNote {
				m.description = v
				continue
			}
			// One by one, so that the error has the annotation's own line.
			if _, err := twin.ParsePolicy(map[string]string{key: v}); err != nil {
				r.fail(p.Line, err)
				continue
			}
			if m.notes == nil {
				m.notes = map[string]string{}
			}
			m.notes[key] = v
		}
	}
}
