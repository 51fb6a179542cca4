package tollgate

// Level is how urgent a message of the log is.
type Level uint32

// The levels of the gateway's log.
const (
	Error Level = iota
	Warn
	Info
	Debug
)

// Attribute is something that belongs to a message.
type Attribute struct {
	Name, Value string
}

// Log writes a message to the gateway's log, tagged with the policy, the route and the trace. At most 4 KiB and 16 attributes; at most 64
// messages a hook. What is written to standard output is a message of level Info, and to standard error, as by the package log, of level Error.
func Log(level Level, message string, attributes ...Attribute) {
	writeLog(level, message, attributes)
}
