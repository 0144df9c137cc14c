// Package accessories understands devices. A twin has properties under the names, types, units and ranges of its maker:
// powerstatus of ON and OFF, brightness from 0 to 254, colour temperature in kelvin. A phone wants to see a lamp. An
// [Accessory] stands between the two for both bridges: it says what kind of thing a device is, and translates its
// properties to [Traits] in normalised units and back.
//
// # What it is
//
// [Find] takes the kind that the annotation twinbridge.dev/kind tells, else it infers one from the properties: their
// names (letter case, "-" and "_" do not count), types, access and units, and the words in the model's name. It looks at
// nothing else, so devices of one model are of one kind, today and after the next start. A device that it does not
// understand is of kind [None], with a reason to show to people. Where a wrong guess would open a house it does not
// guess: locks and garage doors are never inferred, and neither is any other kind of what has a writable property, or a
// model, with a word like door, gate or lock in its name.
//
// Told a kind, it takes what fits. If no property has a name that it knows, it takes the only one that can be what the
// kind needs; of several it takes none and says which they are.
//
// # Rounding
//
// A phone that set 37 % has to see 37 %, or its slider jumps. What a bridge reads after its wish was shown equals what it
// wished as long as the device has at least as many steps as the trait: every whole percent on a range of 100 steps or
// more (0-100, 0-254, 0-255, 0-1), every whole mired on kelvin in steps of 1. Two things cannot be had: 0 % of a range
// that begins above 0, which reads as 1 % or as its lower end, and the differences that a coarser device does not make,
// such as 37 % of ten steps, 21.5 degrees Celsius in whole degrees Fahrenheit, each degree of hue on 0-254. For these
// [Accessory.ReadLike] takes what the reader wished last, and gives it back for as long as the device shows what became of
// it. This holds within the property's tolerance, too.
//
// A level above 0 never becomes 0, nor the other way round: 1 % of a lamp with ten steps is its first step and not off.
//
// # Not here
//
// Colours as red, green and blue or x and y, scenes, and momentary things as buttons and doorbells. Blinds that count from
// 0 for open are shown the wrong way round.
package accessories
