package tollgate

import (
	"fmt"
	"strconv"
)

// Piece is a piece of a body, or the whole. Its bytes are there until the hook returns; copy what is kept.
type Piece struct {
	Bytes []byte
	Last  bool
}

type direction uint32

const (
	ofRequest direction = iota
	ofResponse
)

// Message is what requests and responses have in common. Reads show it as it was when the hook was called; edits go back with the
// hook's answer. It is the hook's until that returns.
type Message struct {
	exchange  uint32
	direction direction
	isHead    bool
	// Of a head hook: values one behind the other, and where each ends.
	data     []byte
	ends     []uint32
	edits    []edit
	released bool
}

// Request is the message that hooks of the request look at.
type Request struct{ Message }

// Response is the message that hooks of the response look at.
type Response struct{ Message }

type edit struct {
	kind        editKind
	name, value string
}

type editKind uint32

const (
	setField editKind = iota
	addField
	removeField
)

const absent = 1<<32 - 1

// Field gives a fact that Interest has named, in a head hook, and whether it is there. Several fields of one name come joined by ", ". What
// was not named is a fault; so is any in a body hook: that is what LookUp is for.
func (m *Message) Field(name string) (string, bool) {
	facts := named[m.direction]
	var start uint32
	for place := 0; m.isHead && place < len(m.ends); place++ {
		end := m.ends[place]
		if facts[place].name == name {
			if end == absent {
				return "", false
			}
			return facts[place].copy(m.data[start:end]), true
		}
		if end != absent {
			start = end
		}
	}
	if lower := lowerName(name); lower != name {
		return m.Field(lower)
	}
	panic(fmt.Sprintf("%q is no fact that is there: name it in Interest, or use LookUp, which body hooks have to", name))
}

// Value is Field where an empty value and none are the same.
func (m *Message) Value(name string) string {
	value, _ := m.Field(name)
	return value
}

// LookUp gives any fact, in any hook. It costs a call into the gateway.
func (m *Message) LookUp(name string) (string, bool) {
	return lookUp(m.exchange, m.direction, lowerName(name))
}

// LookUpAll gives the values of all fields of that name, in order: the only right way to read set-cookie.
func (m *Message) LookUpAll(name string) []string {
	return lookUpAll(m.exchange, m.direction, lowerName(name))
}

// AllFields gives all fields of the head, in order.
func (m *Message) AllFields() []Field {
	return allFields(m.exchange, m.direction)
}

// LookUpRequest gives any fact of the request, as its hooks have left it.
func (r *Response) LookUpRequest(name string) (string, bool) {
	return lookUp(r.exchange, ofRequest, lowerName(name))
}

// Status is that of the response, if Interest has named :status.
func (r *Response) Status() int {
	status, _ := strconv.Atoi(r.Value(":status"))
	return status
}

// Set replaces every field of that name, or sets a fact such as :path or @subject.
func (m *Message) Set(name, value string) { m.edit(setField, name, value) }

// Add appends a field and keeps those that are there.
func (m *Message) Add(name, value string) { m.edit(addField, name, value) }

// Remove removes every field of that name.
func (m *Message) Remove(name string) { m.edit(removeField, name, "") }

func (m *Message) edit(kind editKind, name, value string) {
	m.edits = append(m.edits, edit{kind, lowerName(name), value})
}

// Release lets a head go that this filter holds, before the last piece of its body: from body hooks.
func (m *Message) Release() { m.released = true }

// Trailers are the fields behind a body.
type Trailers struct {
	Fields []Field
	edits  []edit
}

// Field gives the first of that name, and whether there is one.
func (t *Trailers) Field(name string) (string, bool) {
	name = lowerName(name)
	for _, field := range t.Fields {
		if field.Name == name {
			return field.Value, true
		}
	}
	return "", false
}

// Set replaces every trailer of that name.
func (t *Trailers) Set(name, value string) {
	t.edits = append(t.edits, edit{setField, lowerName(name), value})
}

// Add appends a trailer.
func (t *Trailers) Add(name, value string) {
	t.edits = append(t.edits, edit{addField, lowerName(name), value})
}

// Remove removes every trailer of that name.
func (t *Trailers) Remove(name string) {
	t.edits = append(t.edits, edit{removeField, lowerName(name), ""})
}

// fact is one that a head hook gets, with the value that it had last: values come again and again, and need not be copied then.
type fact struct {
	name, last string
}

// remembered is the longest value that is.
const remembered = 256

var named [2][]fact

func nameFacts(direction direction, names []string) {
	facts := make([]fact, len(names))
	for place, name := range names {
		facts[place].name = name
	}
	named[direction] = facts
}

func (f *fact) copy(value []byte) string {
	if f.last == string(value) {
		return f.last
	}
	copied := string(value)
	if len(copied) <= remembered {
		f.last = copied
	}
	return copied
}
