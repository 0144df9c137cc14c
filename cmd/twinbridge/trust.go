package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"twinbridge/cloud"
	"twinbridge/internal/deviceapi"
)

// maxTrust bounds what is read of a file with a token or certificates, in bytes.
const maxTrust = 1 << 20

// clientOptions gives what is said to a hub, and who vouches for it.
func (a *app) clientOptions(data string) (o deviceapi.ClientOptions, err error) {
	if o.Token, err = a.secret(data); err != nil {
		return o, err
	}
	text, name, err := named(a.ca, cloud.CAFile(data))
	if err != nil {
		return o, fmt.Errorf("--ca: %w", err)
	}
	if text == "" {
		return o, nil
	}
	o.CAs = x509.NewCertPool()
	if !o.CAs.AppendCertsFromPEM([]byte(text)) {
		return o, usage("--ca: %s: expected certificates in PEM", name)
	}
	return o, nil
}

// secret gives the API token: of --token-file, of the environment, of the data folder; "" if there is none.
func (a *app) secret(data string) (string, error) {
	if env := strings.TrimSpace(os.Getenv("TWINBRIDGE_TOKEN")); env != "" && a.token == "" {
		return env, nil
	}
	text, name, err := named(a.token, cloud.TokenFile(data))
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, " \t\r\n") || text == "" && a.token != "" {
		return "", usage("--token-file: %s: expected one token and nothing else", name)
	}
	return text, nil
}

// named reads the file that was named, else the usual one, if it is there.
func named(name, usual string) (text, path string, err error) {
	path = name
	if path == "" {
		path = usual
	}
	f, err := os.Open(path)
	if name == "" && errors.Is(err, fs.ErrNotExist) {
		return "", path, nil
	}
	if err != nil {
		return "", path, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxTrust+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", path, err
	}
	if len(b) > maxTrust {
		return "", path, fmt.Errorf("%s: expected at most %d bytes", path, maxTrust)
	}
	return string(b), path, nil
}
