package dnssd

import "time"

// Times of RFC 6762. Each is a nominal value of the clause that it names.
const (
	probeWait   = 250 * time.Millisecond // 8.1: at most this before the first probe
	probeGap    = 250 * time.Millisecond // 8.1: between probes, and after the last
	probeCount  = 3                      // 8.1
	lostWait    = time.Second            // 8.2: who lost a simultaneous probe
	stormWait   = 5 * time.Second        // 8.1: between attempts after stormCount conflicts in stormWindow
	stormCount  = 15                     // 8.1
	stormWindow = 10 * time.Second       // 8.1
	stormEnd    = time.Minute            // without a conflict, until attempts are as quick as before

	announceCount = 2 // 8.3
	// announceGap lies between two announcements. It is a little more than the second of 8.3: a cache takes a record for
	// replaced only if it got it more than one second before the new one (10.2), whatever the network does to both.
	announceGap = 1100 * time.Millisecond
	// changeWait collects changes that come in one go.
	changeWait = 30 * time.Millisecond

	sharedWaitLeast = 20 * time.Millisecond  // 6: before an answer that others may give too
	sharedWaitMost  = 120 * time.Millisecond // 6
	heldWaitLeast   = 400 * time.Millisecond // 7.2: for the rest of a list of known answers
	heldWaitMost    = 500 * time.Millisecond // 7.2
	rateWindow      = time.Second            // 6: between two multicasts of one record
	defenceWindow   = 250 * time.Millisecond // 6: the same where a probe is answered

	ttlHost    = 120  // 10: seconds; records with a host's name in them, or of it
	ttlOther   = 4500 // 10: seconds
	ttlLegacy  = 10   // 6.7: seconds, at most, to those who are no multicast DNS resolvers
	formerTime = 10 * time.Second
)

// Bounds of our own.
const (
	maxServices  = 64
	maxSubtypes  = 16
	maxTXT       = 1300 // bytes of a TXT record, lengths included
	maxAddresses = 16   // of one interface, of both families together
	maxLinks     = 64   // interfaces, counted once per family
	maxHeld      = 16   // queries per link whose known answers are still to come
	maxKnown     = 512  // known answers of one query
	maxQuestions = 256  // of one packet, about our names
	maxRivals    = 256  // records that a packet proposes or states, about our names
	maxEchoes    = 256  // packets of our own that are recognised
	maxFormer    = 256  // records of our own that are recognised after they changed
	maxQueue     = 128  // received packets that wait
	maxFailures  = 16   // of a socket, one after the other, until it is given up
	maxConflicts = 16   // times that are remembered

	maxPacket   = 9000 // 17: bytes that are received
	packetLimit = 1440 // 17: bytes that are sent

	unicastRate  = 50 // packets per second and link
	unicastBurst = 100
)
