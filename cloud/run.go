package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"twinbridge/cloud/cloudhub"
	"twinbridge/cloud/devicecontroller"
	"twinbridge/cloud/registry"
	"twinbridge/internal/stage"
	"twinbridge/internal/store"
	"twinbridge/pairing/enroll"
)

// Options are what the program says.
type Options struct {
	Data    string // the data folder, prepared
	Config  Config
	File    string // where Config was read, for messages
	Version string
	Built   time.Time // when the program was built; zero: not known
	Started time.Time // of the process
	Out     io.Writer // what people read
	Log     *slog.Logger
	// Registry is the holder of the views, and RunRegistry what keeps it.
	Registry    registry.Registry
	RunRegistry func(ctx context.Context) error
	// Books is the file in which the API keeps tokens and audit; the registry's own if it has one, so that what is asked
	// and who asked are one commit.
	Books *store.Store
	// Ready is called once the hub answers.
	Ready func(Ready)
}

// Ready tells where a hub is reached.
type Ready struct {
	Listen string // address over TLS
	Hub    string // where a node on this machine finds it, as https://host:port
	Plain  string // address without; "" if there is none
	CA     []byte // the hub's CA certificate, PEM
	CAFile string
	Token  string // file with the token of an admin
	Page   string // URL of the page
	Code   string // that lets somebody in there
	// Invite makes a join token for a node on this machine.
	Invite func(node string) (string, error)
}

// inviteTime is how long a token for a node on this machine is good.
const inviteTime = 5 * time.Minute

// Run is a hub from its start until ctx ends.
//
// It opens everything first: files, keys, addresses. Then all rooms run. They end in the other order: who asks and the
// sessions while there still is a registry.
func Run(ctx context.Context, o Options) (err error) {
	access, err := openAccess(&o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, access.Close()) }()
	authority, err := enroll.OpenAuthority(identities{access}, enroll.AuthorityConfig{Built: o.Built, Hosts: o.Config.hosts(), Log: o.Log})
	if err != nil {
		return err
	}
	caFile := filepath.Join(o.Data, caName)
	if err := replaceFile(caFile, authority.CACertificate()); err != nil {
		return fmt.Errorf("write the hub's CA certificate: %w", err)
	}
	nodes := &enrolment{authority: authority}
	controller := devicecontroller.New(o.Registry)
	links := cloudhub.New(cloudhub.Config{Identify: nodes.identify, Expires: nodes.expiry}, controller, o.Log)
	authority.OnRevoke(func(node string) { links.End(node, "the certificate is revoked") })

	rest, err := newREST(&o, nodes, links)
	if err != nil {
		return err
	}
	doors, err := listen(&o, authority, links, rest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, doors.close()) }()
	nodes.hubs = func() []string { return o.Config.reached(doors.addr()) }

	failed := make(chan error, 1)
	holder, rims := stage.New(ctx, failed), stage.New(ctx, failed)
	defer func() {
		rims.End()
		holder.End()
	}()
	holder.Run("registry", o.RunRegistry)
	rims.Run("certificates", authority.Run)
	rims.Run("device controller", func(ctx context.Context) error { return controller.Run(ctx, links) })
	rims.Run("sessions", links.Run)
	for _, d := range doors {
		rims.Run(d.key, d.run)
	}
	if o.Ready != nil {
		here := "https://" + reachable(doors.addr())
		o.Ready(Ready{
			Listen: doors.addr(), Hub: here, Plain: doors.plain(), CA: authority.CACertificate(), CAFile: caFile, Token: rest.tokenFile,
			Page: doors.page(&o), Code: rest.code.String(),
			Invite: func(node string) (string, error) {
				t, err := authority.NewToken(node, []string{here}, inviteTime)
				if err != nil {
					return "", err
				}
				return t.Text(), nil
			},
		})
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// Names in the data folder.
const (
	caName    = "hub-ca.crt"
	tokenName = "token"
	// socketName is the socket through which whoever owns the data folder is an admin.
	socketName = "hub.sock"
)

// Socket is where the hub of a data folder is controlled.
func Socket(data string) string { return filepath.Join(data, socketName) }

// CAFile is the CA certificate of the hub of a data folder.
func CAFile(data string) string { return filepath.Join(data, caName) }

// TokenFile is the token of the first admin of the hub of a data folder.
func TokenFile(data string) string { return filepath.Join(data, tokenName) }

// replaceFile puts a file in place of what is there, if that is something else: after a power cut there is the one or
// the other.
func replaceFile(path string, text []byte) (err error) {
	const most = 1 << 20
	if old, err := os.Open(path); err == nil {
		same := false
		if b, err := io.ReadAll(io.LimitReader(old, most)); err == nil {
			same = string(b) == string(text)
		}
		_ = old.Close() // only read
		if same {
			return nil
		}
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
