package line

// State is whose a line is, looked at without touching it.
type State struct {
	Property string // that hangs on it
	Where    string // chip and line, for people
	Consumer string // who holds it by the kernel; "" if nobody does
	Ours     bool   // the driver holds it for this device, in whichever process
	Err      error  // why it cannot be looked at; nil: it can
}
