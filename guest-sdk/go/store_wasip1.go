package tollgate

import "unsafe"

//go:wasmimport tollgate:filter/store@0.1.0 get
func storeGetImport(space, key string, result unsafe.Pointer)

//go:wasmimport tollgate:filter/store@0.1.0 set
func storeSetImport(space, key string, value unsafe.Pointer, length uint32, ttl uint64, result unsafe.Pointer)

//go:wasmimport tollgate:filter/store@0.1.0 delete
func storeDeleteImport(space, key string, result unsafe.Pointer)

//go:wasmimport tollgate:filter/store@0.1.0 compare-and-swap
func storeSwapImport(space, key string, isExpected bool, expected unsafe.Pointer, expectedLength uint32, value unsafe.Pointer, length uint32, ttl uint64, result unsafe.Pointer)

//go:wasmimport tollgate:filter/store@0.1.0 increment
func storeIncrementImport(space, key string, by int64, ttl uint64, result unsafe.Pointer)

//go:wasmimport tollgate:filter/store@0.1.0 acquire
func storeAcquireImport(space, key string, ttl uint64, result unsafe.Pointer)

//go:wasmimport tollgate:filter/store@0.1.0 renew
func storeRenewImport(space, key string, token, ttl uint64, result unsafe.Pointer)

//go:wasmimport tollgate:filter/store@0.1.0 release
func storeReleaseImport(space, key string, token uint64, result unsafe.Pointer)

// storeError is that of a result whose value is aligned as `at` says.
func storeError(at uintptr) error {
	if resultByte(0) == 0 {
		return nil
	}
	return storeErrors[resultByte(at)]
}

// flag is that of a result of one byte.
func flag() (bool, error) {
	err := storeError(1)
	return err == nil && resultByte(1) != 0, err
}

func storeGet(space, key string) (value []byte, ok bool, err error) {
	handed := begin()
	storeGetImport(space, key, resultAt())
	err = storeError(4)
	ok = err == nil && resultByte(4) != 0
	if ok {
		value = copied(resultWord(8), resultWord(12))
	}
	handed.end()
	return value, ok, err
}

func storeSet(space, key string, value []byte, ttl uint64) error {
	storeSetImport(space, key, unsafe.Pointer(unsafe.SliceData(value)), uint32(len(value)), ttl, resultAt())
	return storeError(1)
}

func storeDelete(space, key string) (bool, error) {
	storeDeleteImport(space, key, resultAt())
	return flag()
}

func storeSwap(space, key string, expected, value []byte, ttl uint64) (bool, error) {
	storeSwapImport(space, key, expected != nil, unsafe.Pointer(unsafe.SliceData(expected)), uint32(len(expected)),
		unsafe.Pointer(unsafe.SliceData(value)), uint32(len(value)), ttl, resultAt())
	return flag()
}

func storeIncrement(space, key string, by int64, ttl uint64) (int64, error) {
	storeIncrementImport(space, key, by, ttl, resultAt())
	if err := storeError(8); err != nil {
		return 0, err
	}
	return int64(result[1]), nil
}

func storeAcquire(space, key string, ttl uint64) (token uint64, acquired bool, err error) {
	storeAcquireImport(space, key, ttl, resultAt())
	if err := storeError(8); err != nil || resultByte(8) == 0 {
		return 0, false, err
	}
	return result[2], true, nil
}

func storeRenew(space, key string, token, ttl uint64) (bool, error) {
	storeRenewImport(space, key, token, ttl, resultAt())
	return flag()
}

func storeRelease(space, key string, token uint64) (bool, error) {
	storeReleaseImport(space, key, token, resultAt())
	return flag()
}
