package tollgate

import "unsafe"

// What the gateway offers besides the store, metrics and callouts. Only what a filter calls is imported by its module. What is handed over is
// copied at once.

//go:wasmimport tollgate:filter/exchange@0.1.0 get
func exchangeGet(exchange, message uint32, name string, result unsafe.Pointer)

//go:wasmimport tollgate:filter/exchange@0.1.0 get-all
func exchangeGetAll(exchange, message uint32, name string, result unsafe.Pointer)

//go:wasmimport tollgate:filter/exchange@0.1.0 fields
func exchangeFields(exchange, message uint32, result unsafe.Pointer)

func lookUp(exchange uint32, direction direction, name string) (string, bool) {
	handed := begin()
	exchangeGet(exchange, uint32(direction), name, resultAt())
	value, ok := "", resultByte(0) != 0
	if ok {
		value = text(resultWord(4), resultWord(8))
	}
	handed.end()
	return value, ok
}

func lookUpAll(exchange uint32, direction direction, name string) []string {
	handed := begin()
	exchangeGetAll(exchange, uint32(direction), name, resultAt())
	values := make([]string, resultWord(4))
	for n := range values {
		word := words(resultWord(0)+8*uint32(n), 2)
		values[n] = text(word[0], word[1])
	}
	handed.end()
	return values
}

func allFields(exchange uint32, direction direction) []Field {
	handed := begin()
	exchangeFields(exchange, uint32(direction), resultAt())
	all := fields(resultWord(0), resultWord(4))
	handed.end()
	return all
}

//go:wasmimport tollgate:filter/log@0.1.0 write
func logWrite(level uint32, message string, attributes unsafe.Pointer, count uint32)

func writeLog(level Level, message string, attributes []Attribute) {
	var named []uint32
	for _, attribute := range attributes {
		named = appendText(appendText(named, attribute.Name), attribute.Value)
	}
	logWrite(uint32(level), message, list(named), uint32(len(attributes)))
}

//go:wasmimport tollgate:filter/clock@0.1.0 now
func clockNow() uint64

//go:wasmimport tollgate:filter/clock@0.1.0 monotonic
func clockMonotonic() uint64

//go:wasmimport tollgate:filter/random@0.1.0 get-u64
func randomNumber() uint64

//go:wasmimport tollgate:filter/random@0.1.0 get-bytes
func randomGetBytes(count uint32, result unsafe.Pointer)

func randomBytes(count uint32) []byte {
	handed := begin()
	randomGetBytes(count, resultAt())
	bytes := copied(resultWord(0), resultWord(4))
	handed.end()
	return bytes
}

//go:wasmimport tollgate:filter/secrets@0.1.0 get
func secretsGet(name string, result unsafe.Pointer)

func secret(name string) ([]byte, bool) {
	handed := begin()
	secretsGet(name, resultAt())
	var value []byte
	ok := resultByte(0) != 0
	if ok {
		value = copied(resultWord(4), resultWord(8))
	}
	handed.end()
	return value, ok
}

//go:wasmimport tollgate:filter/limiter@0.1.0 take
func limiterTake(key string, requests uint32, period uint64, burst, cost uint32, result unsafe.Pointer)

func limitTake(limit Limit, key string, cost uint32) Decision {
	limiterTake(key, limit.Requests, milliseconds(limit.Period), limit.Burst, cost, resultAt())
	return Decision{
		Allowed:    resultByte(0) != 0,
		Remaining:  resultWord(4),
		RetryAfter: duration(result[1]),
		ResetAfter: duration(result[2]),
	}
}
