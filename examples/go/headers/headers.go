// Rewrites the heads of requests and responses: removes fields, sets them, adds them.
package main

import "tollgate"

// Changes are what becomes of one message, in that order.
type Changes struct {
	Remove []string          `json:"remove"`
	Set    map[string]string `json:"set"`
	Add    map[string]string `json:"add"`
}

// Headers is the filter, and the policy's [config].
type Headers struct {
	Request  Changes `json:"request"`
	Response Changes `json:"response"`
}

// New makes the filter.
func New(config Headers) (*Headers, error) { return &config, nil }

// Interest is nothing: fields are changed, whatever they are.
func (h *Headers) Interest() tollgate.Interest { return tollgate.Interest{} }

// OnRequest rewrites the head of a request.
func (h *Headers) OnRequest(request *tollgate.Request) (tollgate.Action, error) {
	h.Request.apply(&request.Message)
	return tollgate.Forward, nil
}

// OnResponse rewrites the head of a response.
func (h *Headers) OnResponse(response *tollgate.Response) (tollgate.Action, error) {
	h.Response.apply(&response.Message)
	return tollgate.Forward, nil
}

func (c *Changes) apply(message *tollgate.Message) {
	for _, name := range c.Remove {
		message.Remove(name)
	}
	for name, value := range c.Set {
		message.Set(name, value)
	}
	for name, value := range c.Add {
		message.Add(name, value)
	}
}

func init() { tollgate.Register(New) }

func main() {}
