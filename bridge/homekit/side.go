package homekit

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"twinbridge/bridge/homekit/database"
	"twinbridge/bridge/homekit/pair"
	"twinbridge/bridge/homekit/session"
	"twinbridge/pairing/dnssd"
	"twinbridge/pairing/setup"
	"twinbridge/twin"
)

// side is one bridge: an accessory server with an identity, a port and pairings of its own.
type side struct {
	number int
	begun  time.Time // the zero of its clock
	name   string
	notes  notebook
	db     *database.Database
	pairer *pair.Pairer
	server *session.Server
	log    *slog.Logger

	twins   *twin.Store
	blinker *blinker

	mu      sync.Mutex
	who     identity
	config  config
	service *dnssd.Registration // nil: not announced
	peers   map[*peer]struct{}
	devices map[uint64]*device // by accessory id
}

// openSide takes up where the bridge of that number was. It shows nothing but itself yet.
func openSide(number int, c Config, twins *twin.Store, notes notebook, b *blinker) (*side, error) {
	st, err := notes.open()
	if err != nil {
		return nil, err
	}
	s := &side{
		number: number, begun: time.Now(), name: c.Name, notes: notes, log: c.Log.With("bridge", number), twins: twins, blinker: b,
		who: st.identity, config: st.config, peers: map[*peer]struct{}{},
	}
	if number > 1 {
		s.name = fmt.Sprintf("%s %d", c.Name, number)
	}
	if s.db, err = database.New([]database.Accessory{s.itself(c.Version)}, s, func() time.Duration { return time.Since(s.begun) }); err != nil {
		return nil, err
	}
	s.pairer, err = pair.New(pair.Config{Identity: st.identity.paired(), Pairings: st.pairings, Failures: st.failures, Keeper: notes, Log: s.log})
	if err != nil {
		return nil, fmt.Errorf("pairings of HomeKit bridge %d: %w: %w", number, err, errUnreadable)
	}
	s.server = session.New(session.Config{Accept: s.accept, Log: s.log})
	return s, nil
}

// itself is the accessory that is the bridge.
func (s *side) itself(version string) database.Accessory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bridgeAccessory(about{name: clean(s.name, maker), manufacturer: maker, model: model, serial: s.who.ID, firmware: firmware(version)})
}

// model is the bridge's model, in the accessory information and in the key md of the TXT record.
const model = "twinbridge"

// show puts these accessories beside the bridge. A structure that controllers do not know yet gets another
// configuration number, which is durable before it is announced.
func (s *side) show(accessories []database.Accessory, devices map[uint64]*device) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.db.Replace(accessories); err != nil {
		return err
	}
	s.devices = devices
	if hash := s.db.Hash(); hash != s.config.Hash {
		next := s.config.next(hash)
		if s.config.Hash == "" {
			next.Number = s.config.Number // nobody has seen the first one
		}
		if err := s.notes.save(keyConfig, next); err != nil {
			return err
		}
		s.config = next
	}
	s.tell()
	return nil
}

// announce registers the service, or tells what has changed of it.
func (s *side) announce(r *dnssd.Responder) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r == nil || s.service != nil {
		s.tell()
		return nil
	}
	txt, err := s.txt()
	if err != nil {
		return err
	}
	service, err := r.Register(dnssd.Service{Instance: s.name, Type: ServiceType, Port: uint16(s.port()), TXT: txt})
	if err != nil {
		return fmt.Errorf("announce HomeKit bridge %d: %w", s.number, err)
	}
	s.service = service
	return nil
}

// ServiceType is HomeKit over IP (HAP R2, 6.4).
const ServiceType = "_hap._tcp"

// port is the one it listens on.
func (s *side) port() int {
	if a, ok := s.server.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// tell brings the TXT record up to date. mu is held.
func (s *side) tell() {
	if s.service == nil {
		return
	}
	txt, err := s.txt()
	if err != nil {
		s.log.Error("HomeKit: TXT record", "err", err)
		return
	}
	s.service.SetTXT(txt)
}

// Bits of the key sf (HAP R2, table 6-8).
const notPaired = 1

// txt gives the TXT record (HAP R2, table 6-7). mu is held.
func (s *side) txt() ([]string, error) {
	hash, err := s.who.SetupID.Hash(s.who.ID)
	if err != nil {
		return nil, err
	}
	status := 0
	if !s.pairer.Paired() {
		status = notPaired
	}
	return []string{
		fmt.Sprintf("c#=%d", s.config.Number), "ff=0", "id=" + s.who.ID, "md=" + model, "pv=1.1", "s#=1",
		fmt.Sprintf("sf=%d", status), fmt.Sprintf("ci=%d", setup.CategoryBridge), "sh=" + hash,
	}, nil
}

// run serves until ctx ends, and keeps the TXT record in step with whether it is paired.
func (s *side) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-s.pairer.Changed():
				s.mu.Lock()
				s.tell()
				s.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	})
	err := s.server.Run(ctx)
	stop()
	done.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.service != nil {
		s.service.Close()
		s.service = nil
	}
	return err
}

// reset makes a new bridge of it. All connections end.
func (s *side) reset() error {
	id, err := newIdentity()
	if err != nil {
		return err
	}
	var st state
	gone, err := s.pairer.Reset(id.paired(), func() (err error) {
		st, err = s.notes.begin(id)
		return err
	})
	if err != nil {
		return fmt.Errorf("reset HomeKit bridge %d: %w", s.number, err)
	}
	s.mu.Lock()
	s.who, s.config = st.identity, st.config
	s.tell()
	s.mu.Unlock()
	s.end(gone)
	return nil
}

// end ends the connections of these controllers.
func (s *side) end(controllers []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.peers {
		for _, id := range controllers {
			if p.pair.Controller() == id {
				p.conn.End()
			}
		}
	}
}

// code gives the setup code and the payload of the QR code.
func (s *side) code() (code, payload string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := setup.ParseCode(s.who.Code)
	if err != nil {
		return "", "", err
	}
	payload, err = setup.HomeKit{Category: setup.CategoryBridge, Code: c, SetupID: s.who.SetupID, IP: true}.Payload()
	return c.String(), payload, err
}
