package tollgate

import (
	"errors"
	"runtime"
	"unsafe"
)

//go:wasmimport tollgate:filter/metrics@0.1.0 define
func metricsDefine(kind uint32, name, help string, labels unsafe.Pointer, labelCount uint32, buckets unsafe.Pointer, bucketCount uint32, result unsafe.Pointer)

//go:wasmimport tollgate:filter/metrics@0.1.0 get
func metricsGet(metric uint32, values unsafe.Pointer, count uint32) uint32

//go:wasmimport tollgate:filter/metrics@0.1.0 add
func metricAdd(series uint32, amount uint64)

//go:wasmimport tollgate:filter/metrics@0.1.0 set
func metricSet(series uint32, value float64)

//go:wasmimport tollgate:filter/metrics@0.1.0 adjust
func metricAdjust(series uint32, by float64)

//go:wasmimport tollgate:filter/metrics@0.1.0 observe
func metricObserve(series uint32, value float64)

func texts(of []string) (words []uint32) {
	for _, text := range of {
		words = appendText(words, text)
	}
	return words
}

func define(d definition) (uint32, error) {
	handed := begin()
	defer handed.end()
	metricsDefine(uint32(d.kind), d.name, d.help, list(texts(d.labels)), uint32(len(d.labels)),
		unsafe.Pointer(unsafe.SliceData(d.buckets)), uint32(len(d.buckets)), resultAt())
	runtime.KeepAlive(d)
	if resultByte(0) == 0 {
		return resultWord(4), nil
	}
	if resultByte(4) == 2 {
		return 0, ErrTooManyMetrics
	}
	return 0, errors.New(text(resultWord(8), resultWord(12)))
}

func series(metric uint32, values []string) uint32 {
	series := metricsGet(metric, list(texts(values)), uint32(len(values)))
	runtime.KeepAlive(values)
	return series
}
