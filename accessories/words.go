package accessories

// A vocabulary maps words of devices to values of a trait. The words are compared like names of properties.
type vocabulary map[string]float64

// yesNo are words of all yes-or-no traits.
var yesNo = vocabulary{
	"on": 1, "true": 1, "1": 1, "yes": 1, "enabled": 1,
	"off": 0, "false": 0, "0": 0, "no": 0, "disabled": 0,
}

// toldOn are further words of On, taken only if the kind is told: a door, too, is open or closed.
var toldOn = vocabulary{
	"open": 1, "opened": 1, "high": 1, "active": 1, "start": 1, "started": 1, "running": 1, "run": 1,
	"close": 0, "closed": 0, "low": 0, "inactive": 0, "stop": 0, "stopped": 0,
}

var found = vocabulary{
	"detected": 1, "alarm": 1, "active": 1, "alert": 1,
	"clear": 0, "cleared": 0, "normal": 0, "inactive": 0, "none": 0, "ok": 0, "idle": 0, "notdetected": 0,
}

var vocabularies = [traits][]vocabulary{
	On:             {yesNo},
	Motion:         {yesNo, found, {"motion": 1, "nomotion": 0}},
	Contact:        {{"closed": 1, "close": 1, "contact": 1, "open": 0, "opened": 0, "nocontact": 0}},
	Occupancy:      {yesNo, found, {"occupied": 1, "present": 1, "presence": 1, "unoccupied": 0, "absent": 0, "vacant": 0, "free": 0}},
	Smoke:          {yesNo, found, {"smoke": 1, "nosmoke": 0}},
	Leak:           {yesNo, found, {"leak": 1, "wet": 1, "dry": 0, "noleak": 0}},
	BatteryLow:     {yesNo, {"low": 1, "critical": 1, "normal": 0, "ok": 0, "good": 0, "high": 0, "full": 0}},
	FanSpeed:       {{"off": 0, "low": 33, "medium": 67, "mid": 67, "middle": 67, "high": 100}},
	Position:       {{"open": 100, "opened": 100, "up": 100, "close": 0, "closed": 0, "down": 0}},
	TargetPosition: {{"open": 100, "opened": 100, "up": 100, "close": 0, "closed": 0, "down": 0}},
	Mode: {yesNo, {
		"heat": ModeHeat, "heating": ModeHeat, "cool": ModeCool, "cooling": ModeCool, "auto": ModeAuto, "automatic": ModeAuto,
		"heatcool": ModeAuto,
	}},
	LockState: {{
		"locked": Locked, "lock": Locked, "secured": Locked, "unlocked": Unlocked, "unlock": Unlocked, "unsecured": Unlocked,
		"jammed": LockJammed, "unknown": LockUnknown,
	}},
	LockTarget: {{
		"locked": Locked, "lock": Locked, "secured": Locked, "unlocked": Unlocked, "unlock": Unlocked, "unsecured": Unlocked,
	}},
	DoorState: {{
		"open": DoorOpen, "opened": DoorOpen, "closed": DoorClosed, "close": DoorClosed, "opening": DoorOpening,
		"closing": DoorClosing, "stopped": DoorStopped, "stop": DoorStopped,
	}},
	DoorTarget: {{
		"open": DoorOpen, "opened": DoorOpen, "closed": DoorClosed, "close": DoorClosed,
	}},
}

// meaning gives what a word of a device means for a trait.
func meaning(t Trait, told bool, text string) (float64, bool) {
	w := plain(text)
	for _, voc := range vocabularies[t] {
		if v, ok := voc[w]; ok {
			return v, true
		}
	}
	if t == On && told {
		v, ok := toldOn[w]
		return v, ok
	}
	return 0, false
}
