// Lets requests through that an authorization service allows, and says nothing to those that it does not know.
package main

import (
	"errors"
	"fmt"
	"time"

	"tollgate"
)

// Config is the policy's [config].
type Config struct {
	Upstream string   `json:"upstream"`
	Path     string   `json:"path"`
	Fields   []string `json:"fields"`
	Consumer string   `json:"consumer"`
	Timeout  int      `json:"timeout-ms"`
}

// CalloutAuth is the filter.
type CalloutAuth struct{ Config }

// New makes the filter.
func New(config Config) (*CalloutAuth, error) {
	if config.Upstream == "" {
		return nil, errors.New("upstream: is missing; name the upstream of the service")
	}
	if config.Path == "" {
		config.Path = "/"
	}
	if config.Fields == nil {
		config.Fields = []string{"authorization", "cookie"}
	}
	if config.Timeout == 0 {
		config.Timeout = 500
	}
	return &CalloutAuth{config}, nil
}

// Interest is what the service gets to see.
func (f *CalloutAuth) Interest() tollgate.Interest {
	return tollgate.Interest{Request: append([]string{":method", ":path"}, f.Fields...)}
}

// OnRequest asks the service. One that does not answer is a fault: what becomes of the request then is the policy's on-fault.
func (f *CalloutAuth) OnRequest(request *tollgate.Request) (tollgate.Action, error) {
	verdict, err := f.ask(request)
	if err != nil {
		return tollgate.Forward, err
	}
	switch verdict.Status {
	case 401:
		return show(tollgate.Problem(401, "Unauthorized", ""), verdict), nil
	case 403:
		return show(tollgate.Problem(403, "Forbidden", ""), verdict), nil
	case 302, 303:
		return show(tollgate.Reply(verdict.Status, ""), verdict), nil
	}
	if verdict.Status < 200 || verdict.Status > 299 {
		return tollgate.Forward, fmt.Errorf("the authorization service has answered with %d", verdict.Status)
	}
	if name, ok := verdict.Field(f.Consumer); ok {
		request.Set("@consumer", name)
	}
	return tollgate.Forward, nil
}

func (f *CalloutAuth) ask(request *tollgate.Request) (tollgate.CalloutResponse, error) {
	fields := []tollgate.Field{
		{Name: "x-original-method", Value: request.Value(":method")},
		{Name: "x-original-path", Value: request.Value(":path")},
	}
	for _, name := range f.Fields {
		if value, ok := request.Field(name); ok {
			fields = append(fields, tollgate.Field{Name: name, Value: value})
		}
	}
	timeout := time.Duration(f.Timeout) * time.Millisecond
	return tollgate.Call(tollgate.Callout{Upstream: f.Upstream, Path: f.Path, Fields: fields, Timeout: timeout})
}

// show adds what a client who is refused gets to see of the service's answer.
func show(reply tollgate.Action, verdict tollgate.CalloutResponse) tollgate.Action {
	for _, name := range []string{"www-authenticate", "location"} {
		if value, ok := verdict.Field(name); ok {
			reply = reply.Field(name, value)
		}
	}
	return reply
}

func init() { tollgate.Register(New) }

func main() {}
