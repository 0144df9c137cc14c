//go:build !linux

package manifest

import "errors"

func listenFolder(string) (listener, error) { return nil, errors.ErrUnsupported }
