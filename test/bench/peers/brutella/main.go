// Command brutella is a HomeKit bridge of github.com/brutella/hap with colour lamps, which make bench measures beside
// twinbridge: brutella LAMPS PORT CODE FOLDER NAME. Nothing of ours uses that module's server.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/brutella/hap"
	"github.com/brutella/hap/accessory"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "brutella:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return errors.New("expected LAMPS PORT CODE FOLDER NAME")
	}
	lamps, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var list []*accessory.A
	for i := range lamps {
		list = append(list, accessory.NewColoredLightbulb(about(fmt.Sprintf("lamp%d", i))).A)
	}
	s, err := hap.NewServer(hap.NewFsStore(args[3]), accessory.NewBridge(about(args[4])).A, list...)
	if err != nil {
		return err
	}
	s.Addr, s.Pin = ":"+args[1], strings.ReplaceAll(args[2], "-", "")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.ListenAndServe(ctx); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		return err
	}
	return nil
}

func about(name string) accessory.Info {
	return accessory.Info{Name: name, SerialNumber: name, Manufacturer: "twinbridge", Model: "lamp", Firmware: "1.0"}
}
