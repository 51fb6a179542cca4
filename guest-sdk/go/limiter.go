package tollgate

import "time"

// Limit is a rate with a burst, which holds across all workers.
type Limit struct {
	// Requests is how many each period allows on average.
	Requests uint32
	Period   time.Duration
	// Burst is how many may come at once.
	Burst uint32
}

// Decision is what a limit says of a request.
type Decision struct {
	// Allowed says whether it is within the limit. One that is not does not count.
	Allowed bool
	// Remaining is how many more would be allowed right now.
	Remaining uint32
	// RetryAfter is when one of the same cost is allowed.
	RetryAfter time.Duration
	// ResetAfter is when the whole burst is available again.
	ResetAfter time.Duration
}

// Take counts a request of that cost, at least 1, against a key.
func (l Limit) Take(key string, cost uint32) Decision { return limitTake(l, key, cost) }
