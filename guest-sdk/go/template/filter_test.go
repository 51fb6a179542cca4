// Runs natively, against a stand-in of the gateway: `go test`.
package main

import (
	"testing"

	"tollgate"
)

func gateway(t *testing.T) *tollgate.TestGateway {
	gateway, err := tollgate.NewTestGateway(New, `{ "value": "new" }`)
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

func TestRequestWithoutStampGetsOne(t *testing.T) {
	exchange := gateway(t).Exchange(tollgate.TestMessages{})
	if got := exchange.Forwarded.Get("x-stamp"); got != "new" {
		t.Errorf("x-stamp is %q", got)
	}
}

func TestStampIsLeftAlone(t *testing.T) {
	messages := tollgate.TestMessages{Fields: map[string]string{"x-stamp": "old"}}
	exchange := gateway(t).Exchange(messages)
	if got := exchange.Forwarded.Get("x-stamp"); got != "old" {
		t.Errorf("x-stamp is %q", got)
	}
}
