package tollgate

import "time"

// Now is the time of the machine's clock. Needs grants = { clock = true }.
func Now() time.Time { return time.Unix(0, int64(clockNow())) }

// Monotonic is the time since some moment that is the same for all instances; it never goes back. Needs grants = { clock = true }.
func Monotonic() time.Duration { return time.Duration(clockMonotonic()) }

// RandomNumber is one that nobody can foresee. Not in the function that makes the filter. Needs grants = { random = true }.
func RandomNumber() uint64 { return randomNumber() }

// RandomBytes are as many that nobody can foresee, 1024 at most. Otherwise as RandomNumber.
func RandomBytes(count int) []byte { return randomBytes(uint32(count)) }

// Secret gives a secret as it is now, and whether the policy was granted one of that name. Secrets are exchanged while the filter runs, so ask
// whenever one is needed.
func Secret(name string) ([]byte, bool) { return secret(name) }
