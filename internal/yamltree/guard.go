package yamltree

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// maxNesting bounds how deep the library may recurse, with room above MaxDepth: what is between them is refused by
// name later.
const maxNesting = 4 * MaxDepth

// guard refuses tokens that nest so deeply that a recursive parser would exhaust its stack, which cannot be recovered
// from in Go. It looks at tokens only, so it estimates from above: brackets that are open, columns of lines that
// contain each other, and marks that open a level within one line ("- - - a").
func guard(tokens token.Tokens, firstLine int) error {
	if len(tokens) > maxTokens {
		return &Error{firstLine, fmt.Sprintf("more than %d words and marks in a document: expected smaller documents", maxTokens)}
	}
	type level struct{ column, marks int }
	var levels []level
	marks, flow, run, line := 0, 0, 0, -1
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		if flow == 0 && t.Position.Line != line {
			line = t.Position.Line
			for len(levels) > 0 && levels[len(levels)-1].column >= t.Position.Column {
				marks -= levels[len(levels)-1].marks
				levels = levels[:len(levels)-1]
			}
			levels = append(levels, level{column: t.Position.Column})
			run = 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow, run = max(0, flow-1), 0
		case token.CollectEntryType:
			run = 0
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType, token.AnchorType, token.TagType:
			if flow > 0 {
				run++
			} else if len(levels) > 0 {
				levels[len(levels)-1].marks++
				marks++
			}
		default:
		}
		if len(levels)+marks+flow+run > maxNesting {
			return tooDeep(firstLine + t.Position.Line - 1)
		}
	}
	return nil
}
