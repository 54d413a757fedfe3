package authmin

// Bounds of the words that are compared: shorter ones are near to everything, and
// longer ones are no slip of the pen.
const (
	minNearWord  = 3
	maxNearWord  = 32
	maxNearSlips = 2
)

// NearestWord finds the known word that another one is probably a misspelling of: the
// one with the smallest [EditDistance], of at most 2. It returns "" when there is none,
// and for words of fewer than 3 or more than 32 bytes.
func NearestWord(word string, known []string) string {
	if len(word) < minNearWord || len(word) > maxNearWord {
		return ""
	}
	best, found := maxNearSlips+1, ""
	for _, candidate := range known {
		if d := EditDistance(word, candidate); d < best {
			best, found = d, candidate
		}
	}
	return found
}

// EditDistance counts the bytes to change, insert or delete, and the neighbors to
// exchange, that make one word of another (optimal string alignment). It takes time and
// memory in proportion to the product of the lengths: bound them.
func EditDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
