// Puts a stamp on every request that does not have one.
package main

import "tollgate"

// Config is the policy's [config].
type Config struct {
	Value string `json:"value"`
}

// Stamp is the filter.
type Stamp struct{ value string }

// Says that it has the hooks that it is meant to have: a method of another type would not be called.
var _ tollgate.RequestHook = (*Stamp)(nil)

// New makes the filter of its configuration.
func New(config Config) (*Stamp, error) { return &Stamp{config.Value}, nil }

// Interest says what OnRequest reads.
func (*Stamp) Interest() tollgate.Interest {
	return tollgate.Interest{Request: []string{"x-stamp"}}
}

// OnRequest is called for each request.
func (s *Stamp) OnRequest(request *tollgate.Request) (tollgate.Action, error) {
	if _, ok := request.Field("x-stamp"); !ok {
		request.Set("x-stamp", s.value)
	}
	return tollgate.Forward, nil
}

func init() { tollgate.Register(New) }

func main() {}
