package gatewaytest_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestAdmissionsCountTheLongestTimeWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := gatewaytest.Admit(func(turn int) (string, error) {
			if turn == 1 || turn == 2 {
				return "", errors.New("refused")
			}
			return fmt.Sprint(turn), nil
		})
		<-time.After(450 * time.Millisecond)
		if ids, gap := a.End(); !slices.Equal(ids, []string{"0", "3", "4"}) || gap != 300*time.Millisecond {
			t.Errorf("got %v and %v, want tasks 0, 3 and 4, and 300ms", ids, gap)
		}
	})
}
