// Package homekit drives a HomeKit accessory over real sockets with two controllers that other people wrote: hap-controller
// and aiohomekit, which is Home Assistant's. Each runs in a process and a network namespace of its own, beside Avahi as a
// second opinion on what is announced. It has tests only.
//
// What is done is written once (scenes_test.go) and told in four ways: either controller first and the other one second,
// to twinbridge, and to a bridge of HAP-NodeJS. The latter shows that a scene asks for nothing that a good accessory does
// not give; so what fails with twinbridge alone is twinbridge's.
//
// `make homekit` installs what this needs.
package homekit
