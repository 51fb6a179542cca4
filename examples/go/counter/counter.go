// Counts the requests of each client address in the policy's store, and refuses those beyond a number.
package main

import (
	"errors"
	"strconv"
	"time"

	"tollgate"
)

// Counter is the filter, and the policy's [config].
type Counter struct {
	Limit  int64 `json:"limit"`
	Window int64 `json:"window"`
}

// New makes the filter.
func New(config Counter) (*Counter, error) {
	if config.Limit < 1 {
		return nil, errors.New("limit: is less than 1; write how many requests may come in a window")
	}
	return &config, nil
}

// Interest is who asks.
func (c *Counter) Interest() tollgate.Interest {
	return tollgate.Interest{Request: []string{"@client-address"}}
}

// OnRequest counts.
func (c *Counter) OnRequest(request *tollgate.Request) (tollgate.Action, error) {
	key := "requests:" + request.Value("@client-address")
	count, err := tollgate.Store("").Increment(key, 1, time.Duration(c.Window)*time.Second)
	if err != nil {
		return tollgate.Forward, err
	}
	if count > c.Limit {
		return tollgate.Problem(429, "Too Many Requests", ""), nil
	}
	request.Set("x-request-count", strconv.FormatInt(count, 10))
	return tollgate.Forward, nil
}

func init() { tollgate.Register(New) }

func main() {}
