package tollgate

import (
	"encoding/json"
	"unsafe"
)

// Action is what becomes of a message, or of a piece of its body.
type Action struct {
	kind   kind
	status int
	fields []Field
	bytes  []byte
}

type kind uint8

const (
	forward kind = iota
	hold
	reply
	replace
	end
	abort
)

var (
	// Forward lets a message go on: from head hooks.
	Forward = Action{kind: forward}
	// Pass lets a piece of a body, or trailers, go on as they are.
	Pass = Action{kind: forward}
	// Hold makes the head wait until the body hook lets it go: from head hooks.
	Hold = Action{kind: hold}
	// Abort cuts the exchange: from body and trailers hooks.
	Abort = Action{kind: abort}
)

// Field is a header field, or a trailer.
type Field struct {
	Name, Value string
}

// Reply answers the client, or takes the response's place. The status is a final one, 200 to 599.
func Reply[B ~string | ~[]byte](status int, body B) Action {
	return Action{kind: reply, status: status, bytes: bytesOf(body)}
}

// Problem answers with a problem document (RFC 9457). The detail may be empty.
func Problem(status int, title, detail string) Action {
	document := struct {
		Status int    `json:"status"`
		Title  string `json:"title"`
		Detail string `json:"detail,omitempty"`
	}{status, title, detail}
	// Numbers and texts can always be written.
	body, _ := json.Marshal(document)
	return Reply(status, body).Field("content-type", "application/problem+json")
}

// Field is a reply with one more header field.
func (a Action) Field(name, value string) Action {
	a.fields = append(a.fields[:len(a.fields):len(a.fields)], Field{lowerName(name), value})
	return a
}

// Replace has these bytes go on in the place of the piece: from body hooks.
func Replace[B ~string | ~[]byte](content B) Action {
	return Action{kind: replace, bytes: bytesOf(content)}
}

// End has these bytes go on in the place of the piece, and the body end with them: from body hooks.
func End[B ~string | ~[]byte](content B) Action {
	return Action{kind: end, bytes: bytesOf(content)}
}

// bytesOf has the bytes where they are; nobody writes to them.
func bytesOf[B ~string | ~[]byte](content B) []byte {
	switch content := any(content).(type) {
	case string:
		return unsafe.Slice(unsafe.StringData(content), len(content))
	case []byte:
		return content
	}
	return []byte(content)
}
