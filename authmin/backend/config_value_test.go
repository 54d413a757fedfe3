package backend

import (
	"strings"
	"testing"
)

func TestAZeroThatIsNotTheDefaultIsExplained(t *testing.T) {
	for n, want := range map[int64]string{
		0: "invalid value 0: want 5 to 9; 0 is not the default here: leave the setting out for 7", 4: "invalid value 4: want 5 to 9", 7: "",
	} {
		got := ""
		if err := NotZero(Number(&n, 5, 9), 7).Check(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	if v := NotZero(Number(new(int64), 5, 9), 7); !strings.Contains(v.Want(), "5 to 9") {
		t.Errorf("want %q", v.Want())
	}
}
