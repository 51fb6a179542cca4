package tollgate

import "unsafe"

// Answers, laid out as the interface has them: cases of results and variants, addresses and lengths of lists.

func fail(reason string) unsafe.Pointer {
	failure = reason
	answer[0] = 1
	appendText(answer[1:1], failure)
	done()
	return unsafe.Pointer(&answer)
}

// recovered has a panic of a hook be its fault.
func recovered(result *unsafe.Pointer) {
	if reason := recover(); reason != nil {
		*result = fail(describe(reason))
	}
}

const cannot = "the hook has returned what a hook of its kind cannot"

func head(message *Message, action Action, err error) unsafe.Pointer {
	if err != nil {
		return fail(err.Error())
	}
	switch action.kind {
	case forward, hold:
		answer[1] = uint32(action.kind)
	case reply:
		answer[1] = 2
		putReply(action)
	default:
		return fail(cannot)
	}
	putEdits(7, message.edits)
	return answerIsThere()
}

func body(message *Message, action Action, err error) unsafe.Pointer {
	if err != nil {
		return fail(err.Error())
	}
	switch action.kind {
	case forward:
		answer[1] = 0
	case replace, end:
		answer[1] = 1
		if action.kind == end {
			answer[1] = 3
		}
		given = action
		appendBytes(answer[2:2], given.bytes)
	case reply:
		answer[1] = 2
		putReply(action)
	case abort:
		answer[1] = 4
	default:
		return fail(cannot)
	}
	answer[7] = bit(message.released)
	putEdits(8, message.edits)
	return answerIsThere()
}

// behind is the answer of a trailers hook.
func behind(action Action, err error) unsafe.Pointer {
	if err != nil {
		return fail(err.Error())
	}
	switch action.kind {
	case forward:
		answer[1] = 0
	case reply:
		answer[1] = 1
		putReply(action)
	case abort:
		answer[1] = 2
	default:
		return fail(cannot)
	}
	putEdits(7, trailers.edits)
	return answerIsThere()
}

func answerIsThere() unsafe.Pointer {
	answer[0] = 0
	done()
	return unsafe.Pointer(&answer)
}

func putReply(action Action) {
	given = action
	fieldWords = appendFields(fieldWords[:0], given.fields)
	answer[2] = uint32(given.status)
	answer[3], answer[4] = address(list(fieldWords)), uint32(len(given.fields))
	appendBytes(answer[5:5], given.bytes)
}

// putEdits has the list of edits stand in two words of the answer. The message keeps what they name.
func putEdits(at int, edits []edit) {
	editWords = editWords[:0]
	for n := range edits {
		edit := &edits[n]
		editWords = append(editWords, uint32(edit.kind))
		editWords = appendText(appendText(editWords, edit.name), edit.value)
	}
	answer[at], answer[at+1] = address(list(editWords)), uint32(len(edits))
}
