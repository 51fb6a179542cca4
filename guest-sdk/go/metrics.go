package tollgate

import "errors"

// Metrics are shown on the gateway's /metrics as tollgate_filter_NAME, with the label policy. They are defined in the function that makes the
// filter or in a hook, and are the same for all instances.
type metricKind uint32

const (
	counterKind metricKind = iota
	gaugeKind
	histogramKind
)

// ErrTooManyMetrics is that the policy has 32 metrics already.
var ErrTooManyMetrics = errors.New("the policy has as many metrics as it may")

type definition struct {
	kind       metricKind
	name, help string
	labels     []string
	buckets    []float64
}

// Counter only grows.
type Counter struct{ metric uint32 }

// Gauge goes up and down.
type Gauge struct{ metric uint32 }

// Histogram has how often values were within bounds, and their sum.
type Histogram struct{ metric uint32 }

// NewCounter defines a counter. Its name ends in _total by convention.
func NewCounter(name, help string, labels ...string) (Counter, error) {
	metric, err := define(definition{kind: counterKind, name: name, help: help, labels: labels})
	return Counter{metric}, err
}

// NewGauge defines a gauge.
func NewGauge(name, help string, labels ...string) (Gauge, error) {
	metric, err := define(definition{kind: gaugeKind, name: name, help: help, labels: labels})
	return Gauge{metric}, err
}

// NewHistogram defines a histogram with these upper bounds; nil for the usual ones, from 0.0005 to 10.
func NewHistogram(name, help string, buckets []float64, labels ...string) (Histogram, error) {
	metric, err := define(definition{histogramKind, name, help, labels, buckets})
	return Histogram{metric}, err
}

// CounterSeries is a counter with values for its labels. It may be kept.
type CounterSeries struct{ series uint32 }

// GaugeSeries is a gauge with values for its labels. It may be kept.
type GaugeSeries struct{ series uint32 }

// HistogramSeries is a histogram with values for its labels. It may be kept.
type HistogramSeries struct{ series uint32 }

// With gives the series with these values, in the order of the labels. Another number of them is a fault.
func (c Counter) With(values ...string) CounterSeries { return CounterSeries{series(c.metric, values)} }

// With gives the series with these values, in the order of the labels.
func (g Gauge) With(values ...string) GaugeSeries { return GaugeSeries{series(g.metric, values)} }

// With gives the series with these values, in the order of the labels.
func (h Histogram) With(values ...string) HistogramSeries {
	return HistogramSeries{series(h.metric, values)}
}

// Add makes the counter grow.
func (c CounterSeries) Add(amount uint64) { metricAdd(c.series, amount) }

// Set sets the gauge.
func (g GaugeSeries) Set(value float64) { metricSet(g.series, value) }

// Adjust changes the gauge by an amount, which may be negative.
func (g GaugeSeries) Adjust(by float64) { metricAdjust(g.series, by) }

// Observe adds a value to the histogram.
func (h HistogramSeries) Observe(value float64) { metricObserve(h.series, value) }
