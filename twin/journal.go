package twin

// Journal makes durable what a Store decided. It is told that something waits; it fetches the batch with
// [Store.TakeBatch] and answers with [Store.Committed], in its own goroutine. So nothing queues between the two.
type Journal interface {
	// Wake tells that a decision waits for the disk, or that a timer is due earlier than [Store.Tick] last said. It
	// never blocks.
	Wake()
}
