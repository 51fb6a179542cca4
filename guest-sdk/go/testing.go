//go:build !wasip1

package tollgate

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"
)

// TestGateway is a stand-in of the gateway for tests that run where they are written: one filter, and an upstream that answers as the test
// says. What the gateway offers is its fields; everything is granted. The module itself is tested by `tollgate filter test`.
type TestGateway struct {
	// Logs are the messages that the filter has written.
	Logs []TestLog
	// Time is what the clocks show, also of stores and limits. They stand still.
	Time time.Time
	// Secrets are those that there are, by name.
	Secrets map[string]string
	// Answer answers callouts; without it no upstream can be reached.
	Answer func(request Callout) (CalloutResponse, error)
	// Metrics are the values of series, by names such as hits_total{red}. Of a histogram it is the sum.
	Metrics map[string]float64

	made    Filter
	spaces  map[string]map[string]testValue
	limits  map[string]time.Time
	series  []string
	metrics []definition
	chance  uint64
	heads   [2]TestHead
}

// TestLog is a message of the log.
type TestLog struct {
	Level      Level
	Message    string
	Attributes []Attribute
}

// TestMessages are a request and the upstream's response. What is empty is as usual: GET /, status 200, no body.
type TestMessages struct {
	Method, Path string
	Fields       map[string]string
	// Pieces are those of the body.
	Pieces         []string
	Status         int
	ResponseFields map[string]string
	ResponsePieces []string
}

// TestHead has fields and facts by name. Several fields of one name are joined by ", ".
type TestHead map[string]string

// Get gives the value of that name, or nothing.
func (h TestHead) Get(name string) string { return h[lowerName(name)] }

// TestExchange is what became of an exchange.
type TestExchange struct {
	// Reply is the filter's, if it has answered.
	Reply *TestReply
	// Fault is the error of a hook, or its panic.
	Fault error
	// Aborted says that the exchange was cut.
	Aborted bool
	// Forwarded is the request's head as the upstream gets it.
	Forwarded     TestHead
	ForwardedBody string
	// Response is the head that the client gets, if the filter has not answered.
	Response     TestHead
	ResponseBody string
}

// TestReply is an answer of the filter.
type TestReply struct {
	Status int
	Fields TestHead
	Body   string
}

// gateway is whose filter runs.
var gateway *TestGateway

// NewTestGateway makes the filter of a configuration, as JSON.
func NewTestGateway[C any, F Filter](create func(config C) (F, error), config string) (*TestGateway, error) {
	gateway = &TestGateway{Time: time.Unix(1_000_000_000, 0), Metrics: map[string]float64{}, spaces: map[string]map[string]testValue{}, limits: map[string]time.Time{}}
	made, err := decode(create, []byte(config))
	if err != nil {
		return nil, err
	}
	gateway.made = made
	return gateway, nil
}

// Tick calls OnTick once.
func (g *TestGateway) Tick() error {
	g.enter()
	if filter.hooks.tick == nil {
		return errors.New("the filter has no OnTick")
	}
	return filter.hooks.tick.OnTick()
}

func (g *TestGateway) enter() {
	gateway = g
	filter.hooks, filter.interest = hooksOf(g.made), g.made.Interest().normal()
	nameFacts(ofRequest, filter.interest.Request)
	nameFacts(ofResponse, filter.interest.Response)
}

// Exchange takes one exchange through the hooks.
func (g *TestGateway) Exchange(messages TestMessages) (exchange TestExchange) {
	g.enter()
	defer func() {
		if reason := recover(); reason != nil {
			exchange.Fault = errors.New(describe(reason))
		}
	}()
	g.heads[ofRequest] = head(messages.Fields, TestHead{
		":method": or(messages.Method, "GET"), ":path": or(messages.Path, "/"), ":authority": "example.test", ":scheme": "http",
		"@client-address": "192.0.2.1",
	})
	h := filter.hooks
	var goesOn bool
	exchange.ForwardedBody, goesOn = g.pass(&exchange, ofRequest, messages.Pieces)
	exchange.Forwarded = g.heads[ofRequest]
	if goesOn {
		status := or(strings.TrimPrefix(strconv.Itoa(messages.Status), "0"), "200")
		g.heads[ofResponse] = head(messages.ResponseFields, TestHead{":status": status})
		exchange.ResponseBody, _ = g.pass(&exchange, ofResponse, messages.ResponsePieces)
		exchange.Response = g.heads[ofResponse]
	}
	if state := forget(0); h.end != nil {
		h.end.OnEnd(state)
	}
	return exchange
}

