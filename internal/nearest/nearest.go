// Package nearest finds the known word that somebody who mistyped probably meant, for messages such as "unknown key
// nodname, the nearest known is nodeName".
package nearest

import "strings"

// maxLen bounds the words that are compared, in bytes: beyond it nobody mistyped a key.
const maxLen = 64

// Of gives the word of known with the smallest distance to word, and whether it is near enough to be worth naming: at
// most a third of the longer of the two, and never less than two changes. Letter case counts for nothing; of equally
// near words the first is given.
func Of(word string, known []string) (string, bool) {
	if len(word) > maxLen {
		return "", false
	}
	best, least := "", -1
	for _, k := range known {
		if len(k) > maxLen {
			continue
		}
		if d := Distance(strings.ToLower(word), strings.ToLower(k)); least < 0 || d < least {
			best, least = k, d
		}
	}
	if least < 0 || least > max(2, max(len(word), len(best))/3) {
		return "", false
	}
	return best, true
}

// Hint words the finding for the end of a message: the nearest word, or else all that are known.
func Hint(word string, known []string) string {
	if k, ok := Of(word, known); ok {
		return "the nearest known is " + k
	}
	return "known are " + strings.Join(known, ", ")
}

// Distance is Levenshtein's: how many bytes must be changed, added or taken away to make b of a.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
