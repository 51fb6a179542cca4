package tollgate

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Filter is what a module has one of. It also has some of the hooks.
type Filter interface {
	// Interest says what the filter wants to see.
	Interest() Interest
}

// Interest is what a configured filter wants, declared once.
type Interest struct {
	// Request names what OnRequest reads: header fields, and facts such as :method, :path, :authority, @client-address or
	// @consumer, as the interface (types.wit) lists them. At most 64.
	Request []string
	// Response names what OnResponse reads, :status and @request:NAME among them.
	Response []string
	// WholeRequestBody has OnRequestBody called once, with the whole body.
	WholeRequestBody bool
	// WholeResponseBody has OnResponseBody called once, with the whole body.
	WholeResponseBody bool
	// State has State kept for each exchange until it ends.
	State bool
	// Tick has OnTick called that often, at least every 100 ms.
	Tick time.Duration
}

// RequestHook is called once an exchange, with the head of the request.
type RequestHook interface {
	OnRequest(request *Request) (Action, error)
}

// RequestBodyHook is called for each piece of the request's body, at most 64 KiB each, and once for the last, which may be empty; or once
// with the whole.
type RequestBodyHook interface {
	OnRequestBody(request *Request, piece Piece) (Action, error)
}

// RequestTrailersHook is called once, after the last piece of the request's body.
type RequestTrailersHook interface {
	OnRequestTrailers(request *Request, trailers *Trailers) (Action, error)
}

// ResponseHook is called once an exchange, with the head of the final response.
type ResponseHook interface {
	OnResponse(response *Response) (Action, error)
}

// ResponseBodyHook is called for each piece of the response's body, as RequestBodyHook.
type ResponseBodyHook interface {
	OnResponseBody(response *Response, piece Piece) (Action, error)
}

// ResponseTrailersHook is called once, after the last piece of the response's body.
type ResponseTrailersHook interface {
	OnResponseTrailers(response *Response, trailers *Trailers) (Action, error)
}

// EndHook is called once for each exchange, whatever became of it. The state is nil if no hook has asked for one.
type EndHook interface {
	OnEnd(state any)
}

// TickHook is called as often as Interest.Tick says, on an instance that sees no exchanges: what hooks are to find goes into a Store.
type TickHook interface {
	OnTick() error
}

// filter is the module's own, once it is configured.
var filter struct {
	configure func(config []byte) (Filter, error)
	hooks     hooks
	interest  Interest
}

// Register names the function that makes the filter of the policy's [config]. Called in an init function. The configuration is decoded
// as encoding/json does it; keys that C does not have are refused. An error is for whoever changed the configuration, so let it name the key and
// the remedy.
func Register[C any, F Filter](create func(config C) (F, error)) {
	filter.configure = func(text []byte) (Filter, error) { return decode(create, text) }
}

func decode[C any, F Filter](create func(C) (F, error), text []byte) (Filter, error) {
	var config C
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		return nil, err
	}
	return create(config)
}

// hooks are those that a filter has; the others are nil.
type hooks struct {
	request          RequestHook
	requestBody      RequestBodyHook
	requestTrailers  RequestTrailersHook
	response         ResponseHook
	responseBody     ResponseBodyHook
	responseTrailers ResponseTrailersHook
	end              EndHook
	tick             TickHook
}

func hooksOf(filter Filter) (h hooks) {
	h.request, _ = filter.(RequestHook)
	h.requestBody, _ = filter.(RequestBodyHook)
	h.requestTrailers, _ = filter.(RequestTrailersHook)
	h.response, _ = filter.(ResponseHook)
	h.responseBody, _ = filter.(ResponseBodyHook)
	h.responseTrailers, _ = filter.(ResponseTrailersHook)
	h.end, _ = filter.(EndHook)
	h.tick, _ = filter.(TickHook)
	return h
}

// normal is the interest with names as they are compared.
func (i Interest) normal() Interest {
	i.Request, i.Response = lower(i.Request), lower(i.Response)
	return i
}

func lower(names []string) []string {
	normal := make([]string, len(names))
	for n, name := range names {
		normal[n] = lowerName(name)
	}
	return normal
}

// lowerName has fields in lower case; facts such as @claim:Name keep theirs.
func lowerName(name string) string {
	if len(name) > 0 && name[0] == '@' {
		return name
	}
	return strings.ToLower(name)
}
