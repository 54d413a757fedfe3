package backend

import (
	"net/http"
	"testing"
)

func TestCodesHaveOneNumberEach(t *testing.T) {
	of := map[int]string{}
	for code, n := range Codes() {
		if other, taken := of[n]; taken {
			t.Errorf("%d is the number of %s and of %s", n, code, other)
		}
		of[n] = code
		if http.StatusText(n/100) == "" || n%100 == 0 {
			t.Errorf("%s: %d is not a status and two digits other than 00", code, n)
		}
	}
}

func TestAProblemHasTheNumberOfItsCode(t *testing.T) {
	for code, n := range Codes() {
		if p := NewProblem(n/100, code, ""); p.CodeNumber != n {
			t.Errorf("%s: got %d, want %d", code, p.CodeNumber, n)
		}
	}
	if p := NewProblem(502, "OF_AN_ENGINE", ""); p.CodeNumber != 50200 {
		t.Errorf("a code that is not registered: got %d, want 50200", p.CodeNumber)
	}
}

// TestWhatThisPackageAnswersIsRegistered: the codes of huma's errors and of the
// router.
func TestWhatThisPackageAnswersIsRegistered(t *testing.T) {
	for status, named := range ofHuma {
		if n := CodeNumber(named[0], 0); n/100 != status {
			t.Errorf("%s is answered with %d, and its number is %d", named[0], status, n)
		}
	}
}
