package cloud

import (
	"twinbridge/cloud/cloudhub"
	"twinbridge/internal/metrics"
)

// newMetrics shows the numbers that the rooms keep.
func newMetrics(o *Options, links *cloudhub.Hub) (*metrics.Registry, error) {
	r, err := metrics.New(o.Version)
	if err != nil {
		return nil, err
	}
	return r, r.Add(func(emit func(metrics.Metric)) {
		gauge := func(name, help string, v float64) {
			emit(metrics.Metric{Name: "twinbridge_hub_" + name, Help: help, Value: v})
		}
		counter := func(name, help string, v uint64) {
			emit(metrics.Metric{Name: "twinbridge_hub_" + name + "_total", Help: help, Kind: metrics.Counter, Value: float64(v)})
		}
		st := links.Stats()
		gauge("sessions", "Nodes that are connected.", float64(st.Sessions))
		counter("sessions", "Sessions that began.", st.Begun)
		counter("sessions_fenced", "Sessions that a newer one of the same node ended.", st.Fenced)
		counter("sessions_denied", "Requests for a session without a good certificate.", st.Denied)
		counter("sessions_broken", "Sessions that ended because of a message that could not be taken.", st.Broken)
		held := o.Registry.Stats()
		gauge("devices", "Devices of all nodes.", float64(held.Devices))
		gauge("devices_online", "Devices that are online, at nodes that are connected.", float64(held.Online))
		gauge("wishes_pending", "Wishes without outcome.", float64(held.Pending))
		gauge("nodes", "Nodes that are known.", float64(held.Nodes))
		bad := 0.0
		if o.Registry.DiskError() != nil {
			bad = 1
		}
		gauge("disk_failing", "1 while the disk does not take changes.", bad)
		file := o.Books.Stats()
		gauge("store_bytes", "Size of the registry's file.", float64(file.FileBytes))
		counter("store_commits", "Transactions on disk.", file.Commits)
	})
}
