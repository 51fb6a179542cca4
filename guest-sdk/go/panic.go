package tollgate

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
)

// How many functions a fault names.
const mostFrames = 16

// What calls hooks, besides the exports.
var callers = []string{"tollgate.configure", "tollgate.callHead", "tollgate.callBody"}

// describe says what a panic was about and where it happened, the innermost function first, in lines that the gateway knows.
func describe(reason any) string {
	var stack [32]uintptr
	frames := runtime.CallersFrames(stack[:runtime.Callers(2, stack[:])])
	told, named := fmt.Sprintf("panic: %v", reason), 0
	for more := true; more && named < mostFrames; {
		var frame runtime.Frame
		frame, more = frames.Next()
		switch {
		case strings.HasPrefix(frame.Function, "tollgate.on"), slices.Contains(callers, frame.Function):
			more = false
		case frame.Function == "" || strings.HasPrefix(frame.Function, "runtime.") || frame.Function == "tollgate.recovered":
		default:
			told += fmt.Sprintf("\n    at %s (%s:%d)", frame.Function, path.Base(frame.File), frame.Line)
			named++
		}
	}
	return told
}
