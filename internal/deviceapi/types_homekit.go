package deviceapi

// HomeKit is what a node shows to HomeKit.
type HomeKit struct {
	Trouble string          `json:"trouble,omitempty" doc:"Why nothing is shown, or not everything"`
	Bridges []HomeKitBridge `json:"bridges"`
	Left    []string        `json:"left,omitempty" doc:"Devices for which no bridge has room"`
	Unknown []HomeKitHidden `json:"unknown,omitempty" doc:"Devices that cannot be shown, and why"`
}

// HomeKitBridge is one bridge that phones pair with.
type HomeKitBridge struct {
	Bridge      int                 `json:"bridge" doc:"Its number, from 1"`
	Name        string              `json:"name" doc:"As it is announced"`
	ID          string              `json:"id" example:"E1:91:1A:70:85:AA"`
	Port        int                 `json:"port"`
	Announced   bool                `json:"announced" doc:"Whether it is announced by mDNS"`
	Paired      bool                `json:"paired"`
	Code        string              `json:"code,omitempty" doc:"The setup code, as long as nobody has paired"`
	Payload     string              `json:"payload,omitempty" doc:"What its QR code holds, as long as nobody has paired"`
	Accessories int                 `json:"accessories" doc:"Devices on it"`
	Controllers []HomeKitController `json:"controllers"`
}

// HomeKitController is somebody who has paired.
type HomeKitController struct {
	ID          string `json:"id"`
	Admin       bool   `json:"admin"`
	Connections int    `json:"connections" doc:"Open now"`
}

// HomeKitHidden is a device that HomeKit cannot show.
type HomeKitHidden struct {
	Device string `json:"device"`
	Reason string `json:"reason"`
}
