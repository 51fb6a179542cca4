// Knows consumers by their API keys: a request with a known key goes on as its consumer's, any other is answered.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"tollgate"
)

// Config is the policy's [config].
type Config struct {
	Header string `json:"header"`
	Keys   []struct {
		Consumer string `json:"consumer"`
		SHA256   string `json:"sha256"`
	} `json:"keys"`
}

// APIKey is the filter.
type APIKey struct {
	header    string
	consumers map[[sha256.Size]byte]string
}

// New makes the filter.
func New(config Config) (*APIKey, error) {
	filter := &APIKey{header: "x-api-key", consumers: map[[sha256.Size]byte]string{}}
	if config.Header != "" {
		filter.header = strings.ToLower(config.Header)
	}
	for number, key := range config.Keys {
		digest, err := hex.DecodeString(key.SHA256)
		if err != nil || len(digest) != sha256.Size {
			return nil, fmt.Errorf("keys[%d].sha256: is no digest; write what `printf %%s KEY | sha256sum` prints", number)
		}
		// Whoever measures how a digest is looked up knows that of the key that they sent anyway.
		filter.consumers[[sha256.Size]byte(digest)] = key.Consumer
	}
	if len(filter.consumers) == 0 {
		return nil, errors.New("keys: is empty, so nobody could pass; add `consumer` and `sha256` of a key")
	}
	return filter, nil
}

// Interest is the field that the key is in.
func (f *APIKey) Interest() tollgate.Interest {
	return tollgate.Interest{Request: []string{f.header}}
}

// OnRequest lets a request with a known key go on.
func (f *APIKey) OnRequest(request *tollgate.Request) (tollgate.Action, error) {
	key, ok := request.Field(f.header)
	if !ok {
		return f.refuse(fmt.Sprintf("Send an API key in the header `%s`.", f.header)), nil
	}
	consumer, ok := f.consumers[sha256.Sum256([]byte(key))]
	if !ok {
		return f.refuse("The API key is not known."), nil
	}
	request.Set("@subject", consumer)
	request.Remove(f.header)
	return tollgate.Forward, nil
}

func (f *APIKey) refuse(detail string) tollgate.Action {
	challenge := fmt.Sprintf(`ApiKey in="header", name=%q`, f.header)
	return tollgate.Problem(401, "Unauthorized", detail).Field("www-authenticate", challenge)
}

func init() { tollgate.Register(New) }

func main() {}
