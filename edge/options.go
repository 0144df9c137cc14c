package edge

import (
	"io"
	"log/slog"
	"time"

	"twinbridge/twin"
)

// Options are what the command line says.
type Options struct {
	Data    string // the data folder, prepared by PrepareFolder
	Config  Config
	File    string // where Config was read, for messages
	Version string
	Started time.Time // of the process
	Program string    // how the program was called, for the lines to paste
	DataArg string    // the data folder as --data has to name it in these lines; "" if it is the default one
	Demo    bool      // write a lamp if there is no device yet
	Out     io.Writer // what people read: the banner, simulated lamps
	Log     *slog.Logger
	Built   time.Time // when the program was built; zero: not known
	// Hubs are addresses of the hub, as https://host:port, in the place of those in the token of the join.
	Hubs []string
	// Invite, if set, makes a join token of the hub in the same process, whose CA certificate is HubCA (PEM).
	Invite func(node string) (string, error)
	HubCA  []byte
	// Also, if set, gives lines to print before the last one, for a lamp and its property where there is one, and
	// what the last one says more.
	Also func(lamp twin.Name, property string) (lines, ready string)
}
