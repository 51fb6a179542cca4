package tollgate

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

type config struct {
	Word string `json:"word"`
}

// probe has every hook, and does what the test says.
type probe struct {
	config
	interest Interest
	head     func(*Message) (Action, error)
	body     func(*Message, Piece) (Action, error)
	ended    []any
}

func (p *probe) Interest() Interest                            { return p.interest }
func (p *probe) OnRequest(request *Request) (Action, error)    { return p.head(&request.Message) }
func (p *probe) OnResponse(response *Response) (Action, error) { return Forward, nil }
func (p *probe) OnEnd(state any)                               { p.ended = append(p.ended, state) }
func (p *probe) OnResponseBody(response *Response, piece Piece) (Action, error) {
	return p.body(&response.Message, piece)
}

func stand(t *testing.T, p *probe) *TestGateway {
	t.Helper()
	if p.head == nil {
		p.head = func(*Message) (Action, error) { return Forward, nil }
	}
	if p.body == nil {
		p.body = func(*Message, Piece) (Action, error) { return Pass, nil }
	}
	gateway, err := NewTestGateway(func(c config) (*probe, error) { p.config = c; return p, nil }, `{ "word": "a" }`)
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

func TestConfigurationIsDecodedAndItsErrorsAreShown(t *testing.T) {
	create := func(c config) (*probe, error) {
		if c.Word == "" {
			return nil, errors.New("word: is missing; write one")
		}
		return &probe{}, nil
	}
	if _, err := NewTestGateway(create, `{ "wort": "a" }`); err == nil || !strings.Contains(err.Error(), `unknown field "wort"`) {
		t.Error(err)
	}
	if _, err := NewTestGateway(create, `{}`); err == nil || err.Error() != "word: is missing; write one" {
		t.Error(err)
	}
}

func TestHeadIsReadAndEdited(t *testing.T) {
	p := &probe{interest: Interest{Request: []string{"X-A", "x-none", "@client-address"}}}
	p.head = func(m *Message) (Action, error) {
		if value, ok := m.Field("x-none"); ok {
			t.Errorf("x-none is %q", value)
		}
		m.Set("X-Seen", m.Value("x-a")+m.Value("@client-address"))
		m.Add("x-a", "more")
		m.Remove("x-gone")
		return Forward, nil
	}
	exchange := stand(t, p).Exchange(TestMessages{Fields: map[string]string{"x-a": "1", "x-gone": "2"}})
	for name, want := range map[string]string{"x-seen": "1192.0.2.1", "x-a": "1, more", "x-gone": ""} {
		if got := exchange.Forwarded.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if exchange.Fault != nil || exchange.Response.Get(":status") != "200" {
		t.Errorf("%+v", exchange)
	}
}

func TestFactThatWasNotNamedIsAFaultThatSaysWhere(t *testing.T) {
	p := &probe{head: func(m *Message) (Action, error) { m.Field("x-a"); return Forward, nil }}
	fault := stand(t, p).Exchange(TestMessages{}).Fault
	if fault == nil || !strings.Contains(fault.Error(), `"x-a" is no fact that is there`) || !strings.Contains(fault.Error(), "filter_test.go:") {
		t.Error(fault)
	}
}

func TestReplyEndsAnExchange(t *testing.T) {
	p := &probe{head: func(*Message) (Action, error) { return Problem(401, "Unauthorized", "").Field("X-B", "1"), nil }}
	reply := stand(t, p).Exchange(TestMessages{}).Reply
	if reply == nil || reply.Status != 401 || reply.Body != `{"status":401,"title":"Unauthorized"}` {
		t.Fatalf("%+v", reply)
	}
	if reply.Fields.Get("content-type") != "application/problem+json" || reply.Fields.Get("x-b") != "1" {
		t.Errorf("%+v", reply.Fields)
	}
}

func TestBodyIsReplacedPieceByPieceWithState(t *testing.T) {
	type seen struct{ count int }
	p := &probe{interest: Interest{State: true}}
	p.body = func(m *Message, piece Piece) (Action, error) {
		State[seen](m).count += len(piece.Bytes)
		if piece.Last {
			return End("."), nil
		}
		return Replace(strings.ToUpper(string(piece.Bytes))), nil
	}
	exchange := stand(t, p).Exchange(TestMessages{ResponsePieces: []string{"ab", "c", "rest"}})
	if exchange.ResponseBody != "ABC." {
		t.Error(exchange.ResponseBody)
	}
	if len(p.ended) != 1 || p.ended[0].(*seen).count != 7 {
		t.Errorf("%+v", p.ended)
	}
}

func TestStoreKeepsCountersAndLeasesForTheirTime(t *testing.T) {
	gateway := stand(t, &probe{})
	store := Store("")
	for want := range int64(3) {
		if count, err := store.Increment("n", 1, time.Minute); count != want+1 || err != nil {
			t.Error(count, err)
		}
	}
	_, acquired, _ := store.Acquire("n", time.Second)
	_, again, _ := store.Acquire("n", time.Second)
	gateway.Time = gateway.Time.Add(2 * time.Minute)
	count, _ := store.Increment("n", 1, 0)
	token, after, _ := store.Acquire("n", time.Second)
	held, _ := store.Release("n", token)
	if !slices.Equal([]bool{acquired, again, after, held}, []bool{true, false, true, true}) || count != 1 {
		t.Error(acquired, again, after, held, count)
	}
	store.Set("text", []byte("many"), 0)
	if _, err := store.Increment("text", 1, 0); err != ErrNotACounter {
		t.Error(err)
	}
}

func TestLimitAllowsABurst(t *testing.T) {
	gateway := stand(t, &probe{})
	limit := Limit{Requests: 1, Period: time.Second, Burst: 2}
	allowed := []bool{limit.Take("a", 1).Allowed, limit.Take("a", 1).Allowed, limit.Take("a", 1).Allowed}
	gateway.Time = gateway.Time.Add(time.Second)
	allowed = append(allowed, limit.Take("a", 1).Allowed)
	if !slices.Equal(allowed, []bool{true, true, false, true}) {
		t.Error(allowed)
	}
}
