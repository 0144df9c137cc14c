package twin

import (
	"time"
)

// Origin tells where a wish came from.
type Origin string

// Origins of a wish. All but cloud, kubernetes and restore are the house (rule 4).
const (
	FromHomeKit    Origin = "homekit"
	FromMatter     Origin = "matter"
	FromMQTT       Origin = "mqtt"
	FromRule       Origin = "rule"
	FromLocal      Origin = "local"
	FromDevice     Origin = "device" // a hand on the device itself
	FromCloud      Origin = "cloud"
	FromKubernetes Origin = "kubernetes"
	FromRestore    Origin = "restore" // nobody: the node puts a device back to what is expected
)

// House reports whether wishes of this origin are acts of the house.
func (o Origin) House() bool {
	return o != FromCloud && o != FromKubernetes && o != FromRestore && o != ""
}

// Outcome is what became of a wish. A wish has exactly one outcome other than pending.
type Outcome string

// Outcomes of a wish (rule 2).
const (
	Pending    Outcome = "pending"
	Applied    Outcome = "applied"
	Failed     Outcome = "failed"
	Superseded Outcome = "superseded"
	Expired    Outcome = "expired"
	Refused    Outcome = "refused"
)

// Ended reports whether o is final.
func (o Outcome) Ended() bool { return o != Pending && o != "" }

// Bounds of a wish.
const (
	MaxWishIDLen = 128
	MaxAskerLen  = 128
	MaxValidFor  = 24 * time.Hour
	// maxReason and maxTrouble bound texts for people, in bytes: they come from mappers and name properties, and one
	// that no message to the hub can hold would end every session.
	maxReason  = 512
	maxTrouble = 256
)

// Wish asks for one or more properties of one device to take values. It is accepted or refused whole.
type Wish struct {
	ID     string           `json:"id"` // random, for ever; made by the asker's rim
	Asker  string           `json:"asker,omitempty"`
	Origin Origin           `json:"origin"`
	Values map[string]Value `json:"-"`
	// ValidFor makes the wish a press: it ends this long after its acceptance if it was not applied. 0: a standing wish.
	ValidFor time.Duration `json:"validFor,omitempty"`
	// Insist lets a wish that waited take effect over acts of the house (rule 4).
	Insist bool `json:"insist,omitempty"`
	// Guard, if set, refuses the wish unless each named property's last decision has the rev given (If-Match, rule 4).
	Guard map[string]uint64 `json:"guard,omitempty"`
}

// Press reports whether the wish ends by itself.
func (w *Wish) Press() bool { return w.ValidFor > 0 }

// WishView is a wish as its asker reads it.
type WishView struct {
	ID      string
	Device  Name
	Asker   string
	Origin  Origin
	Values  map[string]Value
	Outcome Outcome
	// Reason names the cause of an outcome: what failed, what was wrong, which later wish took which properties.
	Reason string
	// By and Lost say, for a superseded wish, who took which properties.
	By   string
	Lost []string
	// Trouble is set on a pending wish whose mapper reported an error or whose apply deadline passed; at a hub also while
	// the node cannot be reached.
	Trouble string
	passing bool // the trouble is the way to the node's, which comes back by itself
	// Rev is the revision of the last decision about the wish; 0 if none was taken or it is not on disk yet.
	Rev     uint64
	decided uint64 // Rev, on disk or not
	// At is the wall time of acceptance, a label.
	At time.Time
}

// DecidedRev is what Rev will be once it is on disk; who has to answer after that waits for it (Store.WaitDurable).
func (w *WishView) DecidedRev() uint64 { return w.decided }

// Settled reports whether an asker that waits for the outcome is told now: the wish ended, or it is in trouble at the
// device. For a node that cannot be reached the asker waits on.
func (w *WishView) Settled() bool { return w.Outcome.Ended() || w.Trouble != "" && !w.passing }
