package edge

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"twinbridge/pairing/setup"
)

// PairingCode gives the lines that show a person how to pair: the QR code where the terminal behind out can show one,
// and the setup code.
func PairingCode(out io.Writer, code, payload string) (string, error) {
	var b strings.Builder
	f, ok := out.(*os.File)
	style, drawn := setup.StyleFor(ok && term.IsTerminal(int(f.Fd())), os.Getenv)
	if drawn {
		qr, err := setup.NewQR(payload)
		if err != nil {
			return "", err
		}
		b.WriteString(qr.Text(style))
		fmt.Fprintf(&b, "Scan it in the Home app (Add Accessory), or type the setup code %s\n", code)
		return b.String(), nil
	}
	fmt.Fprintf(&b, "Setup code for the Home app (Add Accessory, More Options): %s   QR payload: %s\n", code, payload)
	return b.String(), nil
}
