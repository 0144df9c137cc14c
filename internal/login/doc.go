// Package login keeps strangers from a page that the program serves: who knows the secret gets a session, and without a
// session there is no answer.
//
// The secret of a node is a [Code], made anew at each start and printed where the person sees it who started the node.
// A hub accepts other secrets too: [Config.Accept] decides, and [Config.Still] when they end. A session is a random cookie that scripts cannot read and
// that other sites cannot send; here only its hash is kept, in memory, so a restart ends all sessions. Guessing is
// slowed down per address and over all addresses ([Login]).
//
// [Login.Guard] refuses what a browser was tricked into sending: requests from other sites, and requests that name a
// host which is not ours because somebody pointed a name at this address (DNS rebinding).
package login
