package doctor

import (
	"context"
	"errors"
	"io/fs"
)

// CheckConfig tells whether the configuration at path can be used: missing says that there is none, err why it cannot be
// read. Without one the defaults hold.
func CheckConfig(path string, missing bool, err error) Check {
	return Check{Name: "configuration", Look: func(context.Context) Finding {
		switch {
		case missing:
			return found(OK, "there is no "+path+": the defaults hold, and the first start writes them there")
		case errors.Is(err, fs.ErrPermission):
			return found(Skipped, "this user may not read it, and what follows goes by the defaults: "+err.Error(), "run this as the user of the node, or as root")
		case err != nil:
			return found(Fail, err.Error(), "correct it: no node starts with it; what follows goes by the defaults")
		}
		return found(OK, path)
	}}
}
