package tollgate

import (
	"errors"
	"time"
)

// Callout is a request to an upstream that the policy was granted (grants.callouts).
type Callout struct {
	Upstream string
	// Method is GET if it is empty.
	Method string
	// Path begins with a slash.
	Path string
	// Authority is the upstream's own if it is empty.
	Authority string
	Fields    []Field
	Body      []byte
	// Timeout is that of the policy's limits if it is 0.
	Timeout time.Duration
	// BodyLimit is how many bytes the response's content may have, 64 KiB if it is 0.
	BodyLimit uint32
}

// CalloutResponse is a final response, whatever its status.
type CalloutResponse struct {
	Status int
	Fields []Field
	Body   []byte
}

// CalloutResult is a response, or why there is none.
type CalloutResult struct {
	Response CalloutResponse
	Err      error
}

// Why there is no response.
var (
	ErrNotGranted      = errors.New("the policy may not call that upstream")
	ErrInvalid         = errors.New("the callout is no request that could be sent")
	ErrTooManyCallouts = errors.New("the exchange has made as many callouts as it may")
	ErrNoUpstream      = errors.New("the upstream of the callout is not available")
	ErrConnect         = errors.New("the upstream of the callout could not be connected to")
	ErrTimeout         = errors.New("the callout was not answered in time")
	ErrBroken          = errors.New("the connection of the callout broke")
	ErrTooLargeCallout = errors.New("the content of the callout is too large")
)

var calloutErrors = [...]error{ErrNotGranted, ErrInvalid, ErrTooManyCallouts, ErrNoUpstream, ErrConnect, ErrTimeout, ErrBroken, ErrTooLargeCallout}

// Call sends a request and waits for the response; the gateway serves others meanwhile. Not in the function that makes the filter, and not
// in OnEnd.
func Call(request Callout) (CalloutResponse, error) {
	result := CallAll(request)[0]
	return result.Response, result.Err
}

// CallAll sends all at once, 16 at most, and waits for all: the results come in the order of the requests.
func CallAll(requests ...Callout) []CalloutResult {
	sent := make([]Callout, len(requests))
	for n, request := range requests {
		if request.Method == "" {
			request.Method = "GET"
		}
		sent[n] = request
	}
	return callAll(sent)
}

// Field gives the first of that name, and whether there is one.
func (r CalloutResponse) Field(name string) (string, bool) {
	trailers := Trailers{Fields: r.Fields}
	return trailers.Field(name)
}
