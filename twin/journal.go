package twin

// Journal makes durable what a Store decided. It is told that something waits; it fetches the batch with
// [Store.TakeBatch] and answers with [Store.Committed], in its own goroutine. So nothing queues between the two.
type Journal interface {
	// Wake tells that a decision waits for the disk, or that a timer is due earlier than [Store.Tick] last said. It
	// never blocks.
	Wake()
}

// HubJournal makes durable what a HubStore changed, as a Journal does for a Store.
type HubJournal interface {
	// Wake tells that somebody waits for the disk. It never blocks.
	Wake()
	// WakeSoon tells that something waits for it which nobody is in a hurry for: what a node has decided is on its own
	// disk already, and it may go with what others wait for.
	WakeSoon()
}
