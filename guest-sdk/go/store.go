package tollgate

import (
	"errors"
	"time"
)

// Store is a space of state that outlives exchanges: values, counters and leases by key. "" is the policy's own; any other one is shared, and
// has to be granted. A time to live of 0 is for good.
type Store string

// Why a store has not done what it was asked for.
var (
	ErrDenied      = errors.New("the policy was not granted that space of the store")
	ErrReadOnly    = errors.New("the policy may only read that space of the store")
	ErrTooLarge    = errors.New("the key or the value is too long for the store")
	ErrFull        = errors.New("the space of the store is full")
	ErrNotACounter = errors.New("what the store has there is no counter")
	ErrUnavailable = errors.New("the store cannot be reached")
)

var storeErrors = [...]error{ErrDenied, ErrReadOnly, ErrTooLarge, ErrFull, ErrNotACounter, ErrUnavailable}

// Get gives the value of a key, and whether there is one.
func (s Store) Get(key string) (value []byte, ok bool, err error) { return storeGet(string(s), key) }

// Set gives a key a value.
func (s Store) Set(key string, value []byte, ttl time.Duration) error {
	return storeSet(string(s), key, value, milliseconds(ttl))
}

// Delete removes the value of a key, and says whether there was one.
func (s Store) Delete(key string) (existed bool, err error) { return storeDelete(string(s), key) }

// Swap gives a key a value if it has the expected one, or none if that is nil; it says whether it had.
func (s Store) Swap(key string, expected, value []byte, ttl time.Duration) (swapped bool, err error) {
	return storeSwap(string(s), key, expected, value, milliseconds(ttl))
}

// Increment adds to a counter, which begins at 0 and lives for ttl from then on, and gives its value.
func (s Store) Increment(key string, by int64, ttl time.Duration) (int64, error) {
	return storeIncrement(string(s), key, by, milliseconds(ttl))
}

// Acquire takes a lease, and says whether nobody else has it. The token names its holder to Renew and Release.
func (s Store) Acquire(key string, ttl time.Duration) (token uint64, acquired bool, err error) {
	return storeAcquire(string(s), key, milliseconds(ttl))
}

// Renew makes a lease last longer, and says whether it was still held.
func (s Store) Renew(key string, token uint64, ttl time.Duration) (held bool, err error) {
	return storeRenew(string(s), key, token, milliseconds(ttl))
}

// Release gives a lease back, and says whether it was still held.
func (s Store) Release(key string, token uint64) (held bool, err error) {
	return storeRelease(string(s), key, token)
}

func milliseconds(d time.Duration) uint64 { return uint64(max(d.Milliseconds(), 0)) }

func duration(milliseconds uint64) time.Duration {
	return time.Duration(milliseconds) * time.Millisecond
}
