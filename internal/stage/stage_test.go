package stage

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		s := New(t.Context(), failed)
		ended := false
		s.Run("good", func(ctx context.Context) error { <-ctx.Done(); ended = true; return nil })
		s.Run("bad", func(context.Context) error { return errors.New("broken") })
		if err := <-failed; err.Error() != "bad: broken" {
			t.Errorf("got %v", err)
		}
		s.Run("early", func(context.Context) error { return nil })
		if err := <-failed; !strings.HasPrefix(err.Error(), "early: ") {
			t.Errorf("got %v", err)
		}
		s.End()
		if !ended {
			t.Error("end did not wait")
		}
	})
}
