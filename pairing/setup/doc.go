// Package setup makes what a person needs to pair a phone with a bridge: the setup code, the payload that carries it, and
// the QR code in which the phone's camera finds the payload.
//
// HomeKit and Matter take the same secret: eight digits, of which twelve combinations are forbidden because everybody
// would try them first. So there is one [Code] for both; each ecosystem has its own payload around it ([HomeKit]:
// "X-HM://..."), and both payloads keep to the alphabet of [QR].
//
// A QR code works only where it has contrast and a margin. On a terminal neither is a matter of course: the colours are
// the user's, the font may lack the blocks, and what looks like a terminal may be a file. So [QR.Text] gives a string in
// which every cell has both its colours set, and [StyleFor] says which way of drawing a terminal can show, if any; who
// prints decides.
//
// Sources: HomeKit Accessory Protocol Specification, non-commercial, R2 ("HAP R2"), 4.2.1 for the code; HomeKitADK and
// HAP-NodeJS, which agree, for the payload's layout, of which that specification says nothing.
package setup
