// Removes and sets members of JSON objects in response bodies.
package main

import (
	"bytes"
	"encoding/json"
	"mime"
	"slices"

	"tollgate"
)

// JSONBody is the filter, and the policy's [config].
type JSONBody struct {
	Remove []string        `json:"remove"`
	Set    json.RawMessage `json:"set"`
	set    []member
}

type member struct {
	name  string
	value json.RawMessage
}

// seen is what is remembered from the head to the body.
type seen struct{ isJSON bool }

// New makes the filter.
func New(config JSONBody) (*JSONBody, error) {
	if config.Set != nil {
		config.set = members(config.Set)
	}
	return &config, nil
}

// Interest is the type of responses, and their whole bodies.
func (f *JSONBody) Interest() tollgate.Interest {
	return tollgate.Interest{Response: []string{"content-type"}, WholeResponseBody: true, State: true}
}

// OnResponse sees whether a body is JSON.
func (f *JSONBody) OnResponse(response *tollgate.Response) (tollgate.Action, error) {
	kind, _, _ := mime.ParseMediaType(response.Value("content-type"))
	tollgate.State[seen](response).isJSON = kind == "application/json"
	return tollgate.Forward, nil
}

// OnResponseBody rewrites the body if it is an object.
func (f *JSONBody) OnResponseBody(response *tollgate.Response, piece tollgate.Piece) (tollgate.Action, error) {
	text := bytes.TrimSpace(piece.Bytes)
	if !tollgate.State[seen](response).isJSON || !bytes.HasPrefix(text, []byte("{")) || !json.Valid(text) {
		return tollgate.Pass, nil
	}
	var kept []member
	for _, member := range members(text) {
		if !slices.Contains(f.Remove, member.name) {
			kept = append(kept, member)
		}
	}
	for _, wanted := range f.set {
		kept = set(kept, wanted)
	}
	return tollgate.Replace(written(kept)), nil
}

// set replaces the members of that name, or adds one.
func set(members []member, wanted member) []member {
	found := false
	for n := range members {
		if members[n].name == wanted.name {
			members[n].value, found = wanted.value, true
		}
	}
	if found {
		return members
	}
	return append(members, wanted)
}

// members are those of a valid object, in their order, which a map would lose.
func members(object []byte) (members []member) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.Token()
	for decoder.More() {
		name, _ := decoder.Token()
		text, _ := name.(string)
		next := member{name: text}
		if decoder.Decode(&next.value) != nil {
			break
		}
		members = append(members, next)
	}
	return members
}

func written(members []member) []byte {
	out := []byte("{")
	for n, member := range members {
		if n > 0 {
			out = append(out, ',')
		}
		// A text can always be written.
		name, _ := json.Marshal(member.name)
		out = append(append(append(out, name...), ':'), member.value...)
	}
	return append(out, '}')
}

func init() { tollgate.Register(New) }

func main() {}
