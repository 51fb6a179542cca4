// Package tollgate is for filters of the Tollgate gateway.
//
// A filter is a type with an Interest method and some of the hooks: OnRequest, OnRequestBody, OnRequestTrailers, OnResponse,
// OnResponseBody, OnResponseTrailers, OnEnd and OnTick. Hooks that it does not have are not called and cost nothing:
//
//	type Config struct {
//		Value string `json:"value"`
//	}
//
//	type Stamp struct{ value string }
//
//	func New(config Config) (*Stamp, error) { return &Stamp{config.Value}, nil }
//
//	func (*Stamp) Interest() tollgate.Interest {
//		return tollgate.Interest{Request: []string{"x-stamp"}}
//	}
//
//	func (s *Stamp) OnRequest(request *tollgate.Request) (tollgate.Action, error) {
//		if _, ok := request.Field("x-stamp"); !ok {
//			request.Set("x-stamp", s.value)
//		}
//		return tollgate.Forward, nil
//	}
//
//	func init() { tollgate.Register(New) }
//
//	func main() {}
//
// An error is a fault: the operator reads it, and the client gets what the policy's on-fault says. So is a panic, which says
// where it happened. To answer the client, return Reply or Problem.
//
// # Where a filter runs
//
// `tollgate filter build` makes a module of it in which there is no operating system: no files, no sockets, no environment, and
// nothing to wait for, so that time.Sleep returns at once. What is written to standard output and standard error goes to the gateway's log.
// The gateway calls one hook at a time; hooks of different exchanges may alternate, so what belongs to one of them goes into State.
// A goroutine goes on only while a hook runs.
//
// time.Now begins in 1970, and crypto/rand ends the filter, unless manifest.json has "imports": ["clock", "random"] and the policy grants
// both. Maps and math/rand begin with the same seed in every instance.
package tollgate
