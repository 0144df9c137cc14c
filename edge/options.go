package edge

import (
	"io"
	"log/slog"
	"time"
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
}
