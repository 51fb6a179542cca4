//go:build !wasip1

package tollgate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the stand-in has in the place of the gateway's functions.

type testValue struct {
	value []byte
	// Zero is for good.
	until time.Time
	token uint64
}

func lookUp(_ uint32, direction direction, name string) (string, bool) {
	if of, ok := strings.CutPrefix(name, "@request:"); ok {
		return lookUp(0, ofRequest, of)
	}
	value, ok := gateway.heads[direction][name]
	return value, ok
}

func lookUpAll(_ uint32, direction direction, name string) []string {
	value, ok := gateway.heads[direction][name]
	if !ok {
		return nil
	}
	return strings.Split(value, ", ")
}

func allFields(_ uint32, direction direction) (all []Field) {
	for name, value := range gateway.heads[direction] {
		if !strings.HasPrefix(name, ":") && !strings.HasPrefix(name, "@") {
			all = append(all, Field{name, value})
		}
	}
	slices.SortFunc(all, func(one, other Field) int { return strings.Compare(one.Name, other.Name) })
	return all
}

func writeLog(level Level, message string, attributes []Attribute) {
	gateway.Logs = append(gateway.Logs, TestLog{level, message, slices.Clone(attributes)})
}

func clockNow() uint64       { return uint64(gateway.Time.UnixNano()) }
func clockMonotonic() uint64 { return clockNow() }

// randomNumber is the same in every run.
func randomNumber() uint64 {
	gateway.chance = gateway.chance*6364136223846793005 + 1442695040888963407
	return gateway.chance ^ gateway.chance>>29
}

func randomBytes(count uint32) (random []byte) {
	for len(random) < int(count) {
		random = binary.LittleEndian.AppendUint64(random, randomNumber())
	}
	return random[:count]
}

func secret(name string) ([]byte, bool) {
	value, ok := gateway.Secrets[name]
	return []byte(value), ok
}

func callAll(requests []Callout) (results []CalloutResult) {
	for _, request := range requests {
		result := CalloutResult{Err: ErrConnect}
		if gateway.Answer != nil {
			result.Response, result.Err = gateway.Answer(request)
		}
		results = append(results, result)
	}
	return results
}

// limitTake is the generic cell rate algorithm: a key is known by when its whole burst is available again.
func limitTake(limit Limit, key string, cost uint32) Decision {
	one := limit.Period / time.Duration(limit.Requests)
	burst, now := one*time.Duration(limit.Burst), gateway.Time
	full := gateway.limits[key]
	if full.Before(now) {
		full = now
	}
	next := full.Add(one * time.Duration(cost))
	if late := next.Sub(now.Add(burst)); late > 0 {
		return Decision{RetryAfter: late, ResetAfter: full.Sub(now), Remaining: uint32((burst - full.Sub(now)) / one)}
	}
	gateway.limits[key] = next
	return Decision{Allowed: true, Remaining: uint32((burst - next.Sub(now)) / one), ResetAfter: next.Sub(now)}
}

// space is one of the store's, without what has run out.
func space(name string) map[string]testValue {
	values := gateway.spaces[name]
	if values == nil {
		values = map[string]testValue{}
		gateway.spaces[name] = values
	}
	for key, value := range values {
		if !value.until.IsZero() && !gateway.Time.Before(value.until) {
			delete(values, key)
		}
	}
	return values
}

func until(ttl uint64) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return gateway.Time.Add(duration(ttl))
}

func storeGet(of, key string) ([]byte, bool, error) {
	value, ok := space(of)[key]
	return value.value, ok, nil
}

func storeSet(of, key string, value []byte, ttl uint64) error {
	space(of)[key] = testValue{value: slices.Clone(value), until: until(ttl)}
	return nil
}

func storeDelete(of, key string) (bool, error) {
	_, ok := space(of)[key]
	delete(space(of), key)
	return ok, nil
}

func storeSwap(of, key string, expected, value []byte, ttl uint64) (bool, error) {
	now, ok := space(of)[key]
	if ok != (expected != nil) || !bytes.Equal(now.value, expected) {
		return false, nil
	}
	return true, storeSet(of, key, value, ttl)
}

func storeIncrement(of, key string, by int64, ttl uint64) (int64, error) {
	now, ok := space(of)[key]
	var count int64
	if ok {
		var err error
		if count, err = strconv.ParseInt(string(now.value), 10, 64); err != nil {
			return 0, ErrNotACounter
		}
	} else {
		now.until = until(ttl)
	}
	now.value = strconv.AppendInt(nil, count+by, 10)
	space(of)[key] = now
	return count + by, nil
}

// leases have spaces of their own, as a value and a lease may have the same key.
func leases(of string) map[string]testValue { return space(of + "\x00leases") }

func storeAcquire(of, key string, ttl uint64) (uint64, bool, error) {
	if _, ok := leases(of)[key]; ok {
		return 0, false, nil
	}
	token := randomNumber()
	leases(of)[key] = testValue{until: until(ttl), token: token}
	return token, true, nil
}

func storeRenew(of, key string, token, ttl uint64) (bool, error) {
	lease, ok := leases(of)[key]
	if !ok || lease.token != token {
		return false, nil
	}
	leases(of)[key] = testValue{until: until(ttl), token: token}
	return true, nil
}

func storeRelease(of, key string, token uint64) (bool, error) {
	lease, ok := leases(of)[key]
	if !ok || lease.token != token {
		return false, nil
	}
	delete(leases(of), key)
	return true, nil
}

func define(d definition) (uint32, error) {
	gateway.metrics = append(gateway.metrics, d)
	return uint32(len(gateway.metrics) - 1), nil
}

func series(metric uint32, values []string) uint32 {
	of := gateway.metrics[metric]
	if len(values) != len(of.labels) {
		panic(fmt.Sprintf("%s has %d labels, and was given %d values", of.name, len(of.labels), len(values)))
	}
	name := of.name
	if len(values) > 0 {
		name += "{" + strings.Join(values, ",") + "}"
	}
	gateway.series = append(gateway.series, name)
	return uint32(len(gateway.series) - 1)
}

func metricAdd(series uint32, amount uint64)     { metricAdjust(series, float64(amount)) }
func metricSet(series uint32, value float64)     { gateway.Metrics[gateway.series[series]] = value }
func metricAdjust(series uint32, by float64)     { gateway.Metrics[gateway.series[series]] += by }
func metricObserve(series uint32, value float64) { metricAdjust(series, value) }
