// Three reads and one write: what the bench of languages measures in each of them.
package main

import "tollgate"

type config struct{}

type threeReads struct{}

var _ tollgate.RequestHook = (*threeReads)(nil)

func (*threeReads) Interest() tollgate.Interest {
	return tollgate.Interest{Request: []string{"user-agent", "accept", "x-api-key"}}
}

func (*threeReads) OnRequest(request *tollgate.Request) (tollgate.Action, error) {
	agent, _ := request.Field("user-agent")
	accept, _ := request.Field("accept")
	key, _ := request.Field("x-api-key")
	request.Set("x-out", agent+accept+key)
	return tollgate.Forward, nil
}

func init() {
	tollgate.Register(func(config) (*threeReads, error) { return &threeReads{}, nil })
}

func main() {}
