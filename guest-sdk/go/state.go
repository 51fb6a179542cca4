package tollgate

// states are those of exchanges, by their number, of which the smallest free one is given out.
var states []any

// State is what the filter remembers of an exchange from hook to hook: a new T at first. Needs Interest.State.
//
//	seen := tollgate.State[seen](response)
func State[T any, M interface{ number() uint32 }](message M) *T {
	if !filter.interest.State {
		panic("no state was asked for: set State in Interest")
	}
	exchange := int(message.number())
	for len(states) <= exchange {
		states = append(states, nil)
	}
	if state, ok := states[exchange].(*T); ok {
		return state
	}
	state := new(T)
	states[exchange] = state
	return state
}

func (m *Message) number() uint32 { return m.exchange }

// forget gives the state of an exchange that ends.
func forget(exchange uint32) any {
	if int(exchange) >= len(states) {
		return nil
	}
	state := states[exchange]
	states[exchange] = nil
	return state
}
