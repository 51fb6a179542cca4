package tollgate

import "unsafe"

// What stands below Go's runtime in the module: `filter build` puts it there. Lists that the gateway hands over lie in the arena, which nothing of
// Go's is called for, and are given up when the hook has answered.

//go:wasmimport tollgate:go arena
func setArena(base unsafe.Pointer, size uint32)

//go:wasmimport tollgate:go answered
func answered()

//go:wasmimport tollgate:go mark
func mark() uint32

//go:wasmimport tollgate:go release
func release(top uint32)

// A piece of a body with room to spare.
var arena [10 << 10]uint64

// What was too large for the arena. It is kept for one more hook, as an answer may lie in it.
var rooms, earlier [][]uint64

func init() { setArena(unsafe.Pointer(&arena), uint32(unsafe.Sizeof(arena))) }

//go:wasmexport tollgate:room
func room(size uint32) unsafe.Pointer {
	block := make([]uint64, (size+7)/8)
	rooms = append(rooms, block)
	return unsafe.Pointer(unsafe.SliceData(block))
}

// done is called at the end of each hook.
func done() {
	answered()
	if rooms != nil || earlier != nil {
		earlier, rooms = rooms, nil
	}
}

// handed is what an import hands over until it is released.
type handed struct {
	top   uint32
	rooms int
}

func begin() handed { return handed{mark(), len(rooms)} }

func (h handed) end() {
	release(h.top)
	clear(rooms[h.rooms:])
	rooms = rooms[:h.rooms]
}

// result is where imports write theirs.
var result [4]uint64

func resultAt() unsafe.Pointer { return unsafe.Pointer(&result) }

func resultByte(at uintptr) uint8 { return *(*uint8)(unsafe.Add(resultAt(), at)) }

func resultWord(at uintptr) uint32 { return *(*uint32)(unsafe.Add(resultAt(), at)) }

func pointer(at uint32) unsafe.Pointer { return unsafe.Pointer(uintptr(at)) }

func address(at unsafe.Pointer) uint32 { return uint32(uintptr(at)) }

// borrowed are bytes that the gateway has handed over, where they are.
func borrowed(at, length uint32) []byte { return unsafe.Slice((*byte)(pointer(at)), length) }

func words(at, count uint32) []uint32 { return unsafe.Slice((*uint32)(pointer(at)), count) }

func text(at, length uint32) string {
	if length == 0 {
		return ""
	}
	return string(borrowed(at, length))
}

func copied(at, length uint32) []byte { return append([]byte{}, borrowed(at, length)...) }

func fields(at, count uint32) []Field {
	fields := make([]Field, count)
	for n := range fields {
		word := words(at+16*uint32(n), 4)
		fields[n] = Field{text(word[0], word[1]), text(word[2], word[3])}
	}
	return fields
}

// What is handed to the gateway is named by words for address and length. They keep nothing alive.

func appendText(words []uint32, text string) []uint32 {
	return append(words, address(unsafe.Pointer(unsafe.StringData(text))), uint32(len(text)))
}

func appendBytes(words []uint32, bytes []byte) []uint32 {
	return append(words, address(unsafe.Pointer(unsafe.SliceData(bytes))), uint32(len(bytes)))
}

func appendFields(words []uint32, fields []Field) []uint32 {
	for _, field := range fields {
		words = appendText(appendText(words, field.Name), field.Value)
	}
	return words
}

func list(words []uint32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(words)) }
