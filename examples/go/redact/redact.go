// Hides words in response bodies as these stream: what may still become a word is held back until the next piece.
package main

import (
	"bytes"
	"errors"

	"tollgate"
)

// Config is the policy's [config].
type Config struct {
	Words       []string `json:"words"`
	Replacement *string  `json:"replacement"`
}

// Redact is the filter.
type Redact struct {
	words       [][]byte
	replacement string
}

// rest is what is held back of an exchange's body.
type rest struct{ bytes []byte }

// New makes the filter.
func New(config Config) (*Redact, error) {
	filter := &Redact{replacement: "***"}
	for _, word := range config.Words {
		if word == "" {
			return nil, errors.New("words: one is empty; remove it")
		}
		filter.words = append(filter.words, []byte(word))
	}
	if len(filter.words) == 0 {
		return nil, errors.New("words: is empty; write what is to be hidden")
	}
	if config.Replacement != nil {
		filter.replacement = *config.Replacement
	}
	return filter, nil
}

// Interest is nothing but the state of each body.
func (f *Redact) Interest() tollgate.Interest { return tollgate.Interest{State: true} }

// OnResponseBody hides the words that a piece completes.
func (f *Redact) OnResponseBody(response *tollgate.Response, piece tollgate.Piece) (tollgate.Action, error) {
	held := tollgate.State[rest](response)
	text := append(held.bytes, piece.Bytes...)
	var out []byte
	at, plain := 0, 0
	for at < len(text) {
		length, mayGoOn := f.match(text[at:])
		if mayGoOn && !piece.Last {
			break
		}
		if length == 0 {
			at++
			continue
		}
		out = append(append(out, text[plain:at]...), f.replacement...)
		at += length
		plain = at
	}
	out = append(out, text[plain:at]...)
	held.bytes = bytes.Clone(text[at:])
	return tollgate.Replace(out), nil
}

// match says how long the longest word is that a text begins with, and whether more text could make one, or a longer one.
func (f *Redact) match(text []byte) (longest int, mayGoOn bool) {
	for _, word := range f.words {
		if bytes.HasPrefix(text, word) {
			longest = max(longest, len(word))
		} else if len(text) < len(word) && bytes.HasPrefix(word, text) {
			mayGoOn = true
		}
	}
	return longest, mayGoOn
}

func init() { tollgate.Register(New) }

func main() {}
