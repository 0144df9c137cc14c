// Package tlv8 is the encoding of HomeKit's pairing messages: items of a type, a length and a value, each one byte, one
// byte and up to 255 bytes (HomeKit Accessory Protocol, "TLVs").
//
// The order of items is kept and means something: a longer value is written as several items of its type, one directly
// after the other, all but the last with 255 bytes. So two neighbours of one type are one value if the first has 255
// bytes, and two values otherwise; and a list of the same types needs a separator between its entries.
package tlv8
