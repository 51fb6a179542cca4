package tollgate

import "unsafe"

// The exports. Facts come in; an answer lies in static memory until the gateway has read it, which it has when it calls again.

const hooksModule = "tollgate:filter/hooks@0.1.0"

var (
	request  Request
	response Response
	trailers Trailers
	// The answer, and what it names: nothing else keeps that alive.
	answer      [13]uint32
	given       Action
	failure     string
	editWords   []uint32
	fieldWords  []uint32
	requestName []uint32
	respName    []uint32
)

//go:wasmexport tollgate:filter/hooks@0.1.0#configure
func configure(at, length uint32) (result unsafe.Pointer) {
	defer recovered(&result)
	defer done()
	if filter.configure == nil {
		return fail("no filter is registered: call tollgate.Register in an init function")
	}
	made, err := filter.configure(borrowed(at, length))
	if err != nil {
		return fail(err.Error())
	}
	filter.hooks, filter.interest = hooksOf(made), made.Interest().normal()
	return subscription(filter.interest)
}

func subscription(interest Interest) unsafe.Pointer {
	nameFacts(ofRequest, interest.Request)
	nameFacts(ofResponse, interest.Response)
	requestName, respName = nil, nil
	for _, name := range interest.Request {
		requestName = appendText(requestName, name)
	}
	for _, name := range interest.Response {
		respName = appendText(respName, name)
	}
	answer = [13]uint32{
		1: flags(filter.hooks, interest),
		2: address(list(requestName)), 3: uint32(len(interest.Request)),
		4: address(list(respName)), 5: uint32(len(interest.Response)),
		6: bit(interest.WholeRequestBody) | bit(interest.WholeResponseBody)<<8,
		7: uint32(milliseconds(interest.Tick)),
	}
	return unsafe.Pointer(&answer)
}

// flags are the hooks that the filter has, in the order of the interface.
func flags(h hooks, interest Interest) (flags uint32) {
	has := [...]bool{
		h.request != nil, h.requestBody != nil, h.requestTrailers != nil,
		h.response != nil, h.responseBody != nil, h.responseTrailers != nil,
		h.end != nil || interest.State,
	}
	for place, is := range has {
		flags |= bit(is) << place
	}
	return flags
}

func bit(is bool) uint32 {
	if is {
		return 1
	}
	return 0
}

func (m *Message) begin(exchange uint32, direction direction) {
	*m = Message{exchange: exchange, direction: direction, edits: m.edits[:0]}
}

func (m *Message) beginHead(exchange uint32, direction direction, data, length, ends, count uint32) {
	m.begin(exchange, direction)
	m.isHead, m.data, m.ends = true, borrowed(data, length), words(ends, count)
}

//go:wasmexport tollgate:filter/hooks@0.1.0#on-request-head
func onRequestHead(exchange, data, length, ends, count uint32) (result unsafe.Pointer) {
	defer recovered(&result)
	request.beginHead(exchange, ofRequest, data, length, ends, count)
	action := Forward
	var err error
	if filter.hooks.request != nil {
		action, err = filter.hooks.request.OnRequest(&request)
	}
	return head(&request.Message, action, err)
}

//go:wasmexport tollgate:filter/hooks@0.1.0#on-response-head
func onResponseHead(exchange, data, length, ends, count uint32) (result unsafe.Pointer) {
	defer recovered(&result)
	response.beginHead(exchange, ofResponse, data, length, ends, count)
	action := Forward
	var err error
	if filter.hooks.response != nil {
		action, err = filter.hooks.response.OnResponse(&response)
	}
	return head(&response.Message, action, err)
}

//go:wasmexport tollgate:filter/hooks@0.1.0#on-request-body
func onRequestBody(exchange, data, length, last uint32) (result unsafe.Pointer) {
	defer recovered(&result)
	request.begin(exchange, ofRequest)
	action := Pass
	var err error
	if filter.hooks.requestBody != nil {
		action, err = filter.hooks.requestBody.OnRequestBody(&request, Piece{borrowed(data, length), last != 0})
	}
	return body(&request.Message, action, err)
}

//go:wasmexport tollgate:filter/hooks@0.1.0#on-response-body
func onResponseBody(exchange, data, length, last uint32) (result unsafe.Pointer) {
	defer recovered(&result)
	response.begin(exchange, ofResponse)
	action := Pass
	var err error
	if filter.hooks.responseBody != nil {
		action, err = filter.hooks.responseBody.OnResponseBody(&response, Piece{borrowed(data, length), last != 0})
	}
	return body(&response.Message, action, err)
}

//go:wasmexport tollgate:filter/hooks@0.1.0#on-request-trailers
func onRequestTrailers(exchange, at, count uint32) (result unsafe.Pointer) {
	defer recovered(&result)
	request.begin(exchange, ofRequest)
	trailers = Trailers{Fields: fields(at, count)}
	action := Pass
	var err error
	if filter.hooks.requestTrailers != nil {
		action, err = filter.hooks.requestTrailers.OnRequestTrailers(&request, &trailers)
	}
	return behind(action, err)
}

//go:wasmexport tollgate:filter/hooks@0.1.0#on-response-trailers
func onResponseTrailers(exchange, at, count uint32) (result unsafe.Pointer) {
	defer recovered(&result)
	response.begin(exchange, ofResponse)
	trailers = Trailers{Fields: fields(at, count)}
	action := Pass
	var err error
	if filter.hooks.responseTrailers != nil {
		action, err = filter.hooks.responseTrailers.OnResponseTrailers(&response, &trailers)
	}
	return behind(action, err)
}

//go:wasmexport tollgate:filter/hooks@0.1.0#on-exchange-end
func onExchangeEnd(exchange uint32) {
	var ignored unsafe.Pointer
	defer recovered(&ignored)
	state := forget(exchange)
	if filter.hooks.end != nil {
		filter.hooks.end.OnEnd(state)
	}
	done()
}

//go:wasmexport tollgate:filter/hooks@0.1.0#on-tick
func onTick() (result unsafe.Pointer) {
	defer recovered(&result)
	if filter.hooks.tick != nil {
		if err := filter.hooks.tick.OnTick(); err != nil {
			return fail(err.Error())
		}
	}
	answer[0] = 0
	done()
	return unsafe.Pointer(&answer)
}
