package tollgate

import (
	"fmt"
	"runtime"
	"unsafe"
)

//go:wasmimport tollgate:filter/callout@0.1.0 send-all
func sendAll(requests unsafe.Pointer, count uint32, result unsafe.Pointer)

// requestWords is the size of a request, and outcomeSize that of a result, as the interface lays them out.
const (
	requestWords = 17
	outcomeSize  = 24
)

func callAll(requests []Callout) []CalloutResult {
	laid := make([]uint32, 0, requestWords*len(requests))
	kept := make([][]uint32, len(requests))
	for n := range requests {
		request := &requests[n]
		laid = appendText(appendText(appendText(laid, request.Upstream), request.Method), request.Path)
		laid = appendText(append(laid, bit(request.Authority != "")), request.Authority)
		kept[n] = appendFields(nil, request.Fields)
		laid = append(laid, address(list(kept[n])), uint32(len(request.Fields)))
		laid = appendBytes(laid, request.Body)
		timeout := uint32(milliseconds(request.Timeout))
		laid = append(laid, bit(timeout != 0), timeout, bit(request.BodyLimit != 0), request.BodyLimit)
	}
	handed := begin()
	sendAll(list(laid), uint32(len(requests)), resultAt())
	runtime.KeepAlive(requests)
	runtime.KeepAlive(kept)
	results := make([]CalloutResult, len(requests))
	for n := range results {
		results[n] = outcome(resultWord(0) + outcomeSize*uint32(n))
	}
	handed.end()
	return results
}

func outcome(at uint32) CalloutResult {
	word := words(at, outcomeSize/4)
	if word[0]&0xff == 0 {
		return CalloutResult{Response: CalloutResponse{int(word[1] & 0xffff), fields(word[2], word[3]), copied(word[4], word[5])}}
	}
	err := calloutErrors[word[1]&0xff]
	if err == ErrInvalid {
		err = fmt.Errorf("%w: %s", err, text(word[2], word[3]))
	}
	return CalloutResult{Err: err}
}