// pass takes one message through its hooks, and says whether the exchange goes on.
func (g *TestGateway) pass(exchange *TestExchange, direction direction, pieces []string) (string, bool) {
	message := Message{direction: direction, isHead: true}
	message.data, message.ends = g.pack(direction)
	action, err := callHead(&message)
	g.apply(&message)
	if !exchange.take(action, err) {
		return "", false
	}
	if filter.interest.whole(direction) && len(pieces) > 1 {
		pieces = []string{strings.Join(pieces, "")}
	}
	if len(pieces) == 0 && action.kind == hold {
		pieces = []string{""}
	}
	var body strings.Builder
	for n, piece := range pieces {
		message := Message{direction: direction}
		action, err := callBody(&message, Piece{[]byte(piece), n+1 == len(pieces)})
		g.apply(&message)
		if !exchange.take(action, err) {
			return "", false
		}
		if action.kind == replace || action.kind == end {
			piece = string(action.bytes)
		}
		body.WriteString(piece)
		if action.kind == end {
			break
		}
	}
	return body.String(), true
}

// take notes what a hook has answered, and says whether the exchange goes on.
func (e *TestExchange) take(action Action, err error) bool {
	switch {
	case err != nil:
		e.Fault = err
	case action.kind == reply:
		e.Reply = &TestReply{Status: action.status, Fields: TestHead{}, Body: string(action.bytes)}
		for _, field := range action.fields {
			e.Reply.Fields[field.Name] = field.Value
		}
	case action.kind == abort:
		e.Aborted = true
	default:
		return true
	}
	return false
}

func callHead(message *Message) (Action, error) {
	h := filter.hooks
	switch {
	case message.direction == ofRequest && h.request != nil:
		request := Request{*message}
		defer func() { *message = request.Message }()
		return h.request.OnRequest(&request)
	case message.direction == ofResponse && h.response != nil:
		response := Response{*message}
		defer func() { *message = response.Message }()
		return h.response.OnResponse(&response)
	}
	return Forward, nil
}

func callBody(message *Message, piece Piece) (Action, error) {
	h := filter.hooks
	switch {
	case message.direction == ofRequest && h.requestBody != nil:
		request := Request{*message}
		defer func() { *message = request.Message }()
		return h.requestBody.OnRequestBody(&request, piece)
	case message.direction == ofResponse && h.responseBody != nil:
		response := Response{*message}
		defer func() { *message = response.Message }()
		return h.responseBody.OnResponseBody(&response, piece)
	}
	return Pass, nil
}

func (i Interest) whole(direction direction) bool {
	return direction == ofRequest && i.WholeRequestBody || direction == ofResponse && i.WholeResponseBody
}

func head(fields map[string]string, facts TestHead) TestHead {
	for name, value := range fields {
		facts[lowerName(name)] = value
	}
	return facts
}

// pack lays out the facts that a head hook gets.
func (g *TestGateway) pack(direction direction) (data []byte, ends []uint32) {
	for _, fact := range named[direction] {
		value, ok := lookUp(0, direction, fact.name)
		data = append(data, value...)
		if ok {
			ends = append(ends, uint32(len(data)))
		} else {
			ends = append(ends, absent)
		}
	}
	return data, ends
}

func (g *TestGateway) apply(message *Message) {
	head := maps.Clone(g.heads[message.direction])
	for _, edit := range message.edits {
		before, ok := head[edit.name]
		switch {
		case edit.kind == removeField:
			delete(head, edit.name)
		case edit.kind == addField && ok:
			head[edit.name] = before + ", " + edit.value
		default:
			head[edit.name] = edit.value
		}
	}
	g.heads[message.direction] = head
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
